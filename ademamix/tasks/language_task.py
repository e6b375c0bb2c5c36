"""The task of a `LanguageRun`: windows of tokens, next-token cross-entropy, losses on held-out text."""

from collections.abc import Callable, Sequence
from functools import partial, singledispatchmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ademamix import models
from ademamix.data.locate import ensure
from ademamix.data.next_batch import NextBatch
from ademamix.data.sampler import Ahead, order
from ademamix.data.tokens import Tokens
from ademamix.errors import UserError
from ademamix.quantities import Accuracy, BatchLoss, Observed, Quantity, ReserveLoss, ValidationLoss

if TYPE_CHECKING:
    from ademamix.tasks.language import LanguageRun

RESERVE = 0  # the order in which batches are taken from the reserve split


class LanguageTask:
    """What the loop knows of language modelling; a batch is windows, int64, (samples, sequence + 1).

    Args:
        spec: the run.
        data_root: where prepared data lives.
        device: where batches go.
    """

    def __init__(self, spec: "LanguageRun", data_root: Path, device: torch.device) -> None:
        self.spec = spec
        self.device = device
        self.tokens = Tokens(ensure(spec.data, data_root))
        if why := spec.refused_data(data_root, until=1, repeat=True):
            raise UserError(why)
        self.train = self.tokens.split("train", spec.sequence)
        self._ahead = Ahead(spec.seed, spec.batch, len(self.train), self.train.read)
        self._held: dict[Quantity, list[Tensor]] = {}  # what quantities are measured on, read once
        # A GPU is fed while it works; on a CPU a thread would take the time that it saves.
        self._next = (
            NextBatch(self._pinned, partial(torch.cuda.set_device, device)) if _is_gpu(device) else None
        )

    @property
    def digest(self) -> str:
        return self.tokens.digest

    def model(self) -> nn.Module:
        return models.build(self.spec.model, self.spec.seed).to(self.device)

    def batch(self, t: int, rows: slice = slice(None)) -> Tensor:
        """The windows of update t."""
        fork = self.spec.fork
        if fork and fork.inject is not None and t == fork.step + 1:
            return self.reserve(fork.inject)[rows]
        if self._next:
            return self._next(t, rows).to(self.device, non_blocking=True)
        return self._to_device(self._windows(t, rows))

    def _windows(self, t: int, rows: slice) -> np.ndarray:
        return self._ahead.of(t)[rows]

    def _pinned(self, t: int, rows: slice) -> Tensor:
        return torch.from_numpy(self._windows(t, rows)).pin_memory()

    def split(self, batch: Tensor, size: int) -> Sequence[tuple[Tensor, int]]:
        return [(part, len(part)) for part in batch.split(size)]

    def reserve(self, number: int) -> Tensor:
        """Batch `number` of the reserve split, windows in an order that no run's seed changes."""
        split = self.tokens.split("reserve", self.spec.sequence)
        size = self.spec.batch
        if (number + 1) * size > len(split):
            raise UserError(f"the reserve split of {self.tokens.folder} has no batch {number}")
        return self._to_device(split.read(order(RESERVE, number * size, size, len(split))))

    def loss(self, model: nn.Module, batch: Tensor) -> Tensor:
        """Mean cross-entropy, in nats per token, of predicting each next token."""
        logits = model(batch[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten())

    def validation(self, windows: int) -> Tensor:
        """So many fixed windows, spread evenly over the validation split."""
        split = self.tokens.split("validation", self.spec.sequence)
        count = min(windows, len(split))
        if not count:
            raise UserError(f"the validation split of {self.tokens.folder} is empty")
        return self._to_device(split.read(np.linspace(0, len(split) - 1, count).astype(np.int64)))

    def refused(self, quantity: Quantity) -> str:
        """Why a quantity cannot be measured: not one of language models, or more text than there is."""
        if isinstance(quantity, Accuracy):
            from ademamix.evaluation.measure import refused

            return refused(quantity, self.spec)
        if not isinstance(quantity, ValidationLoss | ReserveLoss | BatchLoss):
            return "cannot be observed of language models"
        held = "reserve" if isinstance(quantity, ReserveLoss) else "validation"
        there = len(self.tokens.split(held, self.spec.sequence))
        wanted = (quantity.batch + 1) * self.spec.batch if isinstance(quantity, ReserveLoss) else 1
        return f"the {held} split of {self.tokens.folder} has no such batch" if wanted > there else ""

    @singledispatchmethod
    def measure(self, quantity: Quantity, model: nn.Module, size: int) -> float:
        raise UserError(self.refused(quantity))

    @measure.register
    def _(self, quantity: ValidationLoss, model: nn.Module, size: int) -> float:
        return self._mean_loss(quantity, lambda: self.validation(quantity.windows), model, size)

    @measure.register
    def _(self, quantity: ReserveLoss, model: nn.Module, size: int) -> float:
        return self._mean_loss(quantity, lambda: self.reserve(quantity.batch), model, size)

    @measure.register
    def _(self, quantity: BatchLoss, model: nn.Module, size: int) -> float:
        return self._mean_loss(quantity, lambda: self.batch(quantity.update), model, size)

    @measure.register
    def _(self, quantity: Accuracy, model: nn.Module, size: int) -> float:
        from ademamix.evaluation.measure import evaluate

        found = evaluate(quantity, model, self.spec, self.tokens.folder, self.device)
        return Observed(found.acc, found.as_json())

    def _mean_loss(
        self, quantity: Quantity, read: Callable[[], Tensor], model: nn.Module, size: int
    ) -> float:
        if quantity not in self._held:
            self._held[quantity] = [part for part, _ in self.split(read(), size)]
        parts = self._held[quantity]
        sums = [self.loss(model, part).double() * len(part) for part in parts]
        return float(torch.stack(sums).sum()) / sum(map(len, parts))

    def _to_device(self, windows: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(windows)
        return tensor.pin_memory().to(self.device, non_blocking=True) if _is_gpu(self.device) else tensor


def stacked_losses(logits: Callable[[Any, Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    """What `LanguageTask.loss` is of each member, (members,), of windows (members, samples, …)."""

    def losses(weights: Any, windows: Tensor) -> Tensor:
        found = logits(weights, windows[..., :-1]).flatten(0, 1).float()
        each = F.cross_entropy(found, windows[..., 1:].flatten(), reduction="none")
        return each.view(len(windows), -1).mean(dim=1)

    return losses


def _is_gpu(device: torch.device) -> bool:
    return device.type == "cuda"
