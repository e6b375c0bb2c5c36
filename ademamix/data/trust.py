"""Whether a token folder holds what its manifest says: every byte read, once.

`checked.json` remembers size and date of the shards whose checksums were right. A shard that still has both
is trusted; every other one, such as one that was copied, swapped or cut, is read again before training.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ademamix.data.documents import nothing
from ademamix.data.splits import SPLITS
from ademamix.data.tokens import Tokens
from ademamix.errors import UserError
from ademamix.files import write_json

NAME = "checked.json"
BLOCK = 2**22
Told = Callable[[int], None]  # how many bytes were read


def trust(folder: Path, told: Told = nothing, everything: bool = False) -> int:
    """Read the shards that were not read since they last changed, and compare their checksums.

    Args:
        everything: read every shard, whatever is remembered.

    Returns:
        How many bytes were read.

    Raises:
        UserError: a shard is missing, cut short, or holds something else; names it.
    """
    tokens = Tokens(folder)
    known = {} if everything else remembered(folder)
    todo = [(path, shard) for path, shard in shards(tokens) if known.get(path.name) != _state(path)]
    read = 0
    for path, shard in todo:
        tokens.refuse_cut_short(shard)
        if _sha256(path, told) != shard["sha256"]:
            raise UserError(
                f"{path} does not hold what {folder / 'manifest.json'} says (its checksum differs: swapped, "
                "or damaged); copy it again from where it was made, or prepare the data again"
            )
        read += path.stat().st_size
    if todo:
        with suppress(OSError):  # a folder that cannot be written is read again each time
            remember(folder)
    return read


def size_to_read(folder: Path) -> int:
    """How many bytes `trust` would read."""
    known = remembered(folder)
    states = {path.name: _state(path) for path, _ in shards(Tokens(folder))}
    return sum(state[0] for name, state in states.items() if state and known.get(name) != state)


def shards(tokens: Tokens) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every shard's file, and its entry in the manifest."""
    for split in SPLITS:
        for shard in tokens.manifest["splits"][split]:
            yield tokens.folder / shard["file"], shard


def remembered(folder: Path) -> dict[str, list[int]]:
    """File → size and date when its checksum was last right."""
    try:
        found: dict[str, list[int]] = json.loads((folder / NAME).read_text())
        return found
    except (OSError, ValueError):
        return {}


def remember(folder: Path) -> None:
    """Take the shards as they are for right."""
    write_json(folder / NAME, {path.name: _state(path) for path, _ in shards(Tokens(folder))})


def _state(path: Path) -> list[int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return []
    return [found.st_size, found.st_mtime_ns]


def _sha256(path: Path, told: Told) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            told(len(block))
    return digest.hexdigest()
