"""`ademamix data` as a user meets it: what is made is said, mistakes are one line before training."""

import json
from pathlib import Path

import click
import numpy as np
import pytest

from ademamix.checkout import checkout
from ademamix.cli import cli
from ademamix.cli.pipeline import refuse_unfit_data
from ademamix.data.sets import TokenFolder
from ademamix.data.tokens import Tokens
from ademamix.errors import UserError
from ademamix.plan import Wanted, entries
from ademamix.scale import scale
from ademamix.store import Outcome, Store
from ademamix.tasks import LanguageRun
from ademamix.training.job import job_of


def data(*args: object) -> None:
    cli.main(["data", *map(str, args)], prog_name="ademamix", standalone_mode=False)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "text").mkdir()
    for n in range(300):
        (tmp_path / "text" / f"{n}.txt").write_text(f"text {n}, " + "and more of it. " * 20)
    return tmp_path / "text"


@pytest.fixture
def prepared(tmp_path: Path, text: Path) -> Path:
    data("prepare", "text", "--files", text, "--set", "mine", "--root", tmp_path / "data", "--jobs", 1)
    return tmp_path / "data"


def test_what_was_made_is_said_listed_and_checked(prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data("prepare", "text", "--files", prepared.parent / "text", "--set", "mine", "--root", prepared)
    made = capsys.readouterr().out.replace("complete already", "made")
    digest = Tokens(prepared / "mine").digest
    assert made.startswith(f"made: {prepared}/mine: ")
    assert digest in made
    data("check", "--root", prepared, "mine")
    assert capsys.readouterr().out == made.replace("made:", "right:", 1)
    data("list", "--root", prepared, "--json")
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["set"], found["digest"], found["tokenizer"]) == ("mine", digest, "bytes")
    data("list", "--root", prepared)
    assert "mine" in capsys.readouterr().out


def test_the_name_of_a_set_says_what_it_is_made_of(tmp_path: Path, text: Path) -> None:
    data("prepare", "text", "--files", text, "--root", tmp_path / "data", "--jobs", 1)
    assert (tmp_path / "data" / "text-bytes" / "manifest.json").exists()


def test_a_set_in_the_making_is_listed(
    tmp_path: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (text / "broken.json").write_text("{")
    with pytest.raises(UserError, match="1 of 301 files cannot be read"):
        data("prepare", "text", "--files", text, "--set", "mine", "--root", tmp_path / "data", "--jobs", 1)
    data("list", "--root", tmp_path / "data", "--json")
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["set"], found["state"]) == ("mine", "stopped, 1 of 1 parts")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["prepare", "text", "--files", "nowhere"], "no file or folder nowhere"),
        (["prepare", "text", "--files", "docs", "--set", "../x"], "no name for a set"),
        (["prepare", "text", "--files", "docs", "--tokenizer", "gpt5"], "no tokenizer 'gpt5'"),
        (["prepare", "redpajama-v2", "--snapshot", "1", "--from", "/nowhere"], "listing .* cannot be read"),
        (["prepare", "fineweb", "--from", "/nowhere"], "no folder /nowhere/sample/10BT"),
        (["check", "nothing"], "no token folder at"),
        (["tokenizer", "--files", ".", "x.txt"], "end its name in .model for SentencePiece"),
        (["import", "--set", "x", "--train", "a", "--validation", "b"], "a cannot be read"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_mistakes_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], message: str
) -> None:
    monkeypatch.setenv("ADEMAMIX_DATA", str(tmp_path))
    monkeypatch.chdir(checkout())
    with pytest.raises(UserError, match=message) as caught:
        data(*args)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.arange(5_000, dtype=np.uint16).tofile(tmp_path / "train.bin")
    np.arange(500, dtype=np.uint16).tofile(tmp_path / "val.bin")
    files = ("--train", tmp_path / "train.bin", "--validation", tmp_path / "val.bin")
    data("import", *files, "--set", "gpt2", "--root", tmp_path)
    assert "4,950 train, 500 validation, 50 reserve tokens of 50,257" in capsys.readouterr().out
    with pytest.raises(click.UsageError, match="name"):
        data("import", *files, "--root", tmp_path)


def planned(spec: LanguageRun, store: Store) -> tuple:
    runs = {spec.id: Wanted(spec, 10)}
    found = entries(runs, runs, store)
    return found, [job_of(entry, scale("smoke")) for entry in found]


@pytest.fixture
def mine(adamw_spec: LanguageRun) -> LanguageRun:
    wide = adamw_spec.model.model_copy(update={"vocabulary": 256})
    return adamw_spec.changed(data=TokenFolder(set="mine"), model=wide)


def test_data_that_does_not_fit_is_refused_before_training(
    tmp_path: Path, prepared: Path, mine: LanguageRun, adamw_spec: LanguageRun
) -> None:
    store = Store(tmp_path / "runs")
    refuse_unfit_data(*planned(mine, store), store, prepared, False)
    small = adamw_spec.changed(data=TokenFolder(set="mine"))
    with pytest.raises(UserError, match=r"256 tokens, the model only 32: --set model\.vocabulary=256"):
        refuse_unfit_data(*planned(small, store), store, prepared, False)
    with pytest.raises(UserError, match="windows of 16 tokens, fewer than a batch of 100000"):
        refuse_unfit_data(*planned(mine.changed(batch=100_000), store), store, prepared, False)
    with pytest.raises(UserError, match=r"no token folder .*yours.*ademamix data prepare"):
        refuse_unfit_data(
            *planned(mine.changed(data=TokenFolder(set="yours")), store), store, prepared, False
        )
    shard = prepared / "mine" / "train-00000.bin"
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    with pytest.raises(UserError, match=r"train-00000\.bin does not hold what"):
        refuse_unfit_data(*planned(mine, store), store, prepared, False)


def test_other_text_under_an_old_name_is_refused(tmp_path: Path, prepared: Path, mine: LanguageRun) -> None:
    store = Store(tmp_path / "runs")
    store.open()
    run = store.run(mine.id)
    run.begin(mine)
    run.finish(Outcome("finished", 10, {}, 1.0, {"data": Tokens(prepared / "mine").digest}))
    both = planned(mine, store)[0] + planned(mine.changed(seed=1), store)[0]
    jobs = planned(mine.changed(seed=1), store)[1]
    refuse_unfit_data(both, jobs, store, prepared, False)
    run.finish(Outcome("finished", 10, {}, 1.0, {"data": "another"}))
    with pytest.raises(UserError, match=r"trained on other text than text 'mine' holds now \(another, not"):
        refuse_unfit_data(both, jobs, store, prepared, False)
