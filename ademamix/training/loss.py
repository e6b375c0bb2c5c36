"""The loss of a part of a batch as the loop calls it: model and loss as one, over one process or several."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ademamix.tasks import Task
from ademamix.training.ranks import Ranks


class Whole(nn.Module):
    """Model and loss as one module, (part of a batch) → its mean loss."""

    def __init__(self, task: Task, model: nn.Module) -> None:
        super().__init__()
        self.task = task
        self.model = model

    def forward(self, part: Any) -> Tensor:
        return self.task.loss(self.model, part)


class Loss:
    """The mean loss of a part of a batch; backward through it, ranks average their gradients.

    They do so bucket by bucket while the backward pass goes on (DistributedDataParallel), but for parts
    that are not the last one of a batch.
    """

    def __init__(self, task: Task, model: nn.Module, ranks: Ranks) -> None:
        self._call: Callable[[Any], Tensor] = partial(task.loss, model)
        self._parallel: DistributedDataParallel | None = None
        if ranks.size > 1:
            self._call = self._parallel = DistributedDataParallel(
                Whole(task, model), broadcast_buffers=False, gradient_as_bucket_view=True
            )

    def __call__(self, part: Any) -> Tensor:
        return self._call(part)

    def averaging(self, last: bool) -> AbstractContextManager[Any]:
        """The block in which a part's loss is computed and differentiated; `last`: of its batch."""
        return self._parallel.no_sync() if self._parallel and not last else nullcontext()
