"""Glyphs and digits: functions of their seed and number, classes apart, prepared once."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from ademamix.checkout import checkout
from ademamix.data import glyphs
from ademamix.data.image_sets import Digits, Glyphs
from ademamix.data.locate import ensure
from ademamix.data.pictures import Crops, Wish
from ademamix.errors import UserError
from ademamix.tasks.vision import Augmentation


def wish(size: int) -> Wish:
    return Wish(size, Augmentation(), lambda t: Crops(np.arange(4), np.zeros((4, 28))))


def test_an_image_is_a_function_of_seed_split_and_number() -> None:
    small, large = (Glyphs.here(classes=6, images=n, tests=4, size=8) for n in (5, 9))
    first, labels = glyphs.rendered(small, "train", 5)
    more, more_labels = glyphs.rendered(large, "train", 9)
    assert np.array_equal(
        first, more[:5]
    )  # the number of images is a dial: a larger set contains the smaller
    assert np.array_equal(labels, more_labels[:5])
    assert not np.array_equal(first, glyphs.rendered(small, "test", 5)[0])
    assert not np.array_equal(first, glyphs.rendered(small.model_copy(update={"seed": 1}), "train", 5)[0])


def test_classes_do_not_look_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    found = glyphs.characters(60)
    assert len(set(found)) == 60
    assert found[:10] == tuple("0123456789")
    assert not {"V", "v"} <= set(found)  # one shape, two sizes
    assert not {"b", "d"} <= set(found)  # mirror images
    monkeypatch.setattr(glyphs, "KINDS", ("N",))
    with pytest.raises(UserError, match="fewer than 50000 classes"):
        glyphs.characters(50_000)


def test_a_set_is_made_once_and_named_after_all_that_it_depends_on(tmp_path: Path) -> None:
    data = Glyphs.here(classes=4, images=12, tests=6, size=8)
    folder = ensure(data, tmp_path)
    before = (folder / "manifest.json").stat().st_mtime_ns
    assert ensure(data, tmp_path) == folder
    assert (folder / "manifest.json").stat().st_mtime_ns == before
    other = data.model_copy(update={"images": 13})
    assert other.folder(tmp_path) != folder
    pictures = data.open(folder, wish(8))
    assert pictures.counts == {"train": 12, "test": 6}
    assert pictures.training(1).images.shape == (4, 3, 8, 8)
    with pytest.raises(UserError, match="8 pixels, the model takes 16"):
        data.open(folder, wish(16))
    (folder / "train.npy").write_bytes(b"torn")
    with pytest.raises(UserError, match="damaged"):
        data.open(folder, wish(8))
    with pytest.raises(UserError, match=r"need matplotlib 1\.0"):
        ensure(data.model_copy(update={"fonts": "1.0"}), tmp_path)


def test_digits_are_those_of_scikit_learn(tmp_path: Path) -> None:
    if find_spec("sklearn") is None:  # importing it would take seconds
        pytest.skip("needs scikit-learn")
    data = Digits.here(images=100)
    pictures = data.open(ensure(data, tmp_path), wish(8))
    assert pictures.counts == {"train": 100, "test": 225}
    whole = pictures.whole("test", np.arange(225))
    assert set(whole.labels.tolist()) == set(range(10))
    assert whole.images.max() == 255


def test_the_contact_sheet_is_committed() -> None:
    assert (checkout() / "docs" / "glyphs.png").stat().st_size > 10_000
