"""A trial that went through halvings is the run that it would have been without."""

from pathlib import Path

from ademamix.launch.schedule import Schedule
from ademamix.quantities import ValidationLoss
from ademamix.spec import RunSpec
from ademamix.store import Store
from ademamix.training.job import Job
from ademamix.training.worker import work

LOSS = ValidationLoss(windows=2)


def job(spec: RunSpec, until: int, keep: frozenset[int] = frozenset()) -> Job:
    observe = {LOSS: frozenset(step for step in (20, 40, 60) if step <= until)}
    return Job(spec, until, keep, {}, observe, log_every=10, checkpoint_seconds=60)


def test_halves_join_without_a_seam(tmp_path: Path, data_root: Path, ademamix_spec: RunSpec) -> None:
    halved, whole = Store(tmp_path / "halved"), Store(tmp_path / "whole")
    assert work(job(ademamix_spec, 20, frozenset({20})), halved.root, data_root, "cpu", 1) == 0
    run = halved.run(ademamix_spec.id)
    written = run.checkpoint_path(20).stat().st_mtime_ns
    first = run.metrics()
    assert work(job(ademamix_spec, 40, frozenset({20, 40})), halved.root, data_root, "cpu", 1) == 0
    assert run.checkpoint_path(20).stat().st_mtime_ns == written  # it went on from there
    assert run.metrics()[: len(first)] == first
    assert work(job(ademamix_spec, 60), halved.root, data_root, "cpu", 1) == 0
    assert work(job(ademamix_spec, 60), whole.root, data_root, "cpu", 1) == 0
    assert run.metrics() == whole.run(ademamix_spec.id).metrics()
    outcome = run.outcome()
    assert outcome is not None
    assert outcome.step == 60
    assert not run.checkpoint_steps()


def test_jobs_can_be_added_to_a_schedule(adamw_spec: RunSpec) -> None:
    """What failed or is done may come again; what is under way stays as it is."""
    one, two, three = (job(adamw_spec.changed(seed=seed), 20) for seed in range(3))
    schedule = Schedule([one])
    assert schedule.take() == one
    schedule.add([one, two, three])
    assert schedule.take() == two
    schedule.succeeded(one)
    assert list(schedule.fail(two)) == []
    assert schedule.failed == (two,)
    schedule.add([job(one.spec, 40), two])
    assert schedule.failed == ()
    assert [schedule.take(), schedule.take(), schedule.take()] == [job(one.spec, 40), two, three]
    assert schedule.take() is None
    assert {j.spec.seed for j in schedule.pending} == {0, 1, 2}
