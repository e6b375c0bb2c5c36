"""Where the files of a split lie: folders of classes, parquet, or tars; read in any order.

folders   train/n01440764/*.JPEG …; val/, validation/ or test/ likewise
parquet   train-*.parquet, with columns image (or jpg) and label (or cls)
tars      …train….tar in the manner of webdataset: 000123.jpg beside 000123.cls, a number
"""

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ademamix.errors import UserError
from ademamix.files import scratch_beside

NAMES = {"train": ("train",), "test": ("val", "validation", "test")}  # of the splits, as sets call them
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
IMAGE_COLUMNS, LABEL_COLUMNS = ("image", "jpg", "webp"), ("label", "cls")


class Source(Protocol):
    """The images of one split as files; `labels` as they are said to be, right or wrong."""

    FORMAT: str
    labels: NDArray[np.int64]

    def raw(self, i: int) -> bytes:
        """The bytes of file i."""
        ...

    def name(self, i: int) -> str:
        """What people can find file i by."""
        ...

    @property
    def digest(self) -> str:
        """A hash of names, sizes and labels: of the content itself it would take hours."""
        ...


def find(folder: Path, split: str) -> Source | None:
    """The files of a split in `folder`, in whatever form they are there; None: not there."""
    for name in NAMES[split]:
        if (folder / name).is_dir() and any(path.is_dir() for path in (folder / name).iterdir()):
            return Folders(folder / name)
        for place in (folder, folder / "data", folder / name):
            if parquet := sorted(place.glob(f"{name}*.parquet")):
                return Parquet(parquet)
            if tars := sorted(path for path in place.glob("*.tar") if name in path.stem):
                return Tars(tars)
    return None


class Folders:
    """A folder for each class, numbered by their sorted names."""

    FORMAT = "folders"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        files = [sorted(_images(folder / name)) for name in self.classes]
        # Arrays, not lists: eleven million strings would take gigabytes in every process.
        self._files = np.array([file for of_class in files for file in of_class] or [b""])
        self.labels = np.repeat(np.arange(len(files)), [len(of_class) for of_class in files])

    def _path(self, i: int) -> Path:
        return self.folder / self.classes[self.labels[i]] / os.fsdecode(bytes(self._files[i]))

    def raw(self, i: int) -> bytes:
        return self._path(i).read_bytes()

    def name(self, i: int) -> str:
        return str(self._path(i).relative_to(self.folder.parent))

    @property
    def digest(self) -> str:
        return _hash("".join(self.classes).encode(), self._files.tobytes(), self.labels.tobytes())


def _images(folder: Path) -> Iterator[bytes]:
    for entry in os.scandir(folder):
        if entry.name.lower().endswith(SUFFIXES):
            yield os.fsencode(entry.name)


class Parquet:
    """Parquet files, read through `datasets`, which keeps an Arrow copy of them in the folder's .cache."""

    FORMAT = "parquet"

    def __init__(self, files: list[Path]) -> None:
        from datasets import Image, disable_progress_bars, load_dataset

        disable_progress_bars()
        cache = str(files[0].parent / ".cache")
        names = [str(file) for file in files]
        found: Any = load_dataset("parquet", data_files=names, split="train", cache_dir=cache)
        self._image = _column(found.column_names, IMAGE_COLUMNS, files[0])
        label = _column(found.column_names, LABEL_COLUMNS, files[0])
        self._files = [(file.name, file.stat().st_size) for file in files]
        self.labels = np.asarray(found.data.column(label).to_numpy()).astype(np.int64)
        self._rows = found.cast_column(self._image, Image(decode=False))

    def raw(self, i: int) -> bytes:
        return bytes(self._rows[int(i)][self._image]["bytes"] or b"")

    def name(self, i: int) -> str:
        return f"row {i} ({self._rows[int(i)][self._image]['path'] or 'no name'})"

    @property
    def digest(self) -> str:
        return _hash(json.dumps(self._files).encode(), self.labels.tobytes())


def _column(there: list[str], known: tuple[str, ...], file: Path) -> str:
    for name in known:
        if name in there:
            return name
    raise UserError(f"{file} has no column {' or '.join(known)}; it has {', '.join(there)}")


class Tars:
    """Tars, with an index of where each file begins, made once and kept beside them."""

    FORMAT = "tars"

    def __init__(self, files: list[Path]) -> None:
        self.files = files
        index = self._index()
        self._tar, self._start, self._size = index["tar"], index["start"], index["size"]
        self._keys, self.labels = index["key"], index["label"]

    @cached_property
    def _identity(self) -> str:
        return _hash(json.dumps([(file.name, file.stat().st_size) for file in self.files]).encode())

    def _index(self) -> dict[str, NDArray[Any]]:
        path = self.files[0].with_name(f".index-{self._identity}.npz")
        if not path.exists():
            found = _indexed(self.files)
            scratch = scratch_beside(path).with_suffix(".npz")
            try:
                np.savez(scratch, allow_pickle=False, **found)
                os.replace(scratch, path)
            except OSError:  # a read-only disk: indexed again next time
                return found
            finally:
                scratch.unlink(missing_ok=True)
        with np.load(path) as stored:
            return dict(stored)

    def raw(self, i: int) -> bytes:
        # Opened for each read: cheap beside decoding, and nothing is shared between processes.
        with self.files[self._tar[i]].open("rb", buffering=0) as file:
            return os.pread(file.fileno(), int(self._size[i]), int(self._start[i]))

    def name(self, i: int) -> str:
        return f"{self.files[self._tar[i]].name}: {self._keys[i].decode()}"

    @property
    def digest(self) -> str:
        return _hash(self._identity.encode(), self.labels.tobytes())


def _indexed(files: list[Path]) -> dict[str, NDArray[Any]]:
    """Where each image of the tars begins, how long it is, and its label (−1: none beside it)."""
    rows: list[tuple[int, int, int, bytes, int]] = []
    for number, path in enumerate(files):
        images: dict[str, tuple[int, int]] = {}
        labels: dict[str, int] = {}
        try:
            with tarfile.open(path) as tar:
                for member in tar:
                    key, suffix = os.path.splitext(member.name)
                    if suffix.lower() in SUFFIXES:
                        images[key] = (member.offset_data, member.size)
                    elif suffix == ".cls" and (content := tar.extractfile(member)):
                        labels[key] = _number(content.read())
        except (tarfile.TarError, OSError) as error:
            raise UserError(f"{path} is damaged ({error}); get it again") from None
        rows += [(number, *where, key.encode(), labels.get(key, -1)) for key, where in images.items()]
    columns = list(zip(*rows, strict=True)) or [(), (), (), (b"",), ()]
    names = ("tar", "start", "size", "key", "label")
    return {name: np.array(column) for name, column in zip(names, columns, strict=True)}


def _number(text: bytes) -> int:
    try:
        return int(text)
    except ValueError:
        return -1


def _hash(*parts: bytes) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()[:12]
