"""Progress of long work on data: a live line on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from ademamix.data.splits import SPLITS

SPEAK = 60.0  # seconds between lines where there is no terminal


def _progress(console: Console, *columns: TextColumn) -> Progress:
    text = TextColumn("{task.description}")
    return Progress(
        text,
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        *columns,
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        disable=not console.is_terminal,
    )


class Preparing:
    """Of a preparation: parts done, tokens, tokens per second, time left by bytes of the source."""

    def __init__(self, name: str) -> None:
        self._console = Console(stderr=True)
        self._progress = _progress(self._console, TextColumn("{task.fields[rate]}"))
        self._task = self._progress.add_task(name, total=None, rate="")
        self._name = name
        self._units = self._done = self._before = self._tokens = self._read = 0
        self._by_size = True
        self._start = self._spoken = time.monotonic()

    def __enter__(self) -> "Preparing":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, units: int, done: int, tokens: int, size: int | None) -> None:
        self._units, self._done, self._before = units, done, tokens
        self._by_size = size is not None
        self._start = self._spoken = time.monotonic()
        self._progress.update(self._task, total=size if self._by_size else units - done)
        if done:
            self._console.print(f"{self._name}: {done} of {units} parts are done", highlight=False)

    def advance(self, tokens: int, read: int) -> None:
        self._tokens += tokens
        self._read += read
        self._show()

    def finished(self, note: Mapping[str, Any]) -> None:
        self._done += 1
        if not self._by_size:
            self._progress.advance(self._task)
        for name, why in note["broken"].items():
            self._console.print(f"{name}: {why}", markup=False, highlight=False, soft_wrap=True)
        self._show()

    def _show(self) -> None:
        now = time.monotonic()
        rate = f"{self._done}/{self._units} parts, {_short(self._before + self._tokens)} tokens"
        if self._tokens:
            rate += f", {_short(self._tokens / max(now - self._start, 1e-9))}/s"
        if self._by_size:
            self._progress.update(self._task, completed=self._read, rate=rate)
        else:
            self._progress.update(self._task, rate=rate)
        if self._progress.disable and now - self._spoken > SPEAK:
            self._spoken = now
            self._console.print(f"{self._name}: {rate}{self._left()}", highlight=False)

    def _left(self) -> str:
        """For lines: about how long the rest will take."""
        task = self._progress.tasks[0]
        if not task.total or not task.completed:
            return ""
        seconds = (time.monotonic() - self._start) * (task.total / task.completed - 1)
        return f", about {seconds / 60:.0f} min left"


@contextmanager
def reading(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar for something of known size that is read once; yields what tells of progress."""
    with _progress(Console(stderr=True)) as progress:
        task = progress.add_task(name, total=total)
        yield lambda count: progress.advance(task, count)


def print_sets(found: Sequence[Mapping[str, Any]], root: Path) -> None:
    """The sets as a table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("set", *SPLITS, "vocabulary", "tokenizer", "source", "digest"):
        table.add_column(name, justify="right" if name in SPLITS else "left", overflow="fold")
    for each in found:
        counts = each.get("tokens", {})
        cells = [_short(counts[split]) if split in counts else "" for split in SPLITS]
        rest = [str(each.get(key) or "") for key in ("vocabulary", "tokenizer", "source")]
        table.add_row(each["set"], *cells, *rest, each.get("digest") or each["state"])
    Console(soft_wrap=True).print(table if found else f"no token folders in {root}", highlight=False)


def _short(count: float) -> str:
    """1,234,567 → '1.23M'."""
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.0f}"
