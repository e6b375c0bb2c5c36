"""docs/glyphs.png: characters of the `cpu` scale's glyphs in columns, as 24 images have them.

python tools/contact_sheet.py
"""

import numpy as np
from PIL import Image

from ademamix.checkout import checkout
from ademamix.data.glyphs import rendered
from ademamix.data.image_sets import Glyphs
from ademamix.scale import scale

ROWS, ENLARGED = 24, 2


def main() -> None:
    data = scale("cpu").data["vit-86M/imagenet-21k-p"]
    assert isinstance(data, Glyphs)
    images, labels = rendered(data, "train", 60 * data.classes)
    columns = [np.concatenate(list(images[labels == label][:ROWS]), axis=1) for label in range(data.classes)]
    sheet = np.concatenate(columns, axis=2).transpose(1, 2, 0)
    found = Image.fromarray(sheet)
    size = (ENLARGED * found.width, ENLARGED * found.height)
    path = checkout() / "docs" / "glyphs.png"
    found.resize(size, Image.Resampling.NEAREST).quantize(192).save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    main()
