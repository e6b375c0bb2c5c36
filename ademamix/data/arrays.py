"""A folder of images that fit into arrays, memory-mapped, described by manifest.json.

manifest.json   {"schema": 1, "classes": 64, "origin": {…}, "digest": "…"}
train.npy  test.npy                  uint8, (images, 3, size, size)
train-labels.npy  test-labels.npy    int64, (images,)
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ademamix.data.pictures import SPLITS, UINT8, Read, Wish
from ademamix.errors import UserError

SCHEMA = 1


class Arrays:
    """A prepared folder, as `Pictures`.

    Raises:
        UserError: a file is missing or damaged, or the folder of a newer schema.
    """

    cropped = False  # a device crops small images faster (`augmentation.crop`)

    def __init__(self, folder: Path, wish: Wish) -> None:
        self.wish = wish
        try:
            manifest = json.loads((folder / "manifest.json").read_text())
            self._images = {split: np.load(folder / f"{split}.npy", mmap_mode="r") for split in SPLITS}
            self._labels = {split: np.load(folder / f"{split}-labels.npy") for split in SPLITS}
        except (OSError, ValueError):
            raise UserError(f"the images in {folder} are damaged; delete it and run again") from None
        if manifest["schema"] > SCHEMA:
            raise UserError(f"{folder} has a newer format than this code reads; update the code")
        if (size := self._images["train"].shape[-1]) != wish.size:
            raise UserError(f"{folder} holds images of {size} pixels, the model takes {wish.size}")
        self.classes: int = manifest["classes"]
        self.digest: str = manifest["digest"]
        self.counts = {split: len(labels) for split, labels in self._labels.items()}

    def whole(self, split: str, indices: NDArray[np.int64]) -> Read:
        return Read(self._images[split][indices], self._labels[split][indices])

    def training(self, t: int) -> Read:
        return self.whole("train", self.wish.plan(t).indices)


def write(
    folder: Path,
    splits: Mapping[str, tuple[UINT8, NDArray[np.int64]]],
    classes: int,
    origin: Mapping[str, Any],
) -> None:
    """Write images and labels of each split; the manifest goes last."""
    digest = hashlib.sha256()
    for split in SPLITS:
        images, labels = splits[split]
        np.save(folder / f"{split}.npy", images)
        np.save(folder / f"{split}-labels.npy", labels.astype(np.int64))
        digest.update(images.tobytes())
        digest.update(labels.astype(np.int64).tobytes())
    manifest = {
        "schema": SCHEMA,
        "classes": classes,
        "origin": dict(origin),
        "digest": digest.hexdigest()[:12],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
