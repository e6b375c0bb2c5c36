"""Units of a preparation on all cores of this machine: many at once, or one on several threads."""

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from ademamix.data.documents import SourceFile, Unreachable
from ademamix.data.shards import Making, make_unit
from ademamix.errors import UserError

TICK = 0.25  # seconds between looks at what workers report
Note = Mapping[str, Any]
_reports: Any = None  # of a worker: the queue to its preparation


class Display(Protocol):
    """What is told of progress."""

    def begin(self, units: int, done: int, tokens: int, size: int | None) -> None:
        """`size`: bytes of source still to be read, where known; `done`, `tokens`: from calls before."""
        ...

    def advance(self, tokens: int, read: int) -> None:
        """So many more."""
        ...

    def finished(self, note: Note) -> None:
        """A unit is done."""
        ...


class Quiet:
    """Says nothing."""

    def begin(self, units: int, done: int, tokens: int, size: int | None) -> None:
        pass

    def advance(self, tokens: int, read: int) -> None:
        pass

    def finished(self, note: Note) -> None:
        pass


def work(
    making: Making,
    units: Sequence[Sequence[SourceFile]],
    notes: Mapping[int, Note | None],
    jobs: int,
    display: Display,
) -> list[Note]:
    """Make the units that have no note yet; returns the notes of all, in order.

    Raises:
        UserError: files could not be fetched, or a worker died; the other units are done.
    """
    todo = [unit for unit, note in notes.items() if note is None]
    done = [note for note in notes.values() if note]
    tokens = sum(part["tokens"] for note in done for part in note["splits"].values())
    sizes = [file.size for unit in todo for file in units[unit]]
    known = sum(size for size in sizes if size is not None)
    display.begin(len(units), len(done), tokens, known if None not in sizes else None)
    processes = min(jobs, len(todo))
    making = replace(making, threads=max(1, jobs // max(1, processes)))
    run = _here if processes <= 1 else _side_by_side
    made, failed = dict(notes), []
    for unit, result in run(making, units, todo, processes, display):
        if isinstance(result, Unreachable):
            failed.append(str(result))
        else:
            made[unit] = result
            display.finished(result)
    if failed:
        raise UserError(
            f"{len(failed)} of {len(units)} parts could not be fetched (the first: {failed[0]}); "
            "the others are done, the same call goes on"
        )
    return [note for note in made.values() if note]


Results = Iterator[tuple[int, Note | Unreachable]]


def _here(
    making: Making, units: Sequence[Sequence[SourceFile]], todo: Sequence[int], _: int, display: Display
) -> Results:
    for unit in todo:
        try:
            yield unit, make_unit(making, unit, units[unit], display.advance)
        except Unreachable as problem:
            yield unit, problem


def _side_by_side(
    making: Making,
    units: Sequence[Sequence[SourceFile]],
    todo: Sequence[int],
    processes: int,
    display: Display,
) -> Results:
    with _pool(processes) as (pool, reports):
        waiting: dict[Future[Note], int] = {}
        left = iter(todo)
        try:
            while True:
                # No more than twice what runs is handed out, so that an error ends the rest soon.
                while len(waiting) < 2 * processes and (unit := next(left, None)) is not None:
                    waiting[pool.submit(_unit, making, unit, units[unit])] = unit
                if not waiting:
                    return
                ended, _ = wait(waiting, timeout=TICK, return_when=FIRST_COMPLETED)
                _pass_on(reports, display)
                for future in ended:
                    error = future.exception()
                    if error is not None and not isinstance(error, Unreachable):
                        raise error
                    yield waiting.pop(future), error if error is not None else future.result()
        except BrokenProcessPool:
            raise UserError(
                "a worker was killed, perhaps for memory; what was done is kept: call again with fewer --jobs"
            ) from None


@contextmanager
def _pool(processes: int) -> Iterator[tuple[ProcessPoolExecutor, Any]]:
    """Workers that end with this block, or with this process, however it ends."""
    context = multiprocessing.get_context("spawn")
    reports = context.Queue()
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(reports,))
    try:
        yield pool, reports
    except BaseException:
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        reports.close()


def _begin(reports: Any) -> None:
    """In a worker: Ctrl-C ends it without a word, and so does the end of the process that started it."""
    global _reports
    _reports = reports
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _unit(making: Making, unit: int, files: Sequence[SourceFile]) -> Note:
    return make_unit(making, unit, files, lambda tokens, read: _reports.put((tokens, read)))


def _pass_on(reports: Any, display: Display) -> None:
    while True:
        try:
            display.advance(*reports.get_nowait())
        except queue.Empty:
            return
