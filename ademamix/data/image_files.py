"""Images in files as a run wants them: decoded, cropped, in any order, with what cannot be read left out."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms.v2 import functional as V

from ademamix.data.crops import boxes
from ademamix.data.decoding import Unreadable, decode
from ademamix.data.image_sources import NAMES, Folders, Source, find
from ademamix.data.pictures import SPLITS, UINT8, Read, Wish
from ademamix.data.read_ahead import ReadAhead, spare_cores
from ademamix.errors import UserError

PART = 64  # images that a process reads at a time; an even number keeps pairs of mixup together
MIDDLE = 0.875  # of the short edge: what tests see, 224 of 256 pixels
MOST_UNREADABLE = 0.001  # of a split; more stop the run
ALWAYS_FORGIVEN = 10  # however small the split


Part: TypeAlias = tuple[UINT8, NDArray[np.int64], list[int]]  # images, labels, what could not be read


class Files:
    """A folder of files, as `Pictures`.

    An image that cannot be read is left out: the next one of the split that can, with its own label, takes
    its place, always the same one. Those met are counted and named; more than a thousandth (or ten) stop
    the run.

    Raises:
        UserError: a split is missing, or its labels are wrong.
    """

    cropped = True

    def __init__(self, folder: Path, classes: int, wish: Wish) -> None:
        self.folder, self.classes, self.wish = folder, classes, wish
        self.sources = opened(folder, classes)
        self.counts = {split: len(source.labels) for split, source in self.sources.items()}
        self.digest = "-".join(source.digest for source in self.sources.values())
        self.unreadable: dict[str, set[int]] = {split: set() for split in SPLITS}
        self._ahead: ReadAhead[Part] | None = None

    def training(self, t: int) -> Read:
        if self._ahead is None:
            images = len(self.wish.plan(t).indices)  # of this process: the same for every t
            self._ahead = ReadAhead(self._part, -(-images // PART), spare_cores())
        parts = self._ahead(t)
        for _, _, bad in parts:
            self._note("train", bad)
        return Read(*(np.concatenate([part[i] for part in parts]) for i in (0, 1)))

    def whole(self, split: str, indices: NDArray[np.int64]) -> Read:
        source, size = self.sources[split], self.wish.size
        images = np.empty((len(indices), 3, size, size), np.uint8)
        found = np.empty(len(indices), np.int64)
        bad: list[int] = []

        def read(place: int) -> None:
            image, found[place], missed = readable(source, int(indices[place]))
            images[place] = middle(image, size)
            bad.extend(missed)

        with ThreadPoolExecutor(max(1, spare_cores())) as threads:
            list(threads.map(read, range(len(indices))))
        self._note(split, bad)
        return Read(images, source.labels[found])

    def _part(self, t: int, part: int) -> Part:
        """Crops of some of the images of update t, their labels, and what could not be read."""
        source, size = self.sources["train"], self.wish.size
        rows = slice(part * PART, (part + 1) * PART)
        plan = self.wish.plan(t)
        indices, draws = plan.indices[rows], plan.draws[rows]
        images = np.empty((len(indices), 3, size, size), np.uint8)
        found = np.empty(len(indices), np.int64)
        bad: list[int] = []
        for place, i in enumerate(indices):
            image, found[place], missed = readable(source, int(i))
            bad += missed
            (box,) = boxes(draws[place : place + 1], image.width / image.height, self.wish.how)
            images[place] = cropped(image, box, size)
        return images, source.labels[found], bad

    def _note(self, split: str, bad: list[int]) -> None:
        """Name what is met for the first time; raise UserError when it is too much."""
        known, source = self.unreadable[split], self.sources[split]
        for i in sorted(set(bad) - known):
            known.add(i)
            print(f"{self.folder.name} {split}: left out {source.name(i)}, which cannot be read", flush=True)
        if len(known) > max(ALWAYS_FORGIVEN, MOST_UNREADABLE * len(source.labels)):
            raise UserError(
                f"{len(known)} images of {self.folder} cannot be read, the first {source.name(min(known))}; "
                f"get them again ('ademamix data check --decode' names all)"
            )


def opened(folder: Path, classes: int) -> dict[str, Source]:
    """The sources of both splits.

    Raises:
        UserError: one is missing, or its labels are wrong.
    """
    sources = {}
    for split in SPLITS:
        found = find(folder, split)
        if found is None or not len(found.labels):
            raise UserError(
                f"no {split} images in {folder}: no folders, parquet or tars named "
                f"{' or '.join(NAMES[split])}; 'ademamix data check' says what is expected"
            )
        sources[split] = found
    if problems := wrong_labels(sources, classes):
        raise UserError(f"{folder}: {problems[0]}")
    return sources


def wrong_labels(sources: dict[str, Source], classes: int) -> list[str]:
    """What is wrong with the labels, a line for each problem."""
    problems = []
    for split, source in sources.items():
        outside = np.flatnonzero((source.labels < 0) | (source.labels >= classes))
        if len(outside):
            i = int(outside[0])
            problems.append(
                f"{split}: {len(outside):,} labels outside 0 to {classes - 1:,}, "
                f"the first {source.labels[i]} of {source.name(i)}"
            )
        empty = classes - len(np.unique(source.labels[(source.labels >= 0) & (source.labels < classes)]))
        if empty and split == "train":
            problems.append(f"{split}: {empty:,} of {classes:,} classes have no image")
    train, test = sources.get("train"), sources.get("test")
    if isinstance(train, Folders) and isinstance(test, Folders) and train.classes != test.classes:
        lacking, unknown = (sorted(set(a) - set(b)) for a, b in ((train.classes, test.classes),
                                                                 (test.classes, train.classes)))  # fmt: skip
        for what, names in (
            ("lacks class folders of train", lacking),
            ("has folders that train lacks", unknown),
        ):
            if names:
                problems.append(f"test: {what}: {len(names):,}, the first {names[0]}")
    return problems


def readable(source: Source, i: int) -> tuple[Image.Image, int, list[int]]:
    """Image i or the next that can be read; its number; and those that could not be."""
    bad: list[int] = []
    total = len(source.labels)
    for step in range(min(total, 1000)):
        at = (i + step) % total
        try:
            return decode(source.raw(at)), at, bad
        except (Unreadable, OSError):
            bad.append(at)
    raise UserError(f"{len(bad)} images in a row cannot be read, from {source.name(i)} on; get them again")


def cropped(image: Image.Image, box: NDArray[np.float64], size: int) -> UINT8:
    """A box (`crops.boxes`) of an image, (3, size, size)."""
    left, top, width, height = box * (image.width, image.height, image.width, image.height)
    mirrored = width < 0
    if mirrored:
        left, width = left + width, -width
    w, h = max(1, round(width)), max(1, round(height))
    x, y = min(round(left), image.width - w), min(round(top), image.height - h)
    found = V.resized_crop(_pixels(image), y, x, h, w, [size, size], antialias=True)
    return np.asarray(found.flip(-1) if mirrored else found)


def middle(image: Image.Image, size: int) -> UINT8:
    """The middle of an image as tests see it, (3, size, size)."""
    edge = round(MIDDLE * min(image.size))
    x, y = (image.width - edge) // 2, (image.height - edge) // 2
    return np.asarray(V.resized_crop(_pixels(image), y, x, edge, edge, [size, size], antialias=True))


def _pixels(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)
