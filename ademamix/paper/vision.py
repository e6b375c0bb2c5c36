"""The paper's ViTs and what it tried for them (appendix B.3, Tables 5 and 6), from configs/models."""

from functools import cache

from ademamix.models.vit import ViTConfig
from ademamix.paper.setups import Searched, read
from ademamix.values import Frozen, Steps


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
        """How the set-up is called: 'vit-86M/imagenet-1k'."""
        return f"vit-{self.size}/{self.set}"

    @property
    def title(self) -> str:
        return f"{self.size} on {self.images} images"


class VisionTried(Frozen):
    """What was tried in all settings: AdamW's β1, AdEMAMix's α and β3."""

    beta1: list[float]
    alpha: list[float]
    beta3: list[float]


class Vision(Frozen):
    """All of configs/models/vision.yaml."""

    sizes: dict[str, ViTConfig]
    batch: Steps
    steps: Steps
    tried: VisionTried
    settings: list[VisionSetting]


@cache
def vision() -> Vision:
    """The paper's vision set-ups."""
    return read(Vision, "vision.yaml")
