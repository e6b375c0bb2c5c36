"""The verb as users meet it: a search that is killed, trials that a figure has trained, mistakes."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from ademamix import owner
from ademamix.checkout import checkout
from ademamix.cli import cli as verbs
from ademamix.errors import UserError
from ademamix.records import load_record
from ademamix.scale import scale
from ademamix.store import Store
from ademamix.sweeps import outcomes
from ademamix.sweeps.controller import Controller
from ademamix.sweeps.definition import read_file
from ademamix.sweeps.space import space
from analysis.sweeps import Results
from experiments import registry
from tests.command_line import cli

TRIALS = 50
SEARCH = ["sweep", "--search", "tpe", "--trials", str(TRIALS), "--set", "optimizer.lr=log(1e-4,1e-1)",
          "--set", "optimizer.alpha=1,2,4,8", "--horizon", "8000", "--scale", "smoke", "--name", "killed",
          "--jobs", "4"]  # fmt: skip


def _wait(until, seconds: float = 600) -> object:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not (found := until()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)
    return found


def _some_worker(store: Store) -> int | None:
    """The process of a worker that trains."""
    for run in store.runs():
        if (found := owner.of(run.folder)) and not run.outcome():
            return found.process
    return None


def test_fifty_trials_by_four_workers_one_killed_and_the_controller_too(tmp_path: Path) -> None:
    """Nothing is lost, and nothing is trained twice."""
    pytest.importorskip("optuna")
    places = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    store = Store(tmp_path / "runs")

    def done() -> dict[str, int]:
        ends = (run.folder / "outcome.json" for run in store.runs())
        return {end.parent.name: end.stat().st_mtime_ns for end in ends if end.exists()}

    first = subprocess.Popen([sys.executable, "-m", "ademamix", *SEARCH, *places], cwd=checkout(),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        _wait(lambda: len(done()) >= 5)
        os.kill(int(str(_wait(lambda: _some_worker(store)))), signal.SIGKILL)
        killed = _wait(lambda: next((run.id for run in store.runs() if "signal 9" in run.failure()), ""))
        _wait(lambda: len(done()) >= 12)
    finally:
        first.kill()
        first.wait()
    before = done()
    assert killed not in before
    assert len(before) < TRIALS
    second = cli(*SEARCH, *places, timeout=1200)
    assert second.returncode == 0, second.stderr
    after = done()
    assert len(after) == len(list(store.runs())) == TRIALS
    assert killed in after
    assert before.items() <= after.items()  # complete runs were not touched
    for run in store.runs():
        steps = [row["step"] for row in run.metrics()]
        assert steps == sorted(set(steps))  # no step is logged twice
    with (tmp_path / "out" / "smoke" / "sweeps" / "killed" / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["run"] for row in rows} == set(after)
    assert {row["status"] for row in rows} == {"finished"}
    plan = json.loads(_called("sweep", "plan", *SEARCH[1:-2], *places, "--json"))
    assert [run["done"] for run in plan["runs"]] == [True] * TRIALS
    assert plan["undecided"] == 0


def test_the_papers_search_for_lion_is_what_figure_32_has_trained(tmp_path: Path) -> None:
    """With its records in the store, Table 8 at `cpu` is complete, and ends where the figure did."""
    at = scale("cpu")
    store, places = Store(tmp_path), ["--scale", at.name, "--runs", str(tmp_path), "--out", str(tmp_path)]
    store.open()
    (figure,) = registry.named("32")
    records = checkout() / "figures" / at.name / "records"
    for id in {need.run.id for need in figure.needs(at)}:
        if (records / f"{id}.json.gz").exists():
            load_record(records / f"{id}.json.gz", store)
    source = str(checkout() / "configs" / "sweeps" / "table-8-lion.yaml")
    plan = json.loads(_called("sweep", "plan", source, "--json", *places))
    assert plan["undecided"] == 0
    assert len(plan["runs"]) == 16
    assert all(run["done"] for run in plan["runs"])
    assert all(set(run["figures"]) == {"32", "sweep table-8-lion"} for run in plan["runs"])
    found = space(read_file(Path(source)), at)
    controller = Controller(found, store)
    assert controller.next(free=2) == []
    best = Results(list(outcomes.rows(found, store, controller.points))).best
    assert best is not None
    assert best.setting.items() >= {"optimizer.lr": 2e-4, "optimizer.weight_decay": 0.01}.items()
    assert best.mean == pytest.approx(1.5772, abs=1e-4)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "say what to try: a FILE.yaml, or --set KEY=VALUES"),
        (["run"], "say what to try: a FILE.yaml, or --set KEY=VALUES"),
        (["absent.yaml"], "no file absent.yaml, and no sweep of that name"),
        (["--set", "optimizer.alhpa=2"], "did you mean 'alpha'"),
        (["--set", "optimizer.alpha=2", "--seeds", "a"], "--seeds takes numbers"),
        (["--set", "optimizer.alpha=2", "--scale", "cpuu"], "did you mean 'cpu'?"),
        (["report", "absent"], "no sweep of that name"),
    ],
)
def test_mistakes(args: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as problem:
        _called("sweep", *args, "--runs", str(tmp_path), "--out", str(tmp_path))
    assert message in str(problem.value)
    assert "\n" not in str(problem.value)


def test_help_says_what_there_is() -> None:
    assert "Without a sub-command, `run` is meant." in _called("sweep", "--help")
    assert "--paper-units" in _called("sweep", "run", "--help")


def _called(*args: str) -> str:
    """What the command line prints, called in this process."""
    done = CliRunner().invoke(verbs, args, standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.stdout
