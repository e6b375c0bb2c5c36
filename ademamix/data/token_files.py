"""Token files of other projects → a token folder, copied without being tokenized again.

- nanoGPT, llm-optimizer-benchmark: nothing but little-endian uint16
- llm.c, modded-nanogpt: 256 int32 (magic, version, count, zeros), then uint16; llm.c's newer ones, uint32
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ademamix.data.documents import nothing
from ademamix.data.prepare import alone, preparing
from ademamix.data.splits import SPLITS, SplitName
from ademamix.data.tokens import SCHEMA, token_dtype
from ademamix.data.trust import remember
from ademamix.errors import UserError, one_line
from ademamix.files import scratch_beside, write_json

HEADER = 256 * 4  # bytes
MAGIC = {(20240520, 1): "<u2", (20240801, 7): "<u4"}  # (magic, version) → what its tokens are
BLOCK = 2**22  # tokens copied at a time
Told = Callable[[int], None]  # how many tokens were copied


@dataclass(frozen=True)
class TokenFile:
    """A part of a file of tokens: from `first`, `count` of them."""

    path: Path
    dtype: np.dtype[Any]
    offset: int  # bytes before the first token of the file
    count: int
    first: int = 0

    def read(self) -> NDArray[Any]:
        """The tokens, memory-mapped."""
        at = self.offset + self.first * self.dtype.itemsize
        return np.memmap(self.path, self.dtype, mode="r", offset=at, shape=(self.count,))

    def parted(self, tail: int) -> "tuple[TokenFile, TokenFile]":
        """All but the last `tail` tokens, and those."""
        head = self.count - tail
        return (
            TokenFile(self.path, self.dtype, self.offset, head, self.first),
            TokenFile(self.path, self.dtype, self.offset, tail, self.first + head),
        )


def recognised(path: Path) -> TokenFile:
    """The tokens of a file, by its header, or without one.

    Raises:
        UserError: it is missing, empty, cut short, or of a version that is not known.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = np.frombuffer(file.read(HEADER), "<i4") if size >= HEADER else np.zeros(3, "<i4")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    magic, version, count = (int(value) for value in header[:3])
    if magic not in {known for known, _ in MAGIC}:
        if size == 0 or size % 2:
            raise UserError(f"{path} is no token file: {size} bytes are not whole uint16 numbers")
        return TokenFile(path, np.dtype("<u2"), 0, size // 2)
    if (magic, version) not in MAGIC:
        raise UserError(f"{path} is a token file of version {version}, which is not known here")
    dtype = np.dtype(MAGIC[magic, version])
    if size != HEADER + count * dtype.itemsize:
        held = (size - HEADER) // dtype.itemsize
        raise UserError(f"{path} is cut short or damaged: its header says {count} tokens, it holds {held}")
    return TokenFile(path, dtype, HEADER, count)


def take(
    root: Path,
    name: str,
    splits: Mapping[SplitName, Sequence[Path]],
    vocabulary: int,
    reserve: float = 0.01,
    told: Told = nothing,
) -> Path:
    """Copy token files into the token folder `root`/`name`.

    Args:
        splits: the files of each; of `reserve` there may be none.
        vocabulary: a token beyond it is an error.
        reserve: share of the last training file that becomes the reserve where that has no files.

    Raises:
        UserError: the folder exists, or a file is not what it should be. Nothing is left half-made.
    """
    folder, scratch = root / name, preparing(root, name)
    found = {split: [recognised(path) for path in splits.get(split, ())] for split in SPLITS}
    if not found["train"] or not found["validation"]:
        raise UserError("a token folder needs files for training and for validation")
    if not found["reserve"]:
        *others, last = found["train"]
        head, tail = last.parted(int(last.count * reserve))
        found["train"], found["reserve"] = [*others, head], [tail]
    with alone(scratch):
        if folder.exists() or scratch.exists():
            raise UserError(f"{folder if folder.exists() else scratch} exists; choose another --set")
        try:
            scratch.mkdir()
            _fill(scratch, found, vocabulary, told)
            os.replace(scratch, folder)
        except OSError as error:
            raise UserError(one_line(error, {"--root": root})) from None
        finally:
            for path in scratch.glob("*"):
                path.unlink()
            if scratch.exists():
                scratch.rmdir()
    return folder


def _fill(scratch: Path, found: Mapping[SplitName, Sequence[TokenFile]], vocabulary: int, told: Told) -> None:
    listed = {
        split: [
            _copied(file, scratch / f"{split}-{number:05d}.bin", vocabulary, told)
            for number, file in enumerate(found[split])
            if file.count
        ]
        for split in SPLITS
    }
    files = sorted({file.path.name for of in found.values() for file in of})
    manifest = {
        "schema": SCHEMA,
        "dtype": token_dtype(vocabulary).name,
        "vocabulary": vocabulary,
        "origin": {"kind": "import", "files": files},
        "splits": listed,
    }
    write_json(scratch / "manifest.json", manifest)
    remember(scratch)


def _copied(source: TokenFile, path: Path, vocabulary: int, told: Told) -> dict[str, Any]:
    """Copy tokens in the dtype of the vocabulary; returns the entry of the manifest."""
    tokens, dtype, digest = source.read(), token_dtype(vocabulary), hashlib.sha256()
    scratch = scratch_beside(path)
    with scratch.open("wb") as out:
        for start in range(0, source.count, BLOCK):
            block = tokens[start : start + BLOCK]
            if (largest := int(block.max())) >= vocabulary:
                raise UserError(
                    f"{source.path} has the token {largest}, but the vocabulary is {vocabulary}; "
                    "give the tokenizer's by --vocabulary (is it a token file?)"
                )
            raw = block.astype(dtype).tobytes()
            digest.update(raw)
            out.write(raw)
            told(len(block))
        out.flush()
        os.fsync(out.fileno())
    os.replace(scratch, path)
    return {"file": path.name, "tokens": source.count, "sha256": digest.hexdigest()}


def tokens_to_copy(splits: Mapping[SplitName, Sequence[Path]]) -> int:
    """How many tokens `take` would copy."""
    return sum(recognised(path).count for paths in splits.values() for path in paths)
