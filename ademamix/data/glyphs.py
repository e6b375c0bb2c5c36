"""`glyphs`: characters as classes, rendered from the fonts that matplotlib ships.

Image i of a split is a function of (seed, split, i): its class, the font, how it is turned, sheared, scaled
and moved, its blur, its two colours, its grain. Classes are characters that every font has and that no other
class looks like: neither as its mirror image, since augmentation flips images, nor at another size.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from ademamix.data import arrays
from ademamix.data.pictures import SPLITS, UINT8
from ademamix.errors import UserError

if TYPE_CHECKING:
    from ademamix.data.image_sets import Glyphs

FAMILIES = ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono")
STYLES = ("", "-Bold", "-Oblique", "-BoldOblique", "-Italic", "-BoldItalic")
KINDS = ("L", "N")  # letters and numbers, by Unicode's general category
FINE = 4  # pixels of a sheet for each of an image's, along an edge
ALIKE = 0.25  # classes differ by more than this share of their ink, whatever their size, mirrored or not
LOOK = 24  # pixels at which characters are compared

# What an image varies over.
TURN, SHEAR = 15.0, 0.2  # degrees, and slope, either way
SCALES = (0.75, 1.1)  # of the image's edge, for an em
SHIFT = 0.06  # of the image's edge, either way
BLUR = 0.04  # of the image's edge, at most
CONTRAST = 60.0  # of 255: how much darker the ink is than the paper, at least
GRAIN = 12.0  # standard deviation, of 255, at most


def prepare(data: "Glyphs", folder: Path) -> None:
    """Render the set into `folder`: some thousands of images a second."""
    counts = dict(zip(SPLITS, (data.images, data.tests), strict=True))
    arrays.write(
        folder,
        {split: rendered(data, split, count) for split, count in counts.items()},
        classes=data.classes,
        origin={"kind": "glyphs", "matplotlib": data.fonts, "pillow": data.renderer, "seed": data.seed},
    )


def rendered(data: "Glyphs", split: str, count: int) -> tuple[UINT8, NDArray[np.int64]]:
    """The first `count` images of a split, (count, 3, size, size), and their labels."""
    known = characters(data.classes)
    images = np.empty((count, 3, data.size, data.size), np.uint8)
    labels = np.empty(count, np.int64)
    for i in range(count):
        draw = np.random.Generator(np.random.Philox(key=[data.seed, 2 * i + SPLITS.index(split)]))
        labels[i] = draw.integers(len(known))
        images[i] = image(known[labels[i]], data.size, draw)
    return images, labels


def image(character: str, size: int, draw: np.random.Generator) -> UINT8:
    """A rendering of `character`, (3, size, size), as `draw` has it."""
    font = fonts()[draw.integers(len(fonts()))]
    sheet = FINE * size
    ink = _moved(_em(character, font, sheet), draw).resize((size, size), Image.Resampling.BOX)
    ink = ink.filter(ImageFilter.GaussianBlur(draw.uniform(0, BLUR) * size))
    paper, colour = _two_colours(draw)
    share = np.asarray(ink, np.float64)[None] / 255
    mixed = paper[:, None, None] + share * (colour - paper)[:, None, None]
    mixed += draw.uniform(0, GRAIN) * draw.standard_normal(mixed.shape)
    return mixed.round().clip(0, 255).astype(np.uint8)


def _moved(em: Image.Image, draw: np.random.Generator) -> Image.Image:
    """A random affine map of the sheet about its centre."""
    turn, shear = np.deg2rad(draw.uniform(-TURN, TURN)), draw.uniform(-SHEAR, SHEAR)
    scale = draw.uniform(*SCALES) / SCALES[1]
    cos, sin = np.cos(turn), np.sin(turn)
    to_sheet = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, shear], [0, 1]]) / scale
    middle = em.width / 2
    shift = draw.uniform(-SHIFT, SHIFT, 2) * em.width
    offset = middle - to_sheet @ (middle + shift)
    matrix = (*to_sheet[0], offset[0], *to_sheet[1], offset[1])
    return em.transform(em.size, Image.Transform.AFFINE, tuple(map(float, matrix)), Image.Resampling.BILINEAR)


def _two_colours(draw: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Colours of the paper and of the ink, which is darker."""
    while True:
        paper, ink = draw.uniform(0, 255, (2, 3))
        if paper.mean() - ink.mean() >= CONTRAST:
            return paper, ink


@cache
def _em(character: str, font: str, sheet: int) -> Image.Image:
    """The character in the middle of a sheet, white on black, at the largest scale."""
    drawn = Image.new("L", (sheet, sheet))
    face = _face(font, round(sheet * SCALES[1]))
    ImageDraw.Draw(drawn).text((sheet / 2, sheet / 2), character, fill=255, font=face, anchor="mm")
    return drawn


@cache
def _face(font: str, pixels: int) -> ImageFont.FreeTypeFont:
    # Basic layout, so that the picture does not depend on a shaping library that may be installed.
    return ImageFont.truetype(font, pixels, layout_engine=ImageFont.Layout.BASIC)


@cache
def fonts() -> tuple[str, ...]:
    """Paths of the fonts, in a fixed order."""
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    paths = [folder / f"{family}{style}.ttf" for family in FAMILIES for style in STYLES]
    return tuple(str(path) for path in paths if path.exists())


@cache
def characters(count: int) -> tuple[str, ...]:
    """The first `count` classes, by code point.

    Raises:
        UserError: the fonts have fewer.
    """
    found = []
    for character in _distinct():
        found.append(character)
        if len(found) == count:
            return tuple(found)
    raise UserError(f"the fonts have {len(found)} characters that look different, fewer than {count} classes")


def _distinct() -> Iterator[str]:
    """Characters that all fonts have, each unlike those before it."""
    from fontTools.ttLib import TTFont

    shared = set.intersection(*(set(TTFont(path, lazy=True).getBestCmap()) for path in fonts()))
    seen = np.empty((0, LOOK * LOOK))
    for character in map(chr, sorted(shared)):
        if unicodedata.category(character)[0] not in KINDS:
            continue
        look = _look(character)
        if look.any() and not any(_any_alike(seen, side.ravel()) for side in (look, look[:, ::-1])):
            yield character
            seen = np.vstack([seen, look.ravel()])


def _look(character: str) -> NDArray[np.float64]:
    """The character's shape whatever its size: its box fitted into a square."""
    drawn = _em(character, fonts()[0], 2 * LOOK)
    box = drawn.getbbox() or (0, 0, 1, 1)
    edge = max(box[2] - box[0], box[3] - box[1])
    middle = [(low + high) / 2 for low, high in zip(box[:2], box[2:], strict=True)]
    x, y = (min(max(place - edge / 2, 0.0), float(drawn.width - edge)) for place in middle)
    fitted = drawn.resize((LOOK, LOOK), Image.Resampling.BOX, box=(x, y, x + edge, y + edge))
    return np.asarray(fitted, np.float64)


def _any_alike(seen: NDArray[np.float64], look: NDArray[np.float64]) -> bool:
    if not len(seen):
        return False
    ink = np.maximum(seen.sum(axis=1), look.sum())
    return bool((np.abs(seen - look).sum(axis=1) < ALIKE * ink).any())
