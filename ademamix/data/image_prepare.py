"""Re-encoding a set of images as small JPEGs in tars, which a training decodes several times faster.

    imagenet-1k-256px/
      train-00000.tar …  val-00000.tar …    0000000.jpg beside 0000000.cls, its label
      manifest.json                         written last: how, from what, how many, what was left out

Each tar is renamed into place when it is whole, so that the same call goes on where it was stopped.
"""

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from ademamix.data.decoding import Unreadable, decode
from ademamix.data.image_files import ALWAYS_FORGIVEN, MOST_UNREADABLE
from ademamix.data.image_sources import Folders, Source, find
from ademamix.data.pictures import SPLITS
from ademamix.errors import UserError
from ademamix.files import scratch_beside, write_json

SCHEMA = 1
WRITTEN = {"train": "train", "test": "val"}  # split → how its tars begin
SETTINGS, MANIFEST = "preparing.json", "manifest.json"
Told = Callable[[int], None]  # so many more images are done


def untold(images: int) -> None:
    """Tell nobody how far it is."""


@dataclass(frozen=True)
class Recipe:
    """How images are re-encoded.

    Attributes:
        short_edge: pixels; smaller images keep their size.
        quality: of JPEG.
        of_a_tar: how many images each tar gets.
    """

    short_edge: int = 256
    quality: int = 90
    of_a_tar: int = 10_000


@dataclass(frozen=True)
class Piece:
    """A tar that is to be written."""

    source: Path
    split: str
    number: int
    target: Path
    recipe: Recipe


def manifest_of(folder: Path) -> dict[str, Any] | None:
    """What a prepared folder says of itself; None: it is not one."""
    try:
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        return None
    return found if "short_edge" in found else None


def prepare(source: Path, target: Path, recipe: Recipe, jobs: int, told: Told = untold) -> dict[str, Any]:
    """Re-encode the set in the folder `source` into `target`; its manifest.

    Raises:
        UserError: a split is missing, the target was begun otherwise, or too much cannot be read.
    """
    if done := manifest_of(target):
        return done
    counts = {split: len(_source(source, split).labels) for split in SPLITS}
    _begin(target, {**asdict(recipe), "from": {split: _source(source, split).digest for split in SPLITS}})
    pieces = list(_pieces(source, target, recipe, counts))
    left_out: list[str] = []
    with ProcessPoolExecutor(jobs) as processes:
        for piece, bad in zip(pieces, processes.map(_write, pieces), strict=True):
            left_out += bad
            told(min(recipe.of_a_tar, counts[piece.split] - piece.number * recipe.of_a_tar))
            if len(left_out) > max(ALWAYS_FORGIVEN, MOST_UNREADABLE * sum(counts.values())):
                processes.shutdown(cancel_futures=True)
                raise UserError(
                    f"{len(left_out)} images cannot be read, the first {left_out[0]}; get them again"
                )
    first = _source(source, "train")
    names = {"classes": first.classes} if isinstance(first, Folders) else {}
    manifest = {"schema": SCHEMA, **asdict(recipe), "images": counts, "left_out": left_out, **names}
    write_json(target / MANIFEST, manifest)
    (target / SETTINGS).unlink(missing_ok=True)
    return manifest


def images_in(source: Path) -> int:
    """How many images there are to re-encode."""
    return sum(len(_source(source, split).labels) for split in SPLITS)


@cache
def _source(folder: Path, split: str) -> Source:
    found = find(folder, split)
    if found is None or not len(found.labels):
        raise UserError(f"no {split} images in {folder}; 'ademamix data check' says what is expected")
    return found


def _begin(target: Path, settings: dict[str, Any]) -> None:
    """Say how it is made, or refuse to mix what was begun with other settings with this."""
    path = target / SETTINGS
    if path.exists() and json.loads(path.read_text()) != settings:
        raise UserError(
            f"{target} was begun from other images or with other settings; delete it, or name another"
        )
    write_json(path, settings)


def _pieces(source: Path, target: Path, recipe: Recipe, counts: dict[str, int]) -> Iterator[Piece]:
    for split, count in counts.items():
        for number in range(-(-count // recipe.of_a_tar)):
            yield Piece(source, split, number, target / f"{WRITTEN[split]}-{number:05d}.tar", recipe)


def _write(piece: Piece) -> list[str]:
    """Write a tar, unless it is there; what of it cannot be read, by name."""
    log = piece.target.with_suffix(".left-out.json")
    if piece.target.exists():
        return list(json.loads(log.read_text())) if log.exists() else []
    source = _source(piece.source, piece.split)
    first = piece.number * piece.recipe.of_a_tar
    bad = []
    scratch = scratch_beside(piece.target)
    try:
        with tarfile.open(scratch, "w") as tar:
            for i in range(first, min(first + piece.recipe.of_a_tar, len(source.labels))):
                try:
                    image = _smaller(decode(source.raw(i)), piece.recipe.short_edge)
                except (Unreadable, OSError) as error:
                    bad.append(f"{source.name(i)}: {error}")
                    continue
                _add(tar, f"{i:08d}.jpg", _jpeg(image, piece.recipe.quality))
                _add(tar, f"{i:08d}.cls", str(int(source.labels[i])).encode())
        if bad:
            write_json(log, bad)
        os.replace(scratch, piece.target)
    finally:
        scratch.unlink(missing_ok=True)
    return bad


def _smaller(image: Image.Image, short_edge: int) -> Image.Image:
    by = short_edge / min(image.size)
    if by >= 1:
        return image
    size = (max(short_edge, round(image.width * by)), max(short_edge, round(image.height * by)))
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # no dates, so that preparing twice gives the same bytes
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
