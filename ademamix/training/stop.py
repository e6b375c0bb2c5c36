"""SIGINT and SIGTERM set a flag, which the loop reads at the step boundary."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether, and by which signal, the process was asked to stop."""

    signal: int | None = None

    def note(self, number: int, frame: FrameType | None = None) -> None:
        """Set the flag; the first signal counts."""
        self.signal = self.signal or number

    @property
    def exit_code(self) -> int:
        """130 after SIGINT, 143 after SIGTERM, as shells report them."""
        return 128 + self.signal if self.signal else 0

    def __bool__(self) -> bool:
        return self.signal is not None


@contextmanager
def catching() -> Iterator[Stop]:
    """Signals set the flag of the returned `Stop` for as long as the block lasts."""
    stop = Stop()
    before = {number: signal.signal(number, stop.note) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
