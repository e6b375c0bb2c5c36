"""The task of a `VisionRun`: augmented, mixed-up images; losses and accuracies on clean ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ademamix import models
from ademamix.data import augmentation, crops
from ademamix.data.locate import ensure
from ademamix.data.pictures import Crops, Wish
from ademamix.data.sampler import Ahead
from ademamix.errors import UserError
from ademamix.quantities import Quantity
from ademamix.tasks.vision import CleanTrainingLoss, OfImages, TestLoss, Top1, Top5

if TYPE_CHECKING:
    from ademamix.tasks.vision import VisionRun


class Batch(NamedTuple):
    """Images (n, 3, size, size), what they show, what is mixed into them, and the share that they keep."""

    images: Tensor
    labels: Tensor
    others: Tensor
    share: float


class Answers(NamedTuple):
    """The logits of a model on fixed images, what would have been right, and the weights that gave them."""

    logits: Tensor
    labels: Tensor
    weights: list[Tensor]


class VisionTask:
    """What the loop knows of image classification.

    Args:
        spec: the run.
        data_root: where prepared data lives.
        device: where batches go.
    """

    def __init__(self, spec: "VisionRun", data_root: Path, device: torch.device) -> None:
        self.spec = spec
        self.device = device
        self._rows = np.arange(spec.batch)  # that this process trains on; `batch` is told which
        wish = Wish(spec.model.image, spec.augmentation, self._plan)
        self.pictures = spec.data.open(ensure(spec.data, data_root), wish)
        if self.pictures.classes > spec.model.classes:
            raise UserError(
                f"the images have {self.pictures.classes:,} classes, the model {spec.model.classes:,}; "
                "'ademamix data check' says what is wrong with them"
            )
        if self.pictures.counts["train"] < spec.batch:
            raise UserError("there are fewer training images than one batch")
        self._order = Ahead(spec.seed, spec.batch, self.pictures.counts["train"])
        self._held: dict[tuple[str, int], tuple[Tensor, Tensor]] = {}  # clean images, read once
        self._answers: dict[tuple[str, int], Answers] = {}

    @property
    def digest(self) -> str:
        return self.pictures.digest

    def model(self) -> nn.Module:
        return models.build(self.spec.model, self.spec.seed).to(self.device)

    def batch(self, t: int, rows: slice = slice(None)) -> Batch:
        """The images of update t, normalised, with what is mixed into them."""
        spec, mixup = self.spec, self.spec.augmentation.mixup
        self._rows = np.arange(spec.batch)[rows]
        read = self.pictures.training(t)
        images, labels = self._augmented(self._to_device(read.images), t), self._to_device(read.labels)
        share = crops.mixing(spec.seed, t, mixup)
        if not mixup:
            return Batch(images, labels, labels, share)
        others = crops.partners(self._rows, spec.batch)
        places = [torch.from_numpy(np.searchsorted(self._read(), some)) for some in (self._rows, others)]
        mine, theirs = (place.to(self.device) for place in places)
        return Batch(torch.lerp(images[theirs], images[mine], share), labels[mine], labels[theirs], share)

    def _read(self) -> NDArray[np.int64]:
        """The rows that are read: this process's own, and those that are mixed into them."""
        if not self.spec.augmentation.mixup:
            return self._rows
        return np.union1d(self._rows, crops.partners(self._rows, self.spec.batch))

    def _plan(self, t: int) -> Crops:
        spec, rows = self.spec, self._read()
        return Crops(self._order.of(t)[rows], crops.draws(spec.seed, t, spec.batch)[rows])

    def _augmented(self, raw: Tensor, t: int) -> Tensor:
        how, of = self.spec.augmentation, self._plan(t).draws
        images = raw.float().div_(255)
        if not self.pictures.cropped:
            images = augmentation.crop(images, crops.boxes(of, 1.0, how))
        return augmentation.normalised(augmentation.jitter(images, of, how))

    def split(self, batch: Batch, size: int) -> Sequence[tuple[Batch, int]]:
        parts = zip(batch.images.split(size), batch.labels.split(size), batch.others.split(size), strict=True)
        return [(Batch(*part, batch.share), len(part[0])) for part in parts]

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean cross-entropy with the mixed labels, in nats."""
        logits = model(batch.images).float()
        own = F.cross_entropy(logits, batch.labels)
        if not self.spec.augmentation.mixup:
            return own
        return torch.lerp(F.cross_entropy(logits, batch.others), own, batch.share)

    def refused(self, quantity: Quantity) -> str:
        return "" if isinstance(quantity, OfImages) else "cannot be observed of images"

    def measure(self, quantity: Quantity, model: nn.Module, size: int) -> float:
        assert isinstance(quantity, OfImages)
        found = self._answered(quantity, model, size)
        if isinstance(quantity, CleanTrainingLoss | TestLoss):
            return float(F.cross_entropy(found.logits.double(), found.labels))
        best = {Top1: 1, Top5: 5}[type(quantity)]
        likeliest = found.logits.topk(min(best, found.logits.shape[1])).indices
        return float((likeliest == found.labels[:, None]).any(1).double().mean())

    def _answered(self, quantity: OfImages, model: nn.Module, size: int) -> Answers:
        """The model's answers; those that it gave with the very weights it has now serve all quantities."""
        key = (quantity.SPLIT, quantity.images)
        weights = [p.detach() for p in model.parameters()]
        known = self._answers.get(key)
        if known is None or not all(map(torch.equal, known.weights, weights)):
            images, labels = self._clean(*key)
            logits = [model(self._normalised(part)).float() for part in images.split(size)]
            known = Answers(torch.cat(logits), labels.to(self.device), [w.clone() for w in weights])
            self._answers[key] = known
        return known

    def _clean(self, split: str, count: int) -> tuple[Tensor, Tensor]:
        """Fixed images without augmentation, uint8 in the host's memory, and their labels."""
        if (split, count) not in self._held:
            there = self.pictures.counts[split]
            chosen = np.linspace(0, there - 1, min(count, there)).astype(np.int64)
            read = self.pictures.whole(split, chosen)
            self._held[split, count] = (torch.from_numpy(read.images), torch.from_numpy(read.labels))
        return self._held[split, count]

    def _normalised(self, raw: Tensor) -> Tensor:
        return augmentation.normalised(raw.to(self.device).float().div_(255))

    def _to_device(self, array: NDArray[np.generic]) -> Tensor:
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor
