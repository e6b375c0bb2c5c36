"""What every launcher does, whatever runs its jobs: a suite that local, Slurm and a made scheduler pass."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ademamix.launch.protocol import Launched, Launcher
from ademamix.spec import RunSpec, override
from ademamix.store import Store
from ademamix.training.job import Job

Make = Callable[[], Launcher]


class Recorder:
    """A display that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def started(self, job: Job) -> None:
        self.events.append(("started", job.spec.id))

    def tick(self) -> None:
        pass

    def ended(self, job: Job, failed: bool) -> None:
        self.events.append(("failed" if failed else "ended", job.spec.id))

    def skipped(self, job: Job) -> None:
        self.events.append(("skipped", job.spec.id))

    def put_off(self, job: Job) -> None:
        self.events.append(("put off", job.spec.id))


def job(spec: RunSpec, keep: frozenset[int] = frozenset()) -> Job:
    return Job(spec, until=30, keep=keep, forks={}, observe={}, log_every=10, checkpoint_seconds=60)


def ids(jobs: Sequence[Job]) -> set[str]:
    return {each.spec.id for each in jobs}


def launched(
    launcher: Launcher, jobs: Sequence[Job], root: Path, data_root: Path
) -> tuple[Launched, Recorder]:
    display = Recorder()
    store = Store(root)
    store.open()
    return launcher.launch(jobs, store, data_root, display), display


class Contract:
    """Subclasses give a fixture `make`: a launcher that stays until its jobs are done.

    `rounding`: how far losses may be from those of separate runs in this process, relative.
    """

    rounding = 0.0

    def test_failures_are_contained_and_results_are_everywhere_the_same(
        self, make: Make, tmp_path: Path, data_root: Path, adamw_spec: RunSpec
    ) -> None:
        trunk = adamw_spec
        branch = trunk.branch(10)
        broken = override(trunk, ["data.set=absent"])
        of_broken = broken.branch(10)
        wild = override(trunk, ["optimizer.lr=1e38", "clipping=null", "schedule.warmup=null"])
        kept = frozenset({10})
        jobs = [job(of_broken), job(branch), job(broken, kept), job(trunk, kept), job(wild)]
        done, display = launched(make(), jobs, tmp_path, data_root)
        store = Store(tmp_path)
        assert done.exit_code == 0
        assert not done.pending
        assert ids(done.failed) == {broken.id, of_broken.id}
        assert "token folder" in store.run(broken.id).failure_path.read_text()
        assert ("failed", broken.id) in display.events
        assert ("skipped", of_broken.id) in display.events
        assert {("ended", spec.id) for spec in (trunk, branch, wild)} <= set(display.events)
        assert store.run(wild.id).status()[0] == "diverged"  # a result, as any
        assert store.run(trunk.id).checkpoint_steps() == kept
        for spec in (trunk, branch):
            assert store.run(spec.id).status()[0] == "finished"
            losses = [row["loss"] for row in store.run(spec.id).metrics()]
            assert losses == pytest.approx(in_process(spec, data_root, tmp_path), rel=self.rounding, abs=0)

    def test_what_is_done_is_not_done_again_and_a_file_holds_a_run(
        self, make: Make, tmp_path: Path, data_root: Path, adamw_spec: RunSpec
    ) -> None:
        held, free = adamw_spec.changed(seed=1), adamw_spec.changed(seed=2)
        branch = held.branch(10)
        kept = frozenset({10})
        jobs = [job(held, kept), job(branch), job(free)]
        store = Store(tmp_path)
        store.run(held.id).folder.mkdir(parents=True)
        store.run(held.id).stop_path.touch()
        done, _ = launched(make(), jobs, tmp_path, data_root)
        assert (done.failed, done.exit_code) == ((), 0)
        assert ids(done.pending) == {held.id, branch.id}
        before = os.stat(store.run(free.id).metrics_path).st_mtime_ns
        store.run(held.id).stop_path.unlink()
        done, _ = launched(make(), [replace(each) for each in jobs], tmp_path, data_root)
        assert done == Launched()
        assert os.stat(store.run(free.id).metrics_path).st_mtime_ns == before
        assert store.run(branch.id).status()[0] == "finished"


def in_process(spec: RunSpec, data_root: Path, scratch: Path) -> list[float | None]:
    """The losses of a run, and of what it branches from, trained here."""
    from ademamix.training.worker import work

    root = scratch / "in process"
    if spec.fork:
        in_process(spec.fork.parent, data_root, scratch)
    assert work(job(spec, frozenset({10})), root, data_root, "cpu", 1) == 0
    return [row["loss"] for row in Store(root).run(spec.id).metrics()]
