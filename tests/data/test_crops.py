"""What is random about images: a pure function; boxes within images; crops and colours as torchvision's."""

import numpy as np
import pytest
import torch

from ademamix.data import augmentation, crops
from ademamix.tasks.vision import Augmentation

HOW = Augmentation()


def test_draws_are_a_function_of_seed_and_update() -> None:
    assert np.array_equal(crops.draws(3, 7, 8), crops.draws(3, 7, 8))
    assert not np.array_equal(crops.draws(3, 7, 8), crops.draws(3, 8, 8))
    assert not np.array_equal(crops.draws(3, 7, 8), crops.draws(4, 7, 8))
    assert crops.mixing(3, 7, 0.2) == crops.mixing(3, 7, 0.2) != crops.mixing(3, 8, 0.2)
    assert crops.mixing(3, 7, 0.0) == 1.0


def test_partners_are_pairs_and_the_odd_one_stays_alone() -> None:
    assert crops.partners(np.arange(5), 5).tolist() == [1, 0, 3, 2, 4]
    assert crops.partners(np.array([3]), 5).tolist() == [2]


@pytest.mark.parametrize("aspect", [1.0, 1.5, 0.2, 4.0])
def test_boxes_lie_within_the_image_and_have_the_areas_asked_for(aspect: float) -> None:
    boxes = crops.boxes(crops.draws(0, 1, 4_000), aspect, HOW)
    left = np.minimum(boxes[:, 0], boxes[:, 0] + boxes[:, 2])
    width, top, height = np.abs(boxes[:, 2]), boxes[:, 1], boxes[:, 3]
    assert (left >= -1e-12).all()
    assert (left + width <= 1 + 1e-12).all()
    assert ((top >= -1e-12) & (top + height <= 1 + 1e-12)).all()
    assert np.mean(boxes[:, 2] < 0) == pytest.approx(HOW.flip, abs=0.03)
    shape = width * aspect / height
    assert shape.min() >= 3 / 4 - 1e-9
    assert shape.max() <= 4 / 3 + 1e-9
    if aspect == 1.0:
        assert (width * height).min() >= HOW.crop
        assert (width * height).mean() == pytest.approx(0.5, abs=0.05)


def test_a_crop_of_the_device_is_the_box_of_the_image() -> None:
    images = torch.arange(64.0).reshape(1, 1, 8, 8).expand(2, 3, 8, 8) / 64
    whole, mirrored = [0.0, 0.0, 1.0, 1.0], [1.0, 0.0, -1.0, 1.0]
    found = augmentation.crop(images, np.array([whole, mirrored]))
    torch.testing.assert_close(found[0], images[0])
    torch.testing.assert_close(found[1], images[1].flip(-1))
    quarter = augmentation.crop(images[:1], np.array([[0.5, 0.5, 0.5, 0.5]]))
    assert quarter.min() >= images[0, 0, 4, 4] - 0.08
    assert quarter.max() <= images.max()


def test_jitter_is_torchvisions_in_a_fixed_order() -> None:
    from torchvision.transforms.v2 import functional as V

    images = torch.rand(16, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    of = crops.draws(1, 1, 16)
    how = Augmentation(hue=0.1)
    found = augmentation.jitter(images, of, how)
    for one, made, row in zip(images, found, of, strict=True):
        if row[crops.JITTERED] < how.jitter:
            factor = lambda column: 1 + how.strength * (2 * row[column] - 1)  # noqa: B023, E731
            one = V.adjust_brightness(one, factor(crops.BRIGHTNESS))
            one = V.adjust_contrast(one, factor(crops.CONTRAST))
            one = V.adjust_saturation(one, factor(crops.SATURATION))
            one = V.adjust_hue(one, how.hue * (2 * row[crops.HUE] - 1))
        torch.testing.assert_close(made, one, atol=2e-3, rtol=0)
