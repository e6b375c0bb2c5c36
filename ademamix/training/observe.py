"""Quantities that can be observed of a run without changing a bit of its trajectory."""

from collections.abc import Callable

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
        self._validation: dict[str, list[Tensor]] = {}

    def measure(self, quantity: str) -> float:
        """The value of `quantity`, 'name:argument' with a name of `QUANTITIES`, now."""
        name, _, argument = quantity.partition(":")
        with torch.inference_mode():
            return QUANTITIES[name](self, argument)

    def validation_loss(self, windows: str) -> float:
        """Mean loss over that many fixed windows of the validation split, nats per token."""
        if windows not in self._validation:
            self._validation[windows] = self.task.validation_batches(int(windows), self.batch)
        batches = self._validation[windows]
        sums = [self.task.loss(self.model, batch).double() * len(batch) for batch in batches]
        return float(torch.stack(sums).sum()) / sum(map(len, batches))


QUANTITIES: dict[str, Callable[[Observer, str], float]] = {
    "validation_loss": Observer.validation_loss,
}


def refuse_unknown(quantity: str) -> None:
    """Raise UserError for a quantity that nothing measures."""
    name = quantity.partition(":")[0]
    if name not in QUANTITIES:
        raise UserError(f"unknown quantity '{quantity}'{did_you_mean(name, QUANTITIES)}")
