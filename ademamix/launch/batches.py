"""Jobs → what a cluster is sent: runs packed into tasks, and tasks of equal shape into arrays. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ademamix.launch.cluster import Cluster, Resources
from ademamix.plan import after_trunks, hours
from ademamix.scale import Scale
from ademamix.training.job import Job

Task = tuple[Job, ...]  # runs that one task trains in turn


@dataclass(frozen=True)
class Batch:
    """Tasks of one shape, sent at once: an array, or a single job.

    Attributes:
        shape: what each of the tasks asks for.
        after: the task that has to succeed before any of these starts (None: they are free).
        tasks: the runs of each task, in turn.
    """

    shape: Resources
    after: str | None
    tasks: tuple[Task, ...]


def generations(jobs: Sequence[Job]) -> Iterator[tuple[Job, ...]]:
    """Jobs whose trunks are not among `jobs`, then the branches of those, and so on."""
    order = after_trunks(job.spec for job in jobs)
    order.prepare()
    while order.is_active():
        ready = set(order.get_ready())
        yield tuple(job for job in jobs if job.spec.id in ready)
        order.done(*ready)


def minutes(job: Job, at: Scale, ranks: int = 1) -> float:
    """How long a run is estimated to take."""
    steps = job.until - job.first_step
    return 60 * hours(steps * job.spec.flops_per_step, at) / ranks


def packed(
    jobs: Iterable[Job], at: Scale, cluster: Cluster, task_of: Mapping[str, str], room: int
) -> list[Batch]:
    """One generation of jobs as batches, `room` tasks at most, in the order of preference.

    `task_of`: run → the task in the queue that will have trained it.
    """
    open_tasks: dict[tuple[str, str | None], list[list[Job]]] = {}
    filled: dict[tuple[str, str | None], float] = {}
    shapes: dict[str, Resources] = {}
    count = 0
    for job, shape in _shaped(jobs, at, cluster):
        name = shape.model_dump_json()
        shapes[name] = shape
        fork = job.spec.fork
        key = (name, task_of.get(fork.parent.id) if fork else None)
        spent = minutes(job, at, shape.ranks)
        if key in open_tasks and filled[key] + spent <= cluster.pack_minutes:
            open_tasks[key][-1].append(job)
            filled[key] += spent
        elif count < room:
            open_tasks.setdefault(key, []).append([job])
            filled[key] = spent
            count += 1
    return [
        Batch(shapes[name], after, tuple(map(tuple, tasks[start : start + cluster.array])))
        for (name, after), tasks in open_tasks.items()
        for start in range(0, len(tasks), cluster.array)
    ]


def _shaped(jobs: Iterable[Job], at: Scale, cluster: Cluster) -> Iterator[tuple[Job, Resources]]:
    known: dict[str, Resources] = {}
    for job in jobs:
        model = job.spec.model.model_dump_json()
        if model not in known:
            known[model] = cluster.resources(job.spec.model, at)
        yield job, known[model]


def task_ids(job: str, tasks: int) -> list[str]:
    """The ids of a job's tasks, which only an array numbers."""
    return [job] if tasks == 1 else [f"{job}_{number}" for number in range(tasks)]
