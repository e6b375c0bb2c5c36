"""One unit of work: a few source files → one part of each split, complete or not there at all.

A part is written under a temporary name and renamed; the unit's note, `unit-00017.json`, goes last and is
what makes it done. The parts of a unit are a function of its files, so doing it twice changes nothing.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ademamix.data.documents import Broken, Reading, SourceFile, Unreachable, documents
from ademamix.data.splits import SPLITS, SplitName, split_of
from ademamix.data.tokenizer import Ids, Tokenizer
from ademamix.data.tokens import token_dtype
from ademamix.files import write_json

BATCH = 2**18  # bytes of text that a tokenizer is given at a time, by a process for itself
SHARED = 2**20  # and for each thread, where several share it, since all wait for the last of them
Keyed = tuple[bytes, bytes]  # what decides a document's split, and its text
Report = Callable[[int, int], None]  # tokens written and bytes read since the last report


@dataclass(frozen=True)
class Making:
    """What the units of one preparation have in common."""

    folder: Path
    reading: Reading
    tokenizer: Tokenizer
    shares: dict[SplitName, float]
    threads: int = 1


def note_path(folder: Path, unit: int) -> Path:
    """The note that says that a unit is done, and what it holds."""
    return folder / f"unit-{unit:05d}.json"


def part_name(unit: int, split: SplitName) -> str:
    return f"{split}-{unit:05d}.bin"


class Part:
    """The tokens of one split of one unit, as they are written."""

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        self.path = path
        self.dtype = dtype
        self.scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._file: BinaryIO = self.scratch.open("wb")
        self._state: tuple[int, int, Any] = (0, 0, hashlib.sha256())  # bytes, documents, hash

    def append(self, tokens: Sequence[NDArray[Any]], count: int) -> None:
        """Tokens of `count` documents."""
        raw = np.concatenate(tokens).astype(self.dtype).tobytes()
        self._file.write(raw)
        size, before, digest = self._state
        digest.update(raw)
        self._state = (size + len(raw), before + count, digest)

    def mark(self) -> tuple[int, int, Any]:
        """What `rewind` goes back to."""
        size, count, digest = self._state
        return size, count, digest.copy()

    def rewind(self, to: tuple[int, int, Any]) -> None:
        """Forget what was appended since a mark."""
        self._file.seek(to[0])
        self._file.truncate()
        self._state = to

    def keep(self) -> dict[str, Any]:
        """Flush to disk and rename; returns the entry of a manifest."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self.scratch, self.path)
        size, count, digest = self._state
        tokens = size // self.dtype.itemsize
        return {"file": self.path.name, "tokens": tokens, "documents": count, "sha256": digest.hexdigest()}

    def drop(self) -> None:
        """Close, and leave nothing behind."""
        self.scratch.unlink(missing_ok=True)
        with suppress(OSError):  # a full disk cannot take what is still in memory
            self._file.close()


def make_unit(making: Making, unit: int, files: Sequence[SourceFile], report: Report) -> dict[str, Any]:
    """Read, tokenize and write a unit; returns its note. A broken file leaves nothing but its name there.

    Raises:
        Unreachable: a file could not be fetched; nothing of the unit is kept.
        WrongField: the rows have no such field.
        OSError: it could not be written; nothing of the unit is kept.
    """
    with _opened(making, unit) as parts:
        broken: dict[str, str] = {}
        for file in files:
            marks = {split: part.mark() for split, part in parts.items()}
            try:
                _append(making, parts, _keyed(file, making.reading, report), report)
            except Broken as problem:
                broken[file.name] = str(problem)
            except UnicodeDecodeError as problem:
                broken[file.name] = f"not UTF-8 ({problem.reason}); convert it, or take it as bytes"
            except Unreachable as problem:
                raise Unreachable(f"{file.name}: {problem}") from None
            if file.name in broken:
                for split, part in parts.items():
                    part.rewind(marks[split])
        return _finish(making, unit, parts, {"files": {f.name: f.size for f in files}, "broken": broken})


def _keyed(file: SourceFile, how: Reading, report: Report) -> Iterator[Keyed]:
    """A document is known by its text, so that its copies go to one split, or by the name of its file."""
    name = file.name.encode()
    for text in documents(file, how, lambda count: report(0, count)):
        yield (name if how.key == "name" else text), text


@contextmanager
def _opened(making: Making, unit: int) -> Iterator[dict[SplitName, Part]]:
    """The parts of a unit as they are written; what was not kept is dropped."""
    dtype = token_dtype(making.tokenizer.vocabulary)
    parts: dict[SplitName, Part] = {}
    try:
        for split in SPLITS:
            parts[split] = Part(making.folder / part_name(unit, split), dtype)
        yield parts
    finally:
        for part in parts.values():
            part.drop()


def _append(making: Making, parts: dict[SplitName, Part], keyed: Iterable[Keyed], report: Report) -> None:
    """Tokenize documents batch by batch, and add each, with a separator, to its split."""
    separator = np.array([making.tokenizer.separator])
    for batch, encoded in _encoded(making, keyed):
        found: dict[SplitName, list[NDArray[Any]]] = {split: [] for split in SPLITS}
        for (key, _), tokens in zip(batch, encoded, strict=True):
            found[split_of(key, making.shares)] += [tokens, separator]
        for split, tokens_of in found.items():
            if tokens_of:
                parts[split].append(tokens_of, len(tokens_of) // 2)
        report(sum(map(len, encoded)) + len(encoded), 0)


def _encoded(making: Making, keyed: Iterable[Keyed]) -> Iterator[tuple[list[Keyed], list[Ids]]]:
    """Documents in batches, with their tokens; on several threads, one is read while another is encoded."""

    def encode(batch: list[Keyed]) -> list[Ids]:
        return making.tokenizer.encode([text for _, text in batch], making.threads)

    if making.threads == 1:
        yield from ((batch, encode(batch)) for batch in batches(keyed, BATCH))
        return
    with ThreadPoolExecutor(1) as aside:
        before: tuple[list[Keyed], Future[list[Ids]]] | None = None
        for batch in batches(keyed, SHARED * making.threads):
            now = batch, aside.submit(encode, batch)
            if before:
                yield before[0], before[1].result()
            before = now
        if before:
            yield before[0], before[1].result()


def batches(keyed: Iterable[Keyed], size: int) -> Iterator[list[Keyed]]:
    """Documents in lists of about `size` bytes of text."""
    held: list[Keyed] = []
    room = size
    for document in keyed:
        held.append(document)
        room -= len(document[1])
        if room <= 0:
            yield held
            held, room = [], size
    if held:
        yield held


def _finish(making: Making, unit: int, parts: dict[SplitName, Part], about: dict[str, Any]) -> dict[str, Any]:
    note = {**about, "splits": {split: part.keep() for split, part in parts.items()}}
    write_json(note_path(making.folder, unit), note)
    return note
