"""Values of a pure function of t, computed by other processes while the training goes on."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from torch.utils.data import DataLoader, Dataset

T = TypeVar("T")
AHEAD = 4  # parts that each process has ready


class ReadAhead(Generic[T]):
    """`make(t, part)` for the parts of one t after the other.

    Since it is a pure function, nothing of it has to be saved: asked for another t than the next, as after a
    resume, it starts there. Without `workers`, everything is made when it is asked for.
    """

    def __init__(self, make: Callable[[int, int], T], parts: int, workers: int) -> None:
        self._make, self._parts, self._workers = make, parts, workers
        self._next = -1
        self._stream: Iterator[T] = iter(())

    def __call__(self, t: int) -> list[T]:
        """All parts of t."""
        if not self._workers:
            return [self._make(t, part) for part in range(self._parts)]
        if t != self._next:
            self._stream = self._from(t)
        self._next = t + 1
        return list(itertools.islice(self._stream, self._parts))

    def _from(self, t: int) -> Iterator[T]:
        loader: DataLoader[T] = DataLoader(
            _Parts(self._make, self._parts),
            sampler=itertools.count(t * self._parts),
            batch_size=None,
            num_workers=self._workers,
            prefetch_factor=AHEAD,
            worker_init_fn=_leave_ctrl_c_to_the_trainer,
            collate_fn=_as_it_is,
        )
        return iter(loader)


class _Parts(Dataset[Any]):
    def __init__(self, make: Callable[[int, int], Any], parts: int) -> None:
        self._make, self._parts = make, parts

    def __getitem__(self, number: int) -> Any:
        return self._make(*divmod(number, self._parts))


def _as_it_is(value: Any) -> Any:
    return value


def _leave_ctrl_c_to_the_trainer(worker: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)


def spare_cores() -> int:
    """Cores that this process may use, but for one that trains; on one or two cores, none."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if cores <= 2 else cores - 1
