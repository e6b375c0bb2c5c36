"""What is random about the images of update t: uniform numbers, a function of (seed, t), a row for each.

From them follow crop, flip, jitter and mixup: nothing is drawn anywhere else, so that it does not matter
which process, or which rank, makes which row.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ademamix.tasks.vision import Augmentation

ATTEMPTS = 10  # at a crop of random area and shape that fits into the image
# Columns of a row of draws; the first are the areas, then the shapes, of the attempts.
LEFT, TOP, FLIP, JITTERED, BRIGHTNESS, CONTRAST, SATURATION, HUE = range(2 * ATTEMPTS, 2 * ATTEMPTS + 8)
COLUMNS = 2 * ATTEMPTS + 8
SHAPES = (3 / 4, 4 / 3)  # width by height of a crop
Draws = NDArray[np.float64]


def draws(seed: int, t: int, batch: int) -> Draws:
    """Uniform numbers in [0, 1), shape (batch, COLUMNS), of update t."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, t)))).random((batch, COLUMNS))


def mixing(seed: int, t: int, alpha: float) -> float:
    """The share that each image keeps in the mixup of update t: Beta(alpha, alpha); 1 without mixup."""
    if not alpha:
        return 1.0
    return float(
        np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, t, 1)))).beta(alpha, alpha)
    )


def partners(rows: NDArray[np.int64], batch: int) -> NDArray[np.int64]:
    """The rows that `rows` are mixed with: neighbours in pairs; the last of an odd batch stays alone."""
    other = rows ^ 1
    return np.where(other < batch, other, rows)


def boxes(of: Draws, aspect: NDArray[np.float64] | float, how: "Augmentation") -> NDArray[np.float64]:
    """Random resized crops of images of `aspect` (width by height): (n, 4) of left, top, width, height.

    In shares of the width and of the height; a box that is to be mirrored begins at its right edge and has
    a negative width. As torchvision's `RandomResizedCrop`: an area of at least `how.crop` of the image, a
    shape within SHAPES, the first attempt that fits, otherwise the middle.
    """
    aspect = np.broadcast_to(aspect, len(of))
    area = (how.crop + (1 - how.crop) * of[:, :ATTEMPTS]) * aspect[:, None]
    low, high = map(math.log, SHAPES)
    shape = np.exp(low + (high - low) * of[:, ATTEMPTS : 2 * ATTEMPTS])
    width, height = np.sqrt(area * shape), np.sqrt(area / shape)
    fits = (width <= aspect[:, None]) & (height <= 1)
    first = fits.argmax(axis=1)
    each = np.arange(len(of))
    any_fits = fits[each, first]
    w = np.where(any_fits, width[each, first], np.minimum(aspect, SHAPES[1])) / aspect
    h = np.where(any_fits, height[each, first], np.minimum(1, aspect / SHAPES[0]))
    middle = ~any_fits
    left = np.where(middle, 0.5, of[:, LEFT]) * (1 - w)
    top = np.where(middle, 0.5, of[:, TOP]) * (1 - h)
    flipped = of[:, FLIP] < how.flip
    return np.stack([np.where(flipped, left + w, left), top, np.where(flipped, -w, w), h], axis=1)
