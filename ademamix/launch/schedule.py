"""Which job may start next. Knows nothing of processes: every launcher asks here."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from ademamix.plan import after_trunks
from ademamix.training.job import Job


def left_out(jobs: Sequence[Job], failed: Collection[str]) -> tuple[Job, ...]:
    """Those of `jobs` that branch, directly or not, from a run that failed, by id."""
    found: set[str] = set()
    by_id = {job.spec.id: job for job in jobs}
    for id in after_trunks(job.spec for job in jobs).static_order():
        fork = by_id[id].spec.fork
        if fork and fork.parent.id in {*failed, *found}:
            found.add(id)
    return tuple(job for job in jobs if job.spec.id in found)


class Schedule:
    """Jobs in the order of preference, each after its trunk; what branches from a failure fails with it.

    Attributes:
        put_off: ids of those that were put back, and whose owner has not been seen since.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = {job.spec.id: job for job in jobs}
        self._rank = {id: place for place, id in enumerate(self._jobs)}
        self._order = after_trunks(job.spec for job in jobs)
        self._order.prepare()
        self._ready: list[str] = list(self._order.get_ready())
        self._left = set(self._jobs)
        self._failed: set[str] = set()
        self._free: set[str] = set()  # added later: nothing waits for them
        self.put_off: set[str] = set()  # the launcher leaves them for last

    @property
    def failed(self) -> tuple[Job, ...]:
        """Those that failed, and those left out because of them, in the order of preference."""
        return tuple(job for id, job in self._jobs.items() if id in self._failed)

    @property
    def pending(self) -> tuple[Job, ...]:
        """Those that have neither succeeded nor failed."""
        return tuple(job for id, job in self._jobs.items() if id in self._left)

    def take(self) -> Job | None:
        """The next job that may start, now the caller's; None while all wait for others."""
        return next(iter(self.take_some(lambda _: True, 1)), None)

    def ready(self, like: Callable[[Job], bool]) -> tuple[Job, ...]:
        """Those of a kind that may start now, in the order of preference; they are not taken."""
        in_order = sorted(self._ready, key=self._rank.__getitem__)
        return tuple(self._jobs[id] for id in in_order if like(self._jobs[id]))

    def take_some(self, like: Callable[[Job], bool], most: int) -> tuple[Job, ...]:
        """The first `most` of them, now the caller's."""
        found = self.ready(like)[:most]
        for job in found:
            self._ready.remove(job.spec.id)
        return found

    def put_back(self, job: Job) -> None:
        """A job that was taken was not begun, since another process trains it: it may start again."""
        self.put_off.add(job.spec.id)
        self._ready.append(job.spec.id)

    def succeeded(self, job: Job) -> None:
        """A job is done: its branches may start."""
        self._settle(job.spec.id)

    def fail(self, job: Job) -> Iterator[Job]:
        """A job failed. Yields the jobs that are left out with it, branches of branches too."""
        self._failed.add(job.spec.id)
        before = set(self._ready)
        self._settle(job.spec.id)
        for id in [id for id in self._ready if id not in before]:
            self._ready.remove(id)
            yield self._jobs[id]
            yield from self.fail(self._jobs[id])

    def add(self, jobs: Iterable[Job]) -> None:
        """More jobs, none of which branches from another; those that are known already stay as they are.

        A job that is done comes again where more is wanted of its run.
        """
        for job in jobs:
            id = job.spec.id
            if id in self._left:
                continue
            self._rank.setdefault(id, len(self._rank))
            self._jobs[id] = job
            self._failed.discard(id)
            self.put_off.discard(id)
            self._free.add(id)
            self._left.add(id)
            self._ready.append(id)

    def _settle(self, id: str) -> None:
        self._left.discard(id)
        if id in self._free:
            self._free.remove(id)
        else:
            self._order.done(id)
            self._ready += self._order.get_ready()
