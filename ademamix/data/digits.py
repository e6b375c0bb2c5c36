"""`digits`: 1,797 scanned digits that scikit-learn ships, a small set of real images."""

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from ademamix.data import arrays

if TYPE_CHECKING:
    from ademamix.data.image_sets import Digits

TEST_EVERY = 8  # of eight images, one is for tests


def prepare(data: "Digits", folder: Path) -> None:
    """Write them to `folder`, grey as three equal channels."""
    import numpy as np

    # The file itself: importing scikit-learn takes seconds.
    file = metadata.distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
    rows = np.loadtxt(str(file), delimiter=",")
    labels = rows[:, 64].astype(np.int64)
    grey = (rows[:, :64] * (255 / 16)).round().astype(np.uint8)  # 0 to 16, as scanned
    images = np.repeat(grey.reshape(-1, 1, 8, 8), 3, axis=1)
    test = np.arange(len(images)) % TEST_EVERY == 0
    arrays.write(
        folder,
        {
            "train": (images[~test][: data.images], labels[~test][: data.images]),
            "test": (images[test], labels[test]),
        },
        classes=data.classes,
        origin={"kind": "digits", "scikit-learn": data.version},
    )
