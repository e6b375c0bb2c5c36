"""Sweeps through the cluster's launcher, with a made scheduler in Slurm's place."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ademamix.checkout import checkout
from ademamix.cli import cli
from ademamix.launch import sbatch
from ademamix.store import Store
from tests.launch.fake_scheduler import FakeScheduler

ONE_NODE = str(checkout() / "configs" / "clusters" / "one-node.yaml")
SWEEP = ["sweep", "--set", "optimizer.lr=log(1e-3,1e-1)", "--horizon", "8000", "--scale", "smoke",
         "--seeds", "100", "--name", "sent", "--cluster", ONE_NODE]  # fmt: skip
DRAWN = ["--search", "tpe", "--trials", "6", "--jobs", "2"]
GRID = ["--set", "optimizer.lr=1e-3,3e-3,1e-2"]


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> FakeScheduler:
    found = FakeScheduler()
    monkeypatch.setattr(sbatch, "Slurm", lambda cluster: found)
    monkeypatch.setattr(sbatch, "here", lambda: True)
    return found


def sweep(tmp_path: Path, *args: str) -> Result:
    places = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    return CliRunner().invoke(cli, [*SWEEP, *places, *args])


def ended(tmp_path: Path) -> set[str]:
    return {run.id for run in Store(tmp_path / "runs").runs() if run.outcome()}


def trials(tmp_path: Path) -> list[str]:
    return (tmp_path / "out" / "smoke" / "sweeps" / "sent" / "trials.csv").read_text().splitlines()[1:]


def test_a_grid_is_sent_once_and_reported_when_it_is_done(tmp_path: Path, scheduler: FakeScheduler) -> None:
    first = sweep(tmp_path, *GRID)
    assert first.exit_code == 0, first.output
    assert sum(len(task) for order in scheduler.orders for task in order.batch.tasks) == 3
    sent = len(scheduler.orders)
    assert sweep(tmp_path, *GRID).exit_code == 0
    assert len(scheduler.orders) == sent
    scheduler.finish()
    assert sweep(tmp_path, *GRID).exit_code == 0
    assert len(ended(tmp_path)) == 3
    assert [line.count("finished") for line in trials(tmp_path)] == [1, 1, 1]


def test_who_waits_is_fed_with_draws(tmp_path: Path, scheduler: FakeScheduler) -> None:
    pytest.importorskip("optuna")
    done = sweep(tmp_path, *DRAWN, "--wait")
    assert done.exit_code == 0, done.output
    assert len(ended(tmp_path)) == len(trials(tmp_path)) == 6
    assert max(len(order.batch.tasks) for order in scheduler.orders) <= 2


def test_draws_in_the_queue_are_known_to_the_next_call(tmp_path: Path, scheduler: FakeScheduler) -> None:
    pytest.importorskip("optuna")
    for calls in range(1, 4):
        scheduler.slots = 0  # nothing begins
        for _ in range(2):  # the second one finds them in the queue
            done = sweep(tmp_path, *DRAWN)
            assert done.exit_code == 0, done.output
            assert len(list(Store(tmp_path / "runs").runs())) == 2 * calls
        scheduler.slots = 2
        scheduler.finish()
    assert sweep(tmp_path, *DRAWN).exit_code == 0
    assert len(ended(tmp_path)) == 6


def test_a_dry_run_sends_nothing(tmp_path: Path, scheduler: FakeScheduler) -> None:
    done = sweep(tmp_path, *GRID, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "#SBATCH" in done.output
    assert not scheduler.orders
    assert not list(tmp_path.iterdir())
