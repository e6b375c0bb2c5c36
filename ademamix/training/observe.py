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
from ademamix.training.ranks import ALONE, Ranks


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
        ranks: the processes that train the run. In shards, all of them observe, and the first one knows.
    """

    def __init__(
        self,
        task: Task,
        model: nn.Module,
        optimizer: Optimizer,
        size: int,
        wanted: Observe,
        ranks: Ranks = ALONE,
    ) -> None:
        self.task = task
        self.model: nn.Module | None = model  # whole; None where another rank has it
        self.optimizer = optimizer
        self.size = size
        self.ranks = ranks
        self._gathered: Callable[[], nn.Module | None] | None = None
        if ranks.shard:
            from ademamix.training.sharding import Gathered

            self._gathered = Gathered(task, model, ranks)
        self._looks = frozenset[int]().union(*wanted.values())
        self.step = 0
        self._remembered: dict[int, list[Tensor]] = {}
        self._needed = weights_needed(wanted)

    def reach(self, step: int) -> None:
        """Tell what step the run is at. Weights that are needed later are kept, in the host's memory."""
        self.step = step
        self._remembered = {t: w for t, w in self._remembered.items() if self._needed.get(t, 0) >= step}
        if self._gathered and (step in self._needed or step in self._looks):
            self.model = self._gathered()
        if step in self._needed and self.model:
            self._remembered[step] = [p.detach().to("cpu", copy=True) for p in self.model.parameters()]

    def state(self) -> dict[int, list[Tensor]]:
        """What a checkpoint has to hold: the weights remembered."""
        return self._remembered

    def restore(self, state: Mapping[int, list[Tensor]]) -> None:
        """Go on from `state`."""
        self._remembered = {step: [w.cpu() for w in weights] for step, weights in state.items()}

    def measure(self, quantity: Quantity) -> float:
        """The value of `quantity` now; what no run has in common with others, the task measures.

        In shards: at the step that was reached, and NaN on ranks that do not know.
        """
        if isinstance(quantity, MomentumNorm):  # of what all ranks have
            return self._momentum_norm(quantity)
        if self.model is None:
            return math.nan
        self.model.eval()
        try:
            with torch.inference_mode():
                if isinstance(quantity, Displacement):
                    return self._displacement(quantity, self.model)
                return self.task.measure(quantity, self.model, self.size)
        finally:
            self.model.train()

    def _displacement(self, quantity: Displacement, model: nn.Module) -> float:
        before = self._remembered[self.step - quantity.lag]
        pairs = zip(model.parameters(), before, strict=True)
        return math.sqrt(sum(float((p.cpu() - w).double().square().sum()) for p, w in pairs))

    def _momentum_norm(self, quantity: MomentumNorm) -> float:
        moments = [state[quantity.moment] for state in self.optimizer.state.values()]
        return float(self.ranks.norm(moments))


def refuse_unmeasurable(task: Task, wanted: Observe) -> None:
    """Raise UserError, before anything is trained, for a quantity that nothing can measure of this task."""
    for quantity in wanted:
        if not isinstance(quantity, Displacement | MomentumNorm) and (why := task.refused(quantity)):
            raise UserError(f"quantity '{quantity}': {why}")
