"""A file's bytes → an RGB image; whatever is wrong with them is one exception."""

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I")


class Unreadable(Exception):
    """Bytes that are no image, or a damaged one."""


def decode(raw: bytes) -> Image.Image:
    """The image as RGB.

    Raises:
        Unreadable: says why in a few words.
    """
    return as_rgb(load(raw))


def load(raw: bytes) -> Image.Image:
    """The image in the mode that it was saved in, all of it read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on odd metadata, of which ImageNet has some
            image = Image.open(io.BytesIO(raw))
            image.load()
        return image
    except UnidentifiedImageError:
        raise Unreadable("no image" if raw else "empty") from None
    except Exception as error:  # Pillow raises whatever its plugins meet in a damaged file
        raise Unreadable(" ".join(str(error).split()) or type(error).__name__) from None


def as_rgb(image: Image.Image) -> Image.Image:
    """An image of any mode as RGB: 16 bits are scaled to 8, transparency is dropped."""
    if image.mode == "RGB":
        return image
    if image.mode in SIXTEEN_BITS:  # Pillow's own conversion clips
        grey = np.asarray(image).astype(np.int64).clip(0, 65_535) // 257
        image = Image.fromarray(grey.astype(np.uint8))
    if image.mode == "P":  # its transparency may be a table that RGB cannot take
        image = image.convert("RGBA")
    return image.convert("RGB")
