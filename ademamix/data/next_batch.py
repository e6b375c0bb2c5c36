"""What comes next, read by a thread while the device is busy with what is there."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class NextBatch(Generic[T]):
    """`make(t, rows)`, a pure function, of one t after the other; the next one is made meanwhile.

    Asked for another than the next, it makes that one, and goes on from there. All calls of `make` are by
    one thread, which `begin` is called in once.
    """

    def __init__(self, make: Callable[[int, slice], T], begin: Callable[[], None] | None = None) -> None:
        self._make = make
        self._thread = ThreadPoolExecutor(1, "next-batch", begin)
        self._asked: tuple[int, slice] | None = None
        self._ahead: Future[T] | None = None

    def __call__(self, t: int, rows: slice) -> T:
        if self._ahead is None or self._asked != (t, rows):
            self._ahead = self._thread.submit(self._make, t, rows)
        ready = self._ahead.result()
        self._asked = (t + 1, rows)
        self._ahead = self._thread.submit(self._make, *self._asked)
        return ready
