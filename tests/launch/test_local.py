"""The launcher for this machine: every run in a process of its own."""

from dataclasses import replace
from pathlib import Path

import pytest

from ademamix.launch.local import Local
from ademamix.launch.packs import Packing
from ademamix.launch.protocol import Launched
from ademamix.owner import owning
from ademamix.spec import RunSpec
from ademamix.store import Store
from ademamix.training.job import Job
from tests.launch.contract import Contract, Make, Recorder, job


class TestLocal(Contract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda: Local(["cpu", "cpu"], 1)

    def stopping(self, running: int) -> None:
        self.events.append(("stopping", str(running)))


def test_trunks_come_before_branches(tmp_path: Path, data_root: Path, adamw_spec: RunSpec) -> None:
    display = Recorder()
    jobs = [job(adamw_spec.branch(10)), job(adamw_spec, frozenset({10}))]
    Local(["cpu", "cpu"], 1).launch(jobs, Store(tmp_path), data_root, display)
    branch, trunk = (each.spec.id for each in jobs)
    assert display.events == [("started", trunk), ("ended", trunk), ("started", branch), ("ended", branch)]


def test_runs_that_another_call_trains_come_last(
    tmp_path: Path, data_root: Path, adamw_spec: RunSpec
) -> None:
    """So that a second call, on another core, does not wait where there is something to do."""
    display, store = Recorder(), Store(tmp_path)
    jobs = [job(adamw_spec.changed(seed=seed)) for seed in range(3)]
    first = store.run(jobs[0].spec.id)
    first.folder.mkdir(parents=True)
    with owning(first.folder):  # by this process, which is alive
        Local(["cpu"], 1, packing=Packing(2)).launch(jobs, store, data_root, display)
    started = [id for event, id in display.events if event == "started"]
    assert started == [jobs[1].spec.id, jobs[2].spec.id, jobs[0].spec.id]


@pytest.mark.parametrize("members", [1, 2])
def test_a_run_that_two_calls_choose_at_the_same_moment_is_put_off_by_one(
    members: int, tmp_path: Path, data_root: Path, adamw_spec: RunSpec
) -> None:
    """Who comes second goes on with the others, and waits for it at the end."""
    store = Store(tmp_path)
    jobs = [job(adamw_spec.changed(seed=seed)) for seed in range(3)]
    first = store.run(jobs[0].spec.id)
    first.folder.mkdir(parents=True)

    class Other(Recorder):
        """The other call, which has the lock and has not said so yet; it gives up when all else is done."""

        def ended(self, job: Job, failed: bool) -> None:
            super().ended(job, failed)
            if job == jobs[2]:
                first.lock.release()

    display = Other()
    first.lock.acquire()
    done = Local(["cpu"], 1, packing=Packing(members)).launch(jobs, store, data_root, display)
    assert done == Launched()
    of_first = [event for event, id in display.events if id == jobs[0].spec.id]
    assert of_first == ["started", "put off", "started", "ended"]
    assert display.events[-2:] == [("started", jobs[0].spec.id), ("ended", jobs[0].spec.id)]
    assert all(store.run(each.spec.id).status()[0] == "finished" for each in jobs)


def test_a_failure_in_a_pack_does_not_lose_what_was_put_off(
    tmp_path: Path, data_root: Path, adamw_spec: RunSpec
) -> None:
    store = Store(tmp_path)
    jobs = [job(adamw_spec.changed(seed=seed)) for seed in range(3)]
    theirs, failing, ours = (store.run(each.spec.id) for each in jobs)
    theirs.folder.mkdir(parents=True)
    failing.metrics_path.mkdir(parents=True)  # where a file has to be

    class Other(Recorder):
        def ended(self, job: Job, failed: bool) -> None:
            super().ended(job, failed)
            if job.spec.id == ours.id:
                theirs.lock.release()

    theirs.lock.acquire()
    done = Local(["cpu"], 1, packing=Packing(3)).launch(jobs, store, data_root, Other())
    assert [each.spec.id for each in done.failed] == [failing.id]
    assert not done.pending
    assert theirs.status()[0] == ours.status()[0] == "finished"


def test_the_number_of_workers_changes_no_result(
    tmp_path: Path, data_root: Path, adamw_spec: RunSpec
) -> None:
    jobs = [job(adamw_spec.changed(seed=seed)) for seed in range(3)]
    for workers in (1, 3):
        Local(["cpu"] * workers, 1).launch(jobs, Store(tmp_path / str(workers)), data_root, Recorder())
    for j in jobs:
        one, three = (Store(tmp_path / w).run(j.spec.id).metrics() for w in ("1", "3"))
        assert one == three


def test_a_job_is_small_enough_to_send(adamw_spec: RunSpec) -> None:
    import pickle

    again = pickle.loads(pickle.dumps(replace(job(adamw_spec), until=7)))
    assert again.spec == adamw_spec
    assert again.spec.id == adamw_spec.id
