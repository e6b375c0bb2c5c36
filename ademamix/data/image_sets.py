"""The sets of labelled images that runs can train on, each declared in one place (see `sets.py`).

- `Glyphs`  characters rendered from the fonts that matplotlib ships: as many images as wanted
- `Digits`  scikit-learn's 1,797 scanned digits, of which a part is the test set
- `Images`  files: folders, parquet or tars under the data root, such as ImageNet
"""

import hashlib
import json
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ademamix.data.released import RELEASED
from ademamix.data.sets import DataConfig
from ademamix.errors import UserError
from ademamix.values import Number, Steps, canonical

if TYPE_CHECKING:
    from ademamix.data.pictures import Pictures, Wish


class ImageData(DataConfig):
    """A set of images with labels from 0 to `classes` − 1, split into train and test."""

    classes: Steps

    def open(self, folder: Path, wish: "Wish") -> "Pictures":
        """The images in the prepared `folder`, as a run wants them."""
        from ademamix.data.arrays import Arrays

        return Arrays(folder, wish)


class MadeImages(ImageData):
    """What is made on this machine: its folder is named after all that its content depends on."""

    def folder(self, root: Path) -> Path:
        identity = json.dumps(canonical(self), sort_keys=True)
        return root / f"{self.kind}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


class Glyphs(MadeImages):
    """Characters as classes, `images` of them to train on and `tests` to test on, `size` pixels square.

    The number of images is the dial: image i is a function of (seed, i), so that a larger set contains a
    smaller one. `fonts` and `renderer` are the versions of matplotlib and Pillow.
    """

    kind: Literal["glyphs"] = "glyphs"
    images: Steps
    tests: Steps
    size: Steps
    seed: Number = 0
    fonts: str
    renderer: str

    @classmethod
    def here(cls, **values: Any) -> "Glyphs":
        return cls(**{"fonts": _version("matplotlib"), "renderer": _version("pillow"), **values})

    @property
    def samples(self) -> int:
        return self.images

    def refuse_elsewhere(self, root: Path) -> None:
        if (self.fonts, self.renderer) != (_version("matplotlib"), _version("pillow")):
            raise UserError(
                f"these glyphs need matplotlib {self.fonts} and Pillow {self.renderer}; "
                "install requirements.lock"
            )

    def prepare(self, folder: Path) -> None:
        from ademamix.data.glyphs import prepare

        prepare(self, folder)


class Digits(MadeImages):
    """scikit-learn's handwritten digits, 8 pixels square; every eighth is a test image.

    `images`: how many of the others to train on, all 1,572 of them at most.
    """

    kind: Literal["digits"] = "digits"
    classes: Steps = 10
    images: Steps = 1_572
    version: str

    @classmethod
    def here(cls, **values: Any) -> "Digits":
        return cls(**{"version": _version("scikit-learn"), **values})

    @property
    def samples(self) -> int:
        return self.images

    def prepare(self, folder: Path) -> None:
        from ademamix.data.digits import prepare

        prepare(self, folder)


class Images(ImageData):
    """Files under the data root, in a folder named after the set; `docs/data.md` says how they may lie.

    `short_edge`: what they were re-encoded to (`ademamix data prepare imagenet`): a crop from a smaller image
    is another augmentation. None: as they were released.
    """

    kind: Literal["images"] = "images"
    set: str
    short_edge: Steps | None = None

    @property
    def samples(self) -> int | None:
        return RELEASED[self.set].train if self.set in RELEASED else None

    def folder(self, root: Path) -> Path:
        return root / (f"{self.set}-{self.short_edge}px" if self.short_edge else self.set)

    def ready(self, folder: Path) -> bool:
        return folder.is_dir()

    def refuse_elsewhere(self, root: Path) -> None:
        if not self.ready(self.folder(root)):
            how = (
                f"'ademamix data check {self.set}' says how to get it"
                if self.set in RELEASED
                else "put it there"
            )
            raise UserError(f"no images at {self.folder(root)}; {how}, or name another place with --data")

    def prepare(self, folder: Path) -> None:
        raise AssertionError("found or refused, never made")

    def open(self, folder: Path, wish: "Wish") -> "Pictures":
        from ademamix.data.image_files import Files

        return Files(folder, self.classes, wish)


def _version(package: str) -> str:
    try:
        return metadata.version(package).partition("+")[0]
    except metadata.PackageNotFoundError:
        raise UserError(f"these images need the package {package}; install requirements.lock") from None
