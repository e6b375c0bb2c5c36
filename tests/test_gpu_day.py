"""The hour on one GPU, rehearsed: what is done stays done, what fails is noted, results are carried on."""

import csv
import json
import signal
import tarfile
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from ademamix.checkout import checkout
from ademamix.files import read_yaml
from ademamix.scale import read_scale, scale
from ademamix.sweeps.evidence import FIELDS, chosen
from ademamix.training.stop import Stop
from benchmarks import gpu_day, tuned
from benchmarks.steps import Ledger, Step


def python(name: str, code: str, **more: object) -> Step:
    return Step(name, ["-c", code], **more)  # type: ignore[arg-type]


def test_a_step_is_done_once_and_a_failure_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "count"
    count = python("count", f"open({str(path)!r}, 'a').write('x')")
    broken = python("broken", "print('a reason'); 1 / 0")
    for _ in range(2):
        ledger = Ledger(tmp_path, 5, Stop())
        assert all(map(ledger.carry_out, [count, broken]))
    assert path.read_text() == "x"
    assert ledger.state("count") == "done"
    found = json.loads((tmp_path / "state.json").read_text())["broken"]
    assert (found["state"], found["why"]) == ("failed", "exit code 1")
    assert found["last"][0] == "a reason"
    assert found["last"][-1].startswith("ZeroDivisionError")
    ledger.forget_failures()
    assert ledger.state("broken") is None


def test_a_step_is_stopped_in_time_and_goes_on(tmp_path: Path) -> None:
    """By SIGTERM, which what trains answers with a checkpoint."""
    long = python("long", "import time; time.sleep(60)", resumes=True)
    ledger = Ledger(tmp_path, 0.03, Stop())
    start = time.monotonic()
    assert not ledger.carry_out(long)
    assert time.monotonic() - start < 30
    assert ledger.state("long") == "stopped"
    assert not Ledger(tmp_path, 0, Stop()).carry_out(long)  # no time at all: nothing begins
    assert Ledger(tmp_path, 1, Stop()).carry_out(python("long", "pass", resumes=True))
    assert Ledger(tmp_path, 1, Stop()).state("long") == "done"


def test_what_cannot_be_continued_begins_only_with_time_enough(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, 1, Stop())
    assert ledger.carry_out(python("first", "pass", minutes=5))  # of a call, whatever it may need
    assert not ledger.carry_out(python("second", "pass", minutes=5))
    assert ledger.state("second") is None
    slow = python("slow", "import time; time.sleep(60)", minutes=0.01)
    assert not Ledger(tmp_path, 0.03, Stop()).carry_out(slow)
    assert Ledger(tmp_path, 1, Stop()).known["slow"]["why"] == "it took longer than there was time"


