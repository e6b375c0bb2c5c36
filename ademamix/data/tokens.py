"""A folder of token shards: raw little-endian integers, memory-mapped, described by manifest.json.

    manifest.json   {"schema": 1, "dtype": "uint16", "vocabulary": 32000, "origin": {…},
                     "splits": {"train": [{"file": "train-000.bin", "tokens": 1000, "sha256": "…"}], …}}

Splits are `train`, `validation` and `reserve` (text that neither training nor validation touches).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from ademamix.data.splits import SPLITS
from ademamix.errors import UserError
from ademamix.values import user_error

SCHEMA = 1


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
            self.manifest = json.loads((folder / "manifest.json").read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(f"no token folder at {folder} (manifest.json is missing)") from None
        except ValueError:
            raise UserError(f"{folder / 'manifest.json'} is not valid JSON; prepare it again") from None
        refuse_wrong_manifest(self.manifest, folder / "manifest.json")

    @property
    def vocabulary(self) -> int:
        return int(self.manifest["vocabulary"])

    @property
    def digest(self) -> str:
        """A hash of every shard's content, whatever the file names."""
        shards = [s["sha256"] for split in SPLITS for s in self.manifest["splits"][split]]
        return hashlib.sha256("".join(shards).encode()).hexdigest()[:12]

    def windows(self, name: str, sequence: int) -> int:
        """How many windows of `sequence` tokens a split has; opens no shard."""
        return sum(max(0, (shard["tokens"] - 1) // sequence) for shard in self.manifest["splits"][name])

    def split(self, name: str, sequence: int) -> Split:
        """One of `train`, `validation`, `reserve`, in windows of `sequence` tokens."""
        return Split([self._shard(shard) for shard in self.manifest["splits"][name]], sequence)

    def text(self, name: str) -> bytes:
        """A split of a folder of bytes, as it is."""
        return b"".join(bytes(self._shard(shard)) for shard in self.manifest["splits"][name])

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.manifest["dtype"]).newbyteorder("<")

    def refuse_cut_short(self, shard: Mapping[str, Any]) -> Path:
        """The file of a manifest's entry, or a UserError where it has another size than it should."""
        path = self.folder / shard["file"]
        if not path.exists() or path.stat().st_size != shard["tokens"] * self.dtype.itemsize:
            raise UserError(f"{path} is missing or cut short; prepare the data again")
        return path

    def _shard(self, shard: Mapping[str, Any]) -> NDArray[Any]:
        return np.memmap(self.refuse_cut_short(shard), dtype=self.dtype, mode="r")


def token_dtype(vocabulary: int) -> np.dtype[Any]:
    """The smallest little-endian integer that holds every token."""
    name = "uint8" if vocabulary <= 2**8 else "uint16" if vocabulary <= 2**16 else "uint32"
    return np.dtype(name).newbyteorder("<")


class Shard(BaseModel):
    """An entry of a manifest."""

    file: str
    tokens: Annotated[int, Field(ge=0)]
    sha256: str


class Manifest(BaseModel):
    """What every manifest has to say; others may say more."""

    schema_: Annotated[int, Field(alias="schema")]
    dtype: Literal["uint8", "uint16", "uint32"]
    vocabulary: Annotated[int, Field(ge=1)]
    splits: dict[str, list[Shard]]


def refuse_wrong_manifest(data: Any, path: Path) -> None:
    """Raise UserError where a manifest lacks something, or is of a newer schema."""
    try:
        found = Manifest.model_validate(data)
    except ValidationError as error:
        raise user_error(error, Manifest, data, str(path)) from None
    if found.schema_ > SCHEMA:
        raise UserError(f"{path.parent} has a newer format than this code reads; update the code")
    if lacking := [name for name in SPLITS if name not in found.splits]:
        raise UserError(f"{path}: splits: lacks {' and '.join(lacking)}; an empty one is []")


def opened(folder: Path) -> Tokens:
    """The token folder, read once for as long as its manifest stays as it is."""
    try:
        seen = (folder / "manifest.json").stat()
    except OSError:
        return Tokens(folder)  # which says what is wrong
    return _opened(folder, seen.st_mtime_ns, seen.st_size)


@cache
def _opened(folder: Path, changed: int, size: int) -> Tokens:
    return Tokens(folder)


def write(
    folder: Path,
    splits: Mapping[str, Iterable[NDArray[Any]]],
    vocabulary: int,
    origin: Mapping[str, Any],
) -> None:
    """Write a token folder: one shard for each array of each split; the manifest goes last."""
    folder.mkdir(parents=True, exist_ok=True)
    dtype = token_dtype(vocabulary)
    listed: dict[str, list[dict[str, Any]]] = {name: [] for name in SPLITS}
    for name in SPLITS:
        for number, tokens in enumerate(splits.get(name, ())):
            raw = np.asarray(tokens).astype(dtype).tobytes()
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
