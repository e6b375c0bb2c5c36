"""Results that would be wrong without a word are refused in one line: damage, then the real command line."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ademamix.data import tokens
from ademamix.store import Store
from tests.conftest import VOCABULARY, text
from tests.damage.world import World, damaged, fill, refused


def _metrics(world: World) -> Path:
    return world.runs / world.run_ids()[0] / "metrics.jsonl"


# 1. What outcome.json says was observed is checked against the rows.


@pytest.mark.parametrize("kept", [0.5, 0.9, 0.0])
def test_a_finished_run_that_lost_rows(world: World, tmp_path: Path, kept: float) -> None:
    rows = _metrics(world).read_text().splitlines(keepends=True)
    with damaged(_metrics(world), "".join(rows[: int(kept * len(rows))])):
        refused(world.draw(tmp_path), "metrics.jsonl is damaged")
        refused(world("show", world.run_ids()[0], "--runs", world.runs), "metrics.jsonl is damaged")
    assert not (tmp_path / "smoke").exists()
    assert world.draw(tmp_path).code == 0
    assert (tmp_path / "smoke" / "figure-09.csv").read_bytes() == (
        world.out / "smoke" / "figure-09.csv"
    ).read_bytes()


def test_rows_lost_in_the_middle_and_changed_digits(world: World, tmp_path: Path) -> None:
    rows = _metrics(world).read_text().splitlines(keepends=True)
    with damaged(_metrics(world), "".join(rows[:3] + rows[5:])):
        refused(world.draw(tmp_path), "metrics.jsonl is damaged")
    with damaged(_metrics(world), "".join(rows).replace("3.", "2.", 1)):
        refused(world.draw(tmp_path), "is not as it was written")


def test_export_replaces_no_good_record_by_a_damaged_one(world: World, tmp_path: Path) -> None:
    copy = tmp_path / "runs"
    shutil.copytree(world.runs, copy)
    at = ("--scale", "smoke", "--runs", copy, "--out", tmp_path)
    assert world("export", *at).code == 0
    (record, *_) = sorted((tmp_path / "smoke" / "records").glob("*.gz"))
    good = record.read_bytes()
    metrics = copy / record.name.partition(".")[0] / "metrics.jsonl"
    metrics.write_text(metrics.read_text()[: metrics.stat().st_size // 2])
    refused(world("export", *at), "metrics.jsonl is damaged")
    assert record.read_bytes() == good


def test_import_refuses_a_record_that_lost_rows(world: World, tmp_path: Path) -> None:
    assert world("export", "--scale", "smoke", "--runs", world.runs, "--out", tmp_path).code == 0
    records = tmp_path / "smoke" / "records"
    (record, *_) = sorted(records.glob("*.gz"))
    data = json.loads(gzip.decompress(record.read_bytes()))
    data["metrics"] = {
        name: values[:-2]
        if name == "step"
        else [pair for pair in values if pair[0] < len(data["metrics"]["step"]) - 2]
        for name, values in data["metrics"].items()
    }
    record.write_bytes(gzip.compress(json.dumps(data).encode()))
    said = world("import", "--from", records, "--runs", tmp_path / "new")
    refused(said, "is damaged")
    assert "3 runs loaded" in said.out
    assert not (tmp_path / "new" / record.name.partition(".")[0]).exists()


# 2. Overrides: of what a figure varies they are refused; others stand in csv, drawing and a file beside them.


@pytest.mark.parametrize(
    ("figure", "setting", "message"),
    [
        ("12a", "optimizer.alpha=4", "Figure 12a varies optimizer.alpha itself"),
        ("12", "optimizer.beta3=0.99", "Figure 12 varies optimizer.beta3 itself"),
        ("21", "batch=4", "varies batch itself"),
        ("1", "schedule.horizon=64", "varies schedule.horizon itself"),
        ("2", "optimizer.alpha=4", "Figure 2 needs no training"),
        ("5a", "optimizer.alpha=4", "Figure 5a is measured"),
        ("9", "optimizer.kind=adamw", "which a figure does"),
        ("9", "optimizer.alhpa=4", "did you mean 'alpha'"),
        ("19", "optimizer.alpha=4", "unknown key 'optimizer.alpha'"),
    ],
)
def test_overrides_that_would_draw_false_labels(
    world: World, tmp_path: Path, figure: str, setting: str, message: str
) -> None:
    for verb in (("plan",), ("run", "--out", tmp_path)):
        refused(world(*verb, "--figure", figure, "--scale", "smoke", "--set", setting,
                      "--runs", tmp_path / "runs"), message)  # fmt: skip
    assert not (tmp_path / "smoke").exists()


def test_overrides_stand_in_csv_drawing_and_beside(world: World, tmp_path: Path) -> None:
    setting = "optimizer.weight_decay=0"
    store = Store(tmp_path / "runs")
    fill(store, (setting,))
    assert world.draw(tmp_path, "--set", setting, "--format", "svg", runs=store.root).code == 0
    table = tmp_path / "smoke" / "figure-09.csv"
    assert all(line.endswith(f",{setting}") for line in table.read_text().splitlines()[1:])
    assert json.loads(table.with_suffix(".json").read_text())["changed"] == [setting]
    assert f"changed: {setting}" in table.with_suffix(".svg").read_text().replace("&#160;", " ")
    verdicts = json.loads((tmp_path / "smoke" / "claims.json").read_text())["verdicts"]
    assert verdicts["figure-09"]["changed"] == [setting]
    plain = (world.out / "smoke" / "figure-09.csv").read_text()
    assert "changed" not in plain.splitlines()[0]


# 3. Records of another machine's packages.


def test_records_of_other_packages_say_so(world: World, tmp_path: Path) -> None:
    """As with another torch here: the lock and the records then have versions that are not installed."""
    assert world("export", "--scale", "smoke", "--runs", world.runs, "--out", tmp_path).code == 0
    records = tmp_path / "smoke" / "records"
    store = Store(tmp_path / "there")
    for path in records.glob("*.gz"):
        data = json.loads(gzip.decompress(path.read_bytes()))
        data["spec"]["data"]["packages"]["torch"] = "2.0.0"
        path.unlink()
        _write_record(data, records)
    said = world("import", "--from", records, "--runs", store.root, "--data", tmp_path)
    assert said.code == 0, said
    assert "4 of these runs were trained on another pysource" in said.err
    assert "recorded: 2.0.0" in said.err
    # A corpus of the recorded versions is used where there is one, and then the records serve.
    lock = world.root / "requirements.lock"
    spec = next(store.runs()).spec()
    corpus = spec.data.folder(tmp_path)
    corpus.mkdir()
    (corpus / "manifest.json").write_text("{}")
    ours = lock.read_text()
    torch = next(line for line in ours.splitlines() if line.startswith("torch=="))
    with damaged(lock, ours.replace(torch, "torch==2.0.0")):
        drawn = world.draw(tmp_path / "out", "--data", tmp_path, runs=store.root)
        assert drawn.code == 0, drawn
        assert "nothing to train: all 4 runs are complete" in drawn.err


def _write_record(data: dict, folder: Path) -> None:  # type: ignore[type-arg]
    from ademamix.spec import parse

    (folder / f"{parse(data['spec']).id}.json.gz").write_bytes(gzip.compress(json.dumps(data).encode()))


# 4. The checkout at hand is the one that is used.


def test_benchmarks_are_of_the_checkout_they_are_called_in(world: World) -> None:
    makefile = (world.root / "Makefile").read_text()
    assert "-m benchmarks.training" in makefile
    code = "import benchmarks.training as b, ademamix; print(b.checkout())"
    found = subprocess.run([sys.executable, "-c", code], cwd=world.root, env=world.environment,
                           capture_output=True, text=True)  # fmt: skip
    assert found.stdout.strip() == str(world.root), found.stderr


# 5. Names that are given twice.


def test_two_figures_with_one_number(world: World) -> None:
    folder = world.root / "experiments" / "fig99_copy"
    source = (world.root / "experiments" / "fig12_alpha_beta3" / "figure.py").read_text()
    try:
        with damaged(folder / "figure.py", source):
            refused(world("plan", "--figure", "12"), "Figure 12 is defined twice")
        with damaged(folder / "figure.py", source + '\nPANEL = PANELS = "a"\n'):
            refused(world("plan", "--figure", "12"), "is defined twice")
    finally:
        shutil.rmtree(folder)


def test_two_lines_with_one_label(world: World) -> None:
    path = world.root / "experiments" / "fig12_alpha_beta3" / "figure.py"
    source = path.read_text().replace('return f"α = {alpha}"', 'return "α"')
    with damaged(path, source):
        refused(world("plan", "--figure", "12"), "two lines of panel a are called 'α'")


# 6. Devices, and a signal during a long update.


@pytest.mark.parametrize("scale", ["gpu", "paper"])
def test_no_gpu_no_training_unless_asked_for(world: World, tmp_path: Path, scale: str) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine may have a GPU")
    args = ("run", "--figure", "9", "--scale", scale, "--runs", tmp_path, "--out", tmp_path)
    refused(world(*args), "--device cpu trains on cores instead")
    refused(world(*args, "--device", "cuda"), "--device cuda was asked for")


def test_ctrl_c_is_answered_at_once(world: World, tmp_path: Path) -> None:
    """Of an update that takes long, as a paper-sized one does on a CPU."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ademamix", "train", "--size", "330M", "--steps", "64", "--scale", "smoke",
         "--set", "batch=5000", "--jobs", "1", "--runs", str(tmp_path), "--repeat-data"],
        cwd=world.root, env=world.environment, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    for _ in range(600):
        if list(tmp_path.glob("*/metrics.jsonl")):
            break
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "stopping after this update, with a checkpoint" in err
    assert "stopped; call again to go on from here" in err


