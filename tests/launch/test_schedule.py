"""Which job may start next, apart from any process."""

from ademamix.launch.schedule import Schedule
from ademamix.spec import RunSpec
from ademamix.training.job import Job


def job(spec: RunSpec) -> Job:
    return Job(spec, 60, frozenset(), {}, {}, 10, 60.0)


def ids(jobs: object) -> list[str]:
    return [j.spec.id for j in jobs]  # type: ignore[attr-defined]


def test_trunks_come_first_and_the_order_of_preference_holds(adamw_spec: RunSpec) -> None:
    other = adamw_spec.changed(seed=1)
    branch = adamw_spec.branch(20)
    schedule = Schedule([job(branch), job(other), job(adamw_spec)])
    taken = [schedule.take(), schedule.take(), schedule.take()]
    assert ids(taken[:2]) == [other.id, adamw_spec.id]
    assert taken[2] is None  # the branch waits
    schedule.succeeded(taken[1])  # type: ignore[arg-type]
    assert ids([schedule.take()]) == [branch.id]
    assert ids(schedule.pending) == [branch.id, other.id]


def test_what_branches_from_a_failure_fails_with_it(adamw_spec: RunSpec) -> None:
    branch = adamw_spec.branch(20)
    twig = branch.branch(40)
    lone = adamw_spec.changed(seed=1)
    schedule = Schedule([job(s) for s in (adamw_spec, branch, twig, lone)])
    trunk = schedule.take()
    assert trunk is not None
    assert ids(schedule.fail(trunk)) == [branch.id, twig.id]
    assert ids(schedule.failed) == [adamw_spec.id, branch.id, twig.id]
    assert ids([schedule.take()]) == [lone.id]
    assert schedule.take() is None


def test_a_branch_without_its_trunk_among_the_jobs_is_free(adamw_spec: RunSpec) -> None:
    assert ids([Schedule([job(adamw_spec.branch(20))]).take()]) == [adamw_spec.branch(20).id]
