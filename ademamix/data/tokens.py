"""A folder of token shards: raw little-endian integers, memory-mapped, described by manifest.json.

    manifest.json   {"schema": 1, "dtype": "uint16", "vocabulary": 32000, "origin": {…},
                     "splits": {"train": [{"file": "train-000.bin", "tokens": 1000, "sha256": "…"}], …}}

Splits are `train`, `validation` and `reserve` (text that neither training nor validation touches).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ademamix.errors import UserError

SCHEMA = 1
SPLITS = ("train", "validation", "reserve")


class Split:
    """The tokens of one split, cut into disjoint windows that do not cross shards.

    A window of length s holds s + 1 tokens, inputs and targets shifted by one; neighbouring windows
    share that one token.
    """

    def __init__(self, shards: list[NDArray[Any]], sequence: int) -> None:
        self.shards = shards
        self.sequence = sequence
        counts = [max(0, (len(shard) - 1) // sequence) for shard in shards]
        self._ends = np.cumsum(counts)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """The windows at `indices`, shape (len(indices), sequence + 1), int64."""
        which = np.searchsorted(self._ends, indices, side="right")
        out = np.empty((len(indices), self.sequence + 1), dtype=np.int64)
        for shard in np.unique(which):
            here = which == shard
            starts = (indices[here] - (self._ends[shard - 1] if shard else 0)) * self.sequence
            out[here] = sliding_window_view(self.shards[shard], self.sequence + 1)[starts]
        return out


class Tokens:
    """A prepared token folder.

    Raises:
        UserError: the folder, a shard or the manifest is missing, or of a newer schema.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.manifest = json.loads((folder / "manifest.json").read_text())
        except FileNotFoundError:
            raise UserError(f"no token folder at {folder} (manifest.json is missing)") from None
        except json.JSONDecodeError:
            raise UserError(f"{folder / 'manifest.json'} is not valid JSON; prepare it again") from None
        if self.manifest["schema"] > SCHEMA:
            raise UserError(f"{folder} has a newer format than this code reads; update the code")

    @property
    def vocabulary(self) -> int:
        return int(self.manifest["vocabulary"])

    @property
    def digest(self) -> str:
        """A hash of every shard's content, whatever the file names."""
        shards = [s["sha256"] for split in SPLITS for s in self.manifest["splits"][split]]
        return hashlib.sha256("".join(shards).encode()).hexdigest()[:12]

    def split(self, name: str, sequence: int) -> Split:
        """One of `train`, `validation`, `reserve`, in windows of `sequence` tokens."""
        return Split([self._shard(shard) for shard in self.manifest["splits"][name]], sequence)

    def text(self, name: str) -> bytes:
        """A split of a folder of bytes, as it is."""
        return b"".join(bytes(self._shard(shard)) for shard in self.manifest["splits"][name])

    def _shard(self, shard: Mapping[str, Any]) -> NDArray[Any]:
        path = self.folder / shard["file"]
        dtype = np.dtype(self.manifest["dtype"]).newbyteorder("<")
        if not path.exists() or path.stat().st_size != shard["tokens"] * dtype.itemsize:
            raise UserError(f"{path} is missing or cut short; prepare the data again")
        return np.memmap(path, dtype=dtype, mode="r")


def write(
    folder: Path,
    splits: Mapping[str, Iterable[NDArray[Any]]],
    vocabulary: int,
    origin: Mapping[str, Any],
) -> None:
    """Write a token folder: one shard for each array of each split; the manifest goes last."""
    folder.mkdir(parents=True, exist_ok=True)
    dtype = np.dtype("uint8" if vocabulary <= 2**8 else "uint16" if vocabulary <= 2**16 else "uint32")
    listed: dict[str, list[dict[str, Any]]] = {name: [] for name in SPLITS}
    for name in SPLITS:
        for number, tokens in enumerate(splits.get(name, ())):
            raw = np.asarray(tokens).astype(dtype.newbyteorder("<")).tobytes()
            file = f"{name}-{number:03d}.bin"
            (folder / file).write_bytes(raw)
            listed[name].append(
                {
                    "file": file,
                    "tokens": len(tokens),
                    "sha256": hashlib.sha256(raw).hexdigest(),
                }
            )
    manifest = {
        "schema": SCHEMA,
        "dtype": dtype.name,
        "vocabulary": vocabulary,
        "origin": dict(origin),
        "splits": listed,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
