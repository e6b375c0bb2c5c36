"""The sets of images that the paper trains on, as they are released: counts, licence, how to get them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Released:
    """A public set of images; counts of images, and of classes."""

    train: int
    test: int
    classes: int
    licence: str
    source: str


_TERMS = "for non-commercial research, by the terms of ImageNet (image-net.org), which you accept there"
RELEASED = {
    # The winter release: the autumn's has 11,797,632 images of 11,221 classes.
    "imagenet-21k-p": Released(
        train=11_060_223,
        test=522_500,
        classes=10_450,
        licence=_TERMS,
        source="ImageNet-21K-P of winter 2021: 'timm/imagenet-w21-p' on the Hugging Face hub (parquet), or "
        "the folders that Alibaba-MIIL/ImageNet21K makes; 'train' and 'val' count, not 'small_classes'",
    ),
    "imagenet-1k": Released(
        train=1_281_167,
        test=50_000,
        classes=1_000,
        licence=_TERMS,
        source="ILSVRC 2012: 'timm/imagenet-1k-wds' on the Hugging Face hub (tars), or image-net.org",
    ),
}
