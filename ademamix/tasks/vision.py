"""Image classification as a run states it; `vision_task.py` is what the loop trains."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from ademamix.data.image_sets import ImageData
from ademamix.models.vit import ViTConfig
from ademamix.quantities import Quantity
from ademamix.spec import RunSpec
from ademamix.values import Frozen, NonNegative, Role, Share, Steps

if TYPE_CHECKING:
    import torch

    from ademamix.tasks.vision_task import VisionTask

Probability = Annotated[float, Field(ge=0, le=1)]


class Augmentation(Frozen):
    """What training images go through (appendix B.3); the paper names what has no comment here.

    Attributes:
        crop: the smallest share of an image's area that a random resized crop has; 1 and 8% are usual.
        flip: how often an image is mirrored.
        jitter: how often colours are jittered.
        strength: how far brightness, contrast and saturation go from 1 then. Not in the paper; timm's 0.4.
        hue: how far the hue is turned, of a whole turn. Not in the paper; 0 as timm, since it costs most.
        mixup: α of the Beta distribution of the share that an image keeps; 0: no mixup. Not in the paper;
            0.2, as in big_vision's recipes for these models.
    """

    crop: Annotated[float, Field(gt=0, le=1)] = 0.08
    flip: Probability = 0.5
    jitter: Probability = 0.8
    strength: Share = 0.4
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    mixup: NonNegative = 0.2


class VisionRun(RunSpec):
    """A vision transformer that learns to name images, with mixed-up labels; batch: images."""

    # Loaded where workers are forked from: seconds each would need otherwise.
    PRELOAD: ClassVar[tuple[str, ...]] = ("timm.models", "ademamix.tasks.vision_task")
    task: Literal["vision"] = "vision"
    model: Annotated[ViTConfig, Role.MODEL]
    data: Annotated[ImageData, BeforeValidator(ImageData.read), Role.DATA]
    augmentation: Annotated[Augmentation, Role.AUGMENTATION] = Augmentation()

    @model_validator(mode="after")
    def _a_class_for_each_label(self) -> "VisionRun":
        if self.model.classes < self.data.classes:
            raise ValueError(f"the model has {self.model.classes} classes, the data {self.data.classes}")
        return self

    def open(self, data_root: Path, device: "torch.device") -> "VisionTask":
        from ademamix.tasks.vision_task import VisionTask

        return VisionTask(self, data_root, device)


class OfImages(Quantity):
    """Something measured on that many fixed images, spread evenly over a split, without augmentation."""

    SPLIT: ClassVar[str]
    images: Steps


class CleanTrainingLoss(OfImages):
    """Mean cross-entropy on training images without augmentation or mixup (the paper's training loss)."""

    NAME, SPLIT = "clean_training_loss", "train"


class TestLoss(OfImages):
    """Mean cross-entropy on test images."""

    NAME, SPLIT = "test_loss", "test"


class Top1(OfImages):
    """The share of test images whose class is the likeliest."""

    NAME, SPLIT = "top1", "test"


class Top5(OfImages):
    """The share of test images whose class is among the five likeliest."""

    NAME, SPLIT = "top5", "test"
