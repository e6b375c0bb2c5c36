"""What a task asks of a set of images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ademamix.data.crops import Draws

if TYPE_CHECKING:
    from ademamix.tasks.vision import Augmentation

SPLITS = ("train", "test")
UINT8: TypeAlias = NDArray[np.uint8]


class Read(NamedTuple):
    """Images (n, 3, size, size), and their labels: of the images that were read, whatever was asked for."""

    images: UINT8
    labels: NDArray[np.int64]


class Crops(NamedTuple):
    """What of the training images update t needs: which, and the draws that crop them (`crops.boxes`)."""

    indices: NDArray[np.int64]
    draws: Draws


class Pictures(Protocol):
    """Labelled images, read in any order."""

    cropped: bool  # whether `training` crops; otherwise the device does
    classes: int  # labels are below it
    digest: str  # a hash of the content, for the record
    counts: dict[str, int]  # split → images

    def whole(self, split: str, indices: NDArray[np.int64]) -> Read:
        """Images as they are tested: their middle."""
        ...

    def training(self, t: int) -> Read:
        """What update t trains on, by the plan that the set was opened with."""
        ...


@dataclass(frozen=True)
class Wish:
    """How a run wants its images.

    Attributes:
        size: in pixels.
        how: the augmentation.
        plan: t → what update t needs of them, a pure function, so that it can be read ahead.
    """

    size: int
    how: "Augmentation"
    plan: Callable[[int], Crops]
