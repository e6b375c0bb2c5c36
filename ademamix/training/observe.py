"""Observing a run without changing a bit of its trajectory."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ademamix.errors import UserError
from ademamix.quantities import Displacement, MomentumNorm, Quantity
from ademamix.spec import Observe
from ademamix.tasks import Task


def weights_needed(wanted: Observe) -> dict[int, int]:
    """Steps whose weights are needed later, and the last step at which they are."""
    needed: dict[int, int] = {}
    for quantity, steps in wanted.items():
        if isinstance(quantity, Displacement):
            for step in steps:
                before = step - quantity.lag
                needed[before] = max(step, needed.get(before, 0))
    return needed


class Observer:
    """Measures quantities of the current state of a run.

    Args:
        task, model, optimizer: of the run.
        size: samples in one pass.
        wanted: quantity → the steps at which it will be asked for.
    """

    def __init__(
        self, task: Task, model: nn.Module, optimizer: Optimizer, size: int, wanted: Observe
    ) -> None:
        self.task = task
        self.model = model
        self.optimizer = optimizer
        self.size = size
        self.step = 0
        self._remembered: dict[int, list[Tensor]] = {}
        self._needed = weights_needed(wanted)
        self._own: dict[type[Quantity], Callable[..., float]] = {
            Displacement: self._displacement,
            MomentumNorm: self._momentum_norm,
        }

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

    def measure(self, quantity: Quantity) -> float:
        """The value of `quantity` now; what no run has in common with others, the task measures."""
        self.model.eval()
        try:
            with torch.inference_mode():
                if own := self._own.get(type(quantity)):
                    return own(quantity)
                return self.task.measure(quantity, self.model, self.size)
        finally:
            self.model.train()

    def _displacement(self, quantity: Displacement) -> float:
        before = self._remembered[self.step - quantity.lag]
        pairs = zip(self.model.parameters(), before, strict=True)
        return math.sqrt(sum(float((p.cpu() - w).double().square().sum()) for p, w in pairs))

    def _momentum_norm(self, quantity: MomentumNorm) -> float:
        return float(
            nn.utils.get_total_norm([state[quantity.moment] for state in self.optimizer.state.values()])
        )


def refuse_unmeasurable(task: Task, wanted: Observe) -> None:
    """Raise UserError, before anything is trained, for a quantity that nothing can measure of this task."""
    for quantity in wanted:
        if not isinstance(quantity, Displacement | MomentumNorm) and (why := task.refused(quantity)):
            raise UserError(f"quantity '{quantity}': {why}")
