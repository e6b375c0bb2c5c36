"""Training does not wait for the disk, and nothing that it does meanwhile reaches what is written."""

import time
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch

from ademamix.spec import RunSpec
from ademamix.store import Run, Store
from ademamix.training import checkpoint
from ademamix.training.job import FAILED
from ademamix.training.session import Session
from ademamix.training.trainer import Trainer
from ademamix.training.worker import work
from ademamix.training.writing import copied
from tests.hit import Worker
from tests.training.test_session import opened
from tests.training.test_training import job, same, state

CPU = torch.device("cpu")
save = checkpoint.save


class Disk:
    """Writes when it is let; counts what is being written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = Event()
        self.begun: list[int] = []
        self.ended: list[int] = []
        monkeypatch.setattr(checkpoint, "save", self.save)

    def save(self, run: Run, step: int, state: dict[str, Any]) -> None:
        assert len(self.begun) == len(self.ended)  # one at a time
        self.begun.append(step)
        assert self.free.wait(60)
        save(run, step, state)
        self.ended.append(step)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def advance(session: Session, until: int) -> None:
    while session.trainer.step < until:
        session.step()


def test_training_goes_on_while_a_checkpoint_is_written(
    disk: Disk, tmp_path: Path, data_root: Path, ademamix_spec: RunSpec
) -> None:
    """What is written is the state of its step, though training was steps ahead when it was."""
    the_job = job(ademamix_spec, keep=frozenset({5, 60}))
    with opened(the_job, tmp_path, data_root) as session:
        advance(session, 30)
        assert (disk.begun, disk.ended) == ([5], [])
        assert not session.run.checkpoint_steps()
        disk.free.set()
        advance(session, 60)
        session.finish(CPU)
        assert disk.ended == [5, 60]
    straight = tmp_path / "straight"
    assert work(the_job, straight, data_root, "cpu", 1) == 0  # the disk is free: nearly at its own step
    found, expected = state(tmp_path, ademamix_spec, 5), state(straight, ademamix_spec, 5)
    assert all(same(found[part], expected[part]) for part in ("model", "optimizer", "losses", "observer"))


def test_what_is_due_meanwhile_is_left_out(
    disk: Disk, tmp_path: Path, data_root: Path, ademamix_spec: RunSpec
) -> None:
    """Checkpoints to resume from; those that somebody wants are all written."""
    with opened(job(ademamix_spec, checkpoint_seconds=0.0), tmp_path, data_root) as session:
        advance(session, 10)
        assert disk.begun == [1]
        disk.free.set()
        while session._writer.busy:
            time.sleep(0.01)
        advance(session, 11)
    assert disk.ended == [1, 11]


def test_the_outcome_comes_last(
    disk: Disk, tmp_path: Path, data_root: Path, ademamix_spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[frozenset[int]] = []
    finish = Run.finish

    def noting(self: Run, outcome: Any) -> None:
        there.append(self.checkpoint_steps())
        finish(self, outcome)

    monkeypatch.setattr(Run, "finish", noting)
    disk.free.set()
    assert work(job(ademamix_spec, keep=frozenset({58, 60})), tmp_path, data_root, "cpu", 1) == 0
    assert there == [{58, 60}]


def test_a_stop_waits_for_its_checkpoint(
    disk: Disk, tmp_path: Path, data_root: Path, ademamix_spec: RunSpec
) -> None:
    with opened(job(ademamix_spec, keep=frozenset({3, 60})), tmp_path, data_root) as session:
        advance(session, 4)
        disk.free.set()
        session.step(stop=True)
        assert session.stopped
    assert session.run.checkpoint_steps() == {3, 5}


def test_what_goes_wrong_in_the_thread_ends_the_run(
    tmp_path: Path, data_root: Path, ademamix_spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn(*args: Any) -> None:
        raise ValueError("torn")

    monkeypatch.setattr(checkpoint, "save", torn)
    made: list[int] = []
    update = Trainer.update
    monkeypatch.setattr(Trainer, "update", lambda self, t: (made.append(t), update(self, t)))
    assert work(job(ademamix_spec, keep=frozenset({5, 10, 60})), tmp_path, data_root, "cpu", 1) == FAILED
    run = Store(tmp_path).run(ademamix_spec.id)
    assert run.failure() == "ValueError: torn"
    assert made[-1] == 10  # at the next one, not at the end
    assert not run.outcome()


def _write_the_second_one_slowly() -> None:
    signature = checkpoint.signature

    def slow(path: Path) -> Any:
        if "20.pt" in path.name:
            time.sleep(60)
        return signature(path)

    checkpoint.signature = slow


def test_killed_in_the_middle_of_a_write(tmp_path: Path, data_root: Path, ademamix_spec: RunSpec) -> None:
    """The one before is used, what was torn is removed, and no bit is another."""
    root, straight = tmp_path / "killed", tmp_path / "straight"
    the_job = job(ademamix_spec, keep=frozenset({10, 20, 60}))
    worker = Worker(the_job, root, data_root, before=_write_the_second_one_slowly)
    run = Store(root).run(ademamix_spec.id)
    worker.wait_for(30)  # training goes on
    while not list(run.checkpoints.glob(".*.tmp")):
        time.sleep(0.01)
    worker.kill()
    assert run.checkpoint_steps() == {10}
    assert list(run.checkpoints.glob(".*.tmp"))
    assert work(the_job, root, data_root, "cpu", 1) == 0
    assert work(the_job, straight, data_root, "cpu", 1) == 0
    assert same(state(root, ademamix_spec), state(straight, ademamix_spec))
    assert run.metrics() == Store(straight).run(ademamix_spec.id).metrics()
    assert not list(run.checkpoints.glob(".*.tmp"))


def test_a_copy_shares_nothing() -> None:
    one = {"a": [torch.ones(3), {"b": (torch.zeros(2), 1)}], "c": "d", "e": torch.ones(4)[::2]}
    other = copied(one)
    assert same(one, other)
    one["a"][0].add_(1)
    one["a"][1]["b"][0].add_(1)
    one["a"].append(2)
    assert other["a"][0].tolist() == [1, 1, 1]
    assert other["a"][1]["b"][0].tolist() == [0, 0]
    assert len(other["a"]) == 2