def test_a_signal_stops_the_day(tmp_path: Path) -> None:
    stop = Stop()
    threading.Timer(0.5, stop.note, [signal.SIGINT]).start()
    ledger = Ledger(tmp_path, 5, stop)
    assert not ledger.carry_out(python("long", "import time; time.sleep(60)"))
    assert ledger.state("long") == "stopped"
    assert not ledger.carry_out(python("next", "pass"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A scale file as the day begins with one."""
    path = tmp_path / "gpu-day.yaml"
    tuned.begin(path, checkout() / "configs" / "scales" / "gpu.yaml")
    return path


def try_rates(path: Path, losses: dict[str, dict[float, float]]) -> None:
    """As if a sweep had tried them."""
    new = not tuned.trials(path).exists()
    with tuned.trials(path).open("a", newline="") as out:
        writer = csv.writer(out)
        if new:
            writer.writerow(FIELDS)
        for kind, found in losses.items():
            for lr, loss in found.items():
                writer.writerow(
                    ["gpu-day", "110M", kind, 100, f"optimizer.lr={lr:g}", 9, loss, f"{kind[:6]}{lr:g}"]
                )


def test_rates_are_tuned_until_the_best_are_bracketed(file: Path) -> None:
    first = [1e-3, 2e-3, 4e-3]
    assert tuned.wider(file, "110M", first) == first
    try_rates(file, {"adamw": dict(zip(first, (1.5, 1.4, 1.6), strict=True))})
    assert tuned.wider(file, "110M", first) == first  # of AdEMAMix there are none yet
    try_rates(file, {"ademamix": dict(zip(first, (1.2, 1.3, 1.4), strict=True))})
    assert tuned.wider(file, "110M", first) == [5e-4, 7.1e-4]
    tuned.settle(file, "110M")
    assert "edge" in read_yaml(file)["unsettled"]["110M"]
    try_rates(file, {"adamw": {5e-4: 1.8, 7.1e-4: 1.7}, "ademamix": {5e-4: 1.5, 7.1e-4: 1.3}})
    assert tuned.wider(file, "110M", first) == []
    tuned.settle(file, "110M")
    at = read_scale(file)
    # At 1e-3 AdamW loses 0.1 and AdEMAMix nothing; at 2e-3 it is the other way round.
    assert at.lr["110M"] == {"adamw": 2e-3, "ademamix": 1e-3, "shared": 1e-3}
    assert "110M" not in at.unsettled
    assert not any(rate.open for rate in chosen(at, tuned.trials(file)))


def test_the_days_scale_is_that_of_gpu(file: Path) -> None:
    """But for its name: figures do as much as at gpu."""
    at, gpu = read_scale(file), scale("gpu")
    assert at.model_copy(update={"name": gpu.name, "order": gpu.order, "like": ""}) == gpu
    assert at.like == "gpu"


def test_figures_come_in_the_order_of_their_value() -> None:
    found = gpu_day.figures(scale("gpu"))
    assert list(found)[:5] == ["1", "12", "4", "9", "5"]
    assert set(found["1"]) >= {"110M", "330M", "1.3B"}
    assert found["24"] == ["6-layer"]
    assert found["6"] == []
    assert not {"2", "7", "23"} & found.keys()


def test_tests_of_the_day_are_there() -> None:
    for name in gpu_day.GPU_TESTS:
        path, _, function = name.partition("::")
        assert f"def {function}(" in (checkout() / path).read_text() or not function


def test_a_rehearsal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At smoke, packed: a figure is tuned, trained, drawn and recorded; another machine goes on from that."""
    steps = [python("fails", "raise SystemExit(3)"), python("passes", "pass")]
    monkeypatch.setattr(gpu_day, "measurements", lambda at, of: iter(steps))
    monkeypatch.setattr(gpu_day, "ROUNDS", 1)
    asked = ["--device", "cpu", "--scale", "smoke", "--quick", "--pack", "4", "--figure", "9"]
    asked += ["--rates", "3e-3,6e-3", "--minutes", "9", "--data", str(tmp_path / "data")]
    out = tmp_path / "day"
    done = CliRunner().invoke(gpu_day.main, [*asked, "--out", str(out)], catch_exceptions=False)
    state = json.loads((out / "state.json").read_text())
    assert done.exit_code == 0, done.output
    assert state["fails"]["why"] == "exit code 3"
    assert state["figure-9"]["state"] == state["rates-110M"]["state"] == "done", state
    figures = out / "figures" / "gpu-day"
    assert (figures / "figure-09.csv").exists()
    records = {path.name for path in (figures / "records").glob("*.json.gz")}
    assert len(records) == 4
    with tarfile.open(out / gpu_day.ARCHIVE) as packed:
        names = packed.getnames()
    assert "figures/gpu-day/figure-09.png" in names
    assert not [name for name in names if name.endswith((".svg", ".pdf", ".pt"))]

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / gpu_day.ARCHIVE).write_bytes((out / gpu_day.ARCHIVE).read_bytes())
    again = CliRunner().invoke(gpu_day.main, [*asked, "--out", str(elsewhere)], catch_exceptions=False)
    assert "figure-9: begins" not in again.output
    assert {path.parent.name for path in (tmp_path / "elsewhere-runs").glob("*/outcome.json")} == {
        name.partition(".")[0] for name in records
    }
