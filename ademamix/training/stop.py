"""Asking a run to stop: a signal, or a file in its folder, sets a flag that is read at the step boundary."""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LOOK = 2.0  # seconds between looks for the file


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


class Asked:
    """Whether one run is to stop: its process is, or there is a file `stop` in its folder.

    The file works where signals do not reach, and stays until somebody deletes it. None: only the process.
    """

    def __init__(self, stop: Stop, file: Path | None) -> None:
        self.held = False
        self._stop = stop
        self._file = file
        self._next = 0.0

    def __bool__(self) -> bool:
        if self._file and not self.held and time.monotonic() >= self._next:
            self.held = self._file.exists()
            self._next = time.monotonic() + LOOK
        return self.held or bool(self._stop)


@contextmanager
def catching(signals: Sequence[int] = SIGNALS) -> Iterator[Stop]:
    """Signals set the flag of the returned `Stop` for as long as the block lasts."""
    stop = Stop()
    before = {number: signal.signal(number, stop.note) for number in signals}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
