"""The launcher: every run in a process of its own, trunks first, failures contained."""

from dataclasses import replace
from pathlib import Path

from ademamix.launch.local import Local
from ademamix.spec import Fork, RunSpec, override
from ademamix.store import Store
from ademamix.training.job import Job


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

    def stopping(self, running: int) -> None:
        self.events.append(("stopping", str(running)))


def job(spec: RunSpec, keep: frozenset[int] = frozenset()) -> Job:
    return Job(spec, until=30, keep=keep, forks={}, observe={}, log_every=10, checkpoint_seconds=60)


def test_trunks_before_branches_and_failures_contained(
    tmp_path: Path, data_root: Path, adamw_spec: RunSpec
) -> None:
    trunk = adamw_spec
    branch = trunk.changed(fork=Fork(parent=trunk, step=10))
    broken = override(trunk, ["data.set=absent"])
    of_broken = broken.changed(fork=Fork(parent=broken, step=10))
    jobs = [job(of_broken), job(branch), job(broken, frozenset({10})), job(trunk, frozenset({10}))]
    display = Recorder()
    store = Store(tmp_path)
    done = Local(["cpu", "cpu"], 1).launch(jobs, store, data_root, display)
    assert done.exit_code == 0
    assert {j.spec.id for j in done.failed} == {broken.id, of_broken.id}
    assert display.events.index(("ended", trunk.id)) < display.events.index(("started", branch.id))
    assert ("skipped", of_broken.id) in display.events
    assert "no data" in store.run(broken.id).failure_path.read_text()
    for finished in (trunk, branch):
        assert store.run(finished.id).status()[0] == "finished"
    assert store.run(trunk.id).checkpoint_steps() == {10}


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
