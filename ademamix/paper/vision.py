"""The paper's ViTs and what it tried for them (appendix B.3, Tables 5 and 6), from configs/models."""

from functools import cache
from typing import Any

from ademamix.data.image_sets import Images
from ademamix.models.vit import ViTConfig
from ademamix.optimizers import OptimizerConfig
from ademamix.paper.setups import Searched, Setup, read
from ademamix.schedules import Cosine
from ademamix.tasks.vision import VisionRun
from ademamix.values import Frozen, Positive, Steps, Warmup


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


class Unstated(Frozen):
    """What a run needs and the paper does not say."""

    warmup: Warmup
    final_lr: float
    clipping: Positive | None


class Vision(Frozen):
    """All of configs/models/vision.yaml."""

    sizes: dict[str, ViTConfig]
    batch: Steps
    steps: Steps
    unstated: Unstated
    tried: VisionTried
    settings: list[VisionSetting]


class VisionSetup(Setup):
    """A setting as a set-up that runs; AdEMAMix keeps AdamW's best values, learning rate and all."""

    setting: VisionSetting

    def run(self, optimizer: str, horizon: int, **changes: Any) -> VisionRun:
        """AdEMAMix warms α and β3 up over the whole horizon; they are `changes`, with no best of theirs."""
        of, known = self.setting, vision()
        kind, more = OptimizerConfig.member(optimizer), known.unstated
        values: dict[str, Any] = {"lr": of.lr.best, "weight_decay": of.weight_decay.best}
        if kind.HAS_SLOW_EMA:
            values |= dict.fromkeys(("alpha_warmup", "beta3_warmup"), horizon)
        return VisionRun(
            model=known.sizes[of.size].model_copy(update={"classes": of.classes, "dropout": of.dropout}),
            data=Images(set=of.set, classes=of.classes),
            optimizer=kind(kind=optimizer, **{**values, **changes}),
            schedule=Cosine(warmup=more.warmup, horizon=horizon, final_lr=more.final_lr),
            batch=self.batch,
            seed=0,
            precision="bf16",
            clipping=more.clipping,
        )


@cache
def vision() -> Vision:
    """What the file says."""
    return read(Vision, "vision.yaml")


@cache
def vision_setups() -> tuple[VisionSetup, ...]:
    """The paper's three settings, in its order."""
    return tuple(
        VisionSetup(
            name=setting.name,
            batch=vision().batch,
            lr=dict.fromkeys(("adamw", "ademamix"), setting.lr.best),
            setting=setting,
        )
        for setting in vision().settings
    )
