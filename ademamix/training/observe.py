"""Quantities that can be observed of a run without changing a bit of its trajectory."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ademamix.errors import UserError, did_you_mean
from ademamix.training.language import LanguageTask


def weights_needed(wanted: Mapping[str, frozenset[int]]) -> dict[int, int]:
    """Steps whose weights are needed later, and the last step at which they are."""
    needed: dict[int, int] = {}
    for quantity, steps in wanted.items():
        if quantity.startswith("displacement:"):
            lag = int(quantity.partition(":")[2])
            for step in steps:
                needed[step - lag] = max(step, needed.get(step - lag, 0))
    return needed


class Observer:
    """Measures quantities of the current state of a run.

    Args:
        task, model, optimizer: of the run.
        batch: windows in one pass.
        wanted: quantity → the steps at which it will be asked for.
    """

    def __init__(
        self,
        task: LanguageTask,
        model: nn.Module,
        optimizer: Optimizer,
        batch: int,
        wanted: Mapping[str, frozenset[int]],
    ) -> None:
        self.task = task
        self.model = model
        self.optimizer = optimizer
        self.batch = batch
        self.step = 0
        self._batches: dict[str, list[Tensor]] = {}
        self._remembered: dict[int, list[Tensor]] = {}
        self._needed = weights_needed(wanted)

    def reach(self, step: int) -> None:
        """Tell what step the run is at. Weights that are needed later are kept, in the host's memory."""
        self.step = step
        self._remembered = {t: w for t, w in self._remembered.items() if self._needed.get(t, 0) >= step}
        if step in self._needed:
            self._remembered[step] = [p.detach().to("cpu", copy=True) for p in self.model.parameters()]

    def state(self) -> dict[int, list[Tensor]]:
        """What a checkpoint has to hold: the weights remembered."""
        return self._remembered

    def restore(self, state: Mapping[int, list[Tensor]]) -> None:
        """Go on from `state`."""
        self._remembered = {step: [w.cpu() for w in weights] for step, weights in state.items()}

    def measure(self, quantity: str) -> float:
        """The value of `quantity`, 'name:argument' with a name of `QUANTITIES`, now."""
        name, _, argument = quantity.partition(":")
        with torch.inference_mode():
            return QUANTITIES[name](self, argument)

    def displacement(self, lag: str) -> float:
        """‖θ(t) − θ(t − lag)‖, the Euclidean distance over all parameters."""
        before = self._remembered[self.step - int(lag)]
        pairs = zip(self.model.parameters(), before, strict=True)
        return math.sqrt(sum(float((p.cpu() - w).double().square().sum()) for p, w in pairs))

    def momentum_norm(self, name: str) -> float:
        """Euclidean norm of a moment over all parameters, by its name in the optimizer's state."""
        moments = [state[name] for state in self.optimizer.state.values() if name in state]
        return float(nn.utils.get_total_norm(moments))

    def validation_loss(self, windows: str) -> float:
        """Mean loss over that many fixed windows of the validation split, nats per token."""
        return self._mean_loss(
            f"validation:{windows}", lambda: self.task.validation_batches(int(windows), self.batch)
        )

    def reserve_loss(self, number: str) -> float:
        """Mean loss on one batch of the reserve split, which only branches that inject it train on."""
        return self._mean_loss(
            f"reserve:{number}", lambda: list(self.task.reserve(int(number)).split(self.batch))
        )

    def batch_loss(self, t: str) -> float:
        """Mean loss on the batch that update t trains on."""
        return self._mean_loss(f"update:{t}", lambda: list(self.task.batch(int(t)).split(self.batch)))

    def _mean_loss(self, name: str, batches: Callable[[], list[Tensor]]) -> float:
        """Over the windows of `batches`, which are read once and kept."""
        if name not in self._batches:
            self._batches[name] = batches()
        parts = self._batches[name]
        sums = [self.task.loss(self.model, part).double() * len(part) for part in parts]
        return float(torch.stack(sums).sum()) / sum(map(len, parts))


QUANTITIES: dict[str, Callable[[Observer, str], float]] = {
    "batch_loss": Observer.batch_loss,
    "displacement": Observer.displacement,
    "momentum_norm": Observer.momentum_norm,
    "reserve_loss": Observer.reserve_loss,
    "validation_loss": Observer.validation_loss,
}


def refuse_unknown(quantity: str) -> None:
    """Raise UserError for a quantity that nothing measures."""
    name = quantity.partition(":")[0]
    if name not in QUANTITIES:
        raise UserError(f"unknown quantity '{quantity}'{did_you_mean(name, QUANTITIES)}")
