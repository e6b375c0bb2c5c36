"""Quantities that can be observed of a run without changing a bit of its trajectory."""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor, nn

from ademamix.errors import UserError, did_you_mean
from ademamix.training.language import LanguageTask


class Observer:
    """Measures quantities of the current state of a run."""

    def __init__(self, task: LanguageTask, model: nn.Module, batch: int) -> None:
        self.task = task
        self.model = model
        self.batch = batch

    def measure(self, quantity: str) -> float:
        """The value of `quantity` (a key of `QUANTITIES`) now."""
        with torch.inference_mode():
            return QUANTITIES[quantity](self)

    @cached_property
    def _validation(self) -> list[Tensor]:
        return self.task.validation_batches(self.batch)

    def validation_loss(self) -> float:
        """Mean loss over the fixed validation windows, nats per token."""
        sums = [self.task.loss(self.model, b).double() * len(b) for b in self._validation]
        return float(torch.stack(sums).sum()) / sum(map(len, self._validation))


QUANTITIES: dict[str, Callable[[Observer], float]] = {
    "validation_loss": Observer.validation_loss,
}


def refuse_unknown(quantity: str) -> None:
    """Raise UserError for a quantity that nothing measures."""
    if quantity not in QUANTITIES:
        raise UserError(f"unknown quantity '{quantity}'{did_you_mean(quantity, QUANTITIES)}")
