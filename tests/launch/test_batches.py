"""Runs become tasks, and tasks arrays: apart from any cluster."""

from typing import Any

from ademamix.launch.batches import generations, minutes, packed
from ademamix.launch.cluster import Cluster
from ademamix.scale import scale
from ademamix.spec import RunSpec
from tests.launch.contract import job

AT = scale("smoke")


def cluster(**fields: Any) -> Cluster:
    return Cluster(name="test", **fields)


def ids(batch: Any) -> list[list[str]]:
    return [[each.spec.id for each in task] for task in batch.tasks]


def test_generations_go_from_trunks_to_twigs(adamw_spec: RunSpec) -> None:
    branch = adamw_spec.branch(10)
    specs = [branch.branch(20), adamw_spec.changed(seed=1), branch, adamw_spec]
    found = [[each.spec for each in g] for g in generations([job(spec) for spec in specs])]
    assert found == [[specs[1], adamw_spec], [branch], [specs[0]]]


def test_short_runs_share_a_task_and_tasks_an_array(adamw_spec: RunSpec) -> None:
    jobs = [job(adamw_spec.changed(seed=seed)) for seed in range(7)]
    each = minutes(jobs[0], AT)
    at_once = AT.model_copy(
        update={"machine": AT.machine.model_copy(update={"peak_flops": AT.machine.peak_flops * each})}
    )  # on which each of them takes a minute
    assert round(minutes(jobs[0], at_once), 6) == 1
    [batch] = packed(jobs, at_once, cluster(pack_minutes=3), {}, room=100)
    assert [len(task) for task in batch.tasks] == [3, 3, 1]
    assert [id for task in ids(batch) for id in task] == [each.spec.id for each in jobs]
    [batch] = packed(jobs, at_once, cluster(pack_minutes=0), {}, room=100)
    assert [len(task) for task in batch.tasks] == [1] * 7
    several = packed(jobs, at_once, cluster(pack_minutes=0, array=3), {}, room=100)
    assert [len(batch.tasks) for batch in several] == [3, 3, 1]
    [batch] = packed(jobs, at_once, cluster(pack_minutes=2), {}, room=2)
    assert [len(task) for task in batch.tasks] == [2, 2]  # the rest waits until there is room


def test_tasks_of_an_array_have_one_shape_and_wait_for_one_task(adamw_spec: RunSpec) -> None:
    trunks = [adamw_spec.changed(seed=seed) for seed in (0, 1, 2)]
    jobs = [job(trunk.branch(10, inject=n)) for trunk in trunks for n in (0, 1)]
    wide = adamw_spec.changed(model=AT.models["1.3B"])
    sizes = {"1.3B": {"cpus": 4}}
    where = {trunks[0].id: "7_0", trunks[1].id: "7_1"}  # the third is in the store
    found = packed([*jobs, job(wide)], AT, cluster(pack_minutes=0, sizes=sizes), where, room=100)
    assert [(b.after, len(b.tasks), b.shape.cpus) for b in found] == [
        ("7_0", 2, 1),
        ("7_1", 2, 1),
        (None, 2, 1),
        (None, 1, 4),
    ]
