"""The paper's ViTs and what it tried for them (appendix B.3, Tables 5 and 6), from configs/models."""

from functools import cache
from typing import Literal

from ademamix.settings import Searched, read_yaml
from ademamix.spec import Frozen, Steps


class ViT(Frozen):
    """A vision transformer's sizes in the paper's terms; `mlp` is the width of its hidden layers."""

    kind: Literal["vit"]
    width: Steps
    mlp: Steps
    layers: Steps
    heads: Steps
    patch: Steps
    image: Steps


class VisionSetting(Frozen):
    """A model on a data set, with AdamW's best values and what was tried."""

    size: str
    images: str
    set: str
    classes: Steps
    lr: Searched
    weight_decay: Searched
    dropout: float

    @property
    def name(self) -> str:
        return f"{self.size} on {self.images} images"


class VisionTried(Frozen):
    """What was tried in all settings: AdamW's β1, AdEMAMix's α and β3."""

    beta1: list[float]
    alpha: list[float]
    beta3: list[float]


class Vision(Frozen):
    """All of configs/models/vision.yaml."""

    sizes: dict[str, ViT]
    batch: Steps
    steps: Steps
    tried: VisionTried
    settings: list[VisionSetting]


@cache
def vision() -> Vision:
    """The paper's vision set-ups."""
    return Vision.model_validate(read_yaml("vision.yaml"))
