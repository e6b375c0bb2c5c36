"""Crop and colour jitter of a batch on the device, from its draws (`crops.py`), without any randomness.

Images are float, (n, 3, height, width), from 0 to 1.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as V

from ademamix.data import crops
from ademamix.data.crops import Draws

if TYPE_CHECKING:
    from ademamix.tasks.vision import Augmentation

GREY = (0.2989, 0.587, 0.114)  # weights of red, green and blue in the brightness of a colour


def crop(images: Tensor, boxes: np.ndarray) -> Tensor:
    """Each image's box (`crops.boxes`), resized to the whole, bilinearly."""
    left, top, width, height = torch.from_numpy(boxes).to(images).unbind(1)
    zero = torch.zeros_like(left)
    to_image = torch.stack(
        [
            torch.stack([width, zero, 2 * left + width - 1], 1),
            torch.stack([zero, height, 2 * top + height - 1], 1),
        ],
        1,
    )
    grid = F.affine_grid(to_image, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def jitter(images: Tensor, of: Draws, how: "Augmentation") -> Tensor:
    """Brightness, contrast and saturation of some images, times factors within 1 ± `how.strength`; the hue.

    As torchvision's `ColorJitter`, but always in this order.
    """
    chosen = of[:, [crops.JITTERED]] < how.jitter
    columns = [crops.BRIGHTNESS, crops.CONTRAST, crops.SATURATION]
    found = np.where(chosen, 1 + how.strength * (2 * of[:, columns] - 1), 1.0)
    brightness, contrast, saturation = torch.from_numpy(found).to(images)[..., None, None, None].unbind(1)
    images = (images * brightness).clamp_(0, 1)
    images = torch.lerp(_grey(images).mean((1, 2, 3), keepdim=True), images, contrast).clamp_(0, 1)
    images = torch.lerp(_grey(images), images, saturation).clamp_(0, 1)
    if not how.hue:
        return images
    turns = np.where(chosen[:, 0], how.hue * (2 * of[:, crops.HUE] - 1), 0.0)
    return torch.stack([V.adjust_hue(one, float(by)) for one, by in zip(images, turns, strict=True)])


def _grey(images: Tensor) -> Tensor:
    red, green, blue = images.split(1, dim=1)
    return (red * GREY[0]).add_(green, alpha=GREY[1]).add_(blue, alpha=GREY[2])


def normalised(images: Tensor) -> Tensor:
    """From 0…1 to −1…1."""
    return images * 2 - 1