# 7. Data that does not do.


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The smoke runs' corpus, far too small."""
    from ademamix.data.pysource import versions
    from ademamix.data.sets import Pysource

    folder = Pysource(packages=versions()).folder(tmp_path / "data")
    splits = {name: [text(n, 1)] for name, n in (("train", 2_000), ("validation", 600), ("reserve", 600))}
    tokens.write(folder, splits, VOCABULARY, {"kind": "test"})
    return folder


def _train(world: World, small: Path, *more: object) -> object:
    return world("train", "--scale", "smoke", "--steps", "64", "--runs", small.parent / "runs",
                 "--data", small.parent, *more)  # fmt: skip


def test_data_smaller_than_a_run_needs(world: World, small: Path) -> None:
    refused(_train(world, small, "--set", "batch=4"), "holds 124 windows of 16 tokens")
    assert not list((small.parent / "runs").glob("*/metrics.jsonl"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": None}, "dtype"),
        ({"splits": None}, "splits"),
        ({"vocabulary": "many"}, "vocabulary"),
        ({"vocabulary": 300}, "has 300 tokens, the model only 256"),
        ({"splits": {"train": [], "validation": [], "reserve": []}}, "fewer than a batch of 2"),
        ({"splits": {"train": [{"file": "train-000.bin"}]}}, "Field required"),
    ],
)
def test_a_manifest_that_lacks_something(
    world: World, small: Path, change: dict[str, object], message: str
) -> None:
    path = small / "manifest.json"
    whole = {**json.loads(path.read_text()), **change}
    path.write_text(json.dumps({k: v for k, v in whole.items() if v is not None}))
    refused(_train(world, small), message)
    assert not list((small.parent / "runs").glob("*/failure.txt"))


def test_a_shard_cut_short(world: World, small: Path) -> None:
    (small / "train-000.bin").write_bytes(b"12")
    refused(_train(world, small), "train-000.bin is missing or cut short")


def test_a_mistyped_data_folder_is_not_made(world: World, tmp_path: Path) -> None:
    refused(world.draw(tmp_path, "--data", tmp_path / "dta"), "there is no folder")
    assert not (tmp_path / "dta").exists()
    (tmp_path / "file").touch()
    refused(world.draw(tmp_path, "--data", tmp_path / "file"), "is a file; name a folder with --data DIR")


def test_a_prepared_corpus_can_be_read_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ademamix.data import pysource
    from ademamix.data.locate import ensure
    from ademamix.data.sets import Pysource

    sources = [(f"{name}.py", tmp_path / f"{name}.py") for name in "abcdefgh"]
    for name, path in sources:
        path.write_text(f"{name} = 1\n" * 100)
    monkeypatch.setattr(pysource, "sources", lambda: iter(sources))
    made = ensure(Pysource.here(), tmp_path / "data")
    mask = os.umask(0)
    os.umask(mask)
    assert made.stat().st_mode & 0o777 == 0o777 & ~mask
