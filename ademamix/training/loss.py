"""The loss of a part of a batch as the loop calls it: eager or compiled, over one process or several."""

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ademamix.errors import UserError
from ademamix.tasks import Task
from ademamix.training.ranks import Ranks


class Whole(nn.Module):
    """Model and loss as one module, (part of a batch) → its mean loss.

    As one they are compiled, so that the logits, the largest tensor of a step, are not written in fp32.
    """

    def __init__(self, task: Task, model: nn.Module) -> None:
        super().__init__()
        self.task = task
        self.model = model

    def forward(self, part: Any) -> Tensor:
        return self.task.loss(self.model, part)


class Loss:
    """The mean loss of a part of a batch; backward through it, ranks average their gradients.

    They do so bucket by bucket while the backward pass goes on (DistributedDataParallel), but for parts
    that are not the last one of a batch. In shards they do so in each part, block by block, so that the
    gradients of parts are added up in shards, too.

    Args:
        task, model: of the run.
        ranks: the processes that train it.
        compiled: whether torch.compile makes one graph of model and loss, for the shapes that come.

    Raises:
        UserError: it is to be compiled, and there is no compiler.
    """

    def __init__(self, task: Task, model: nn.Module, ranks: Ranks, compiled: bool = False) -> None:
        self._call: Callable[[Any], Tensor] = partial(task.loss, model)
        self._parallel: DistributedDataParallel | None = None
        if compiled:
            refuse_without_compiler(task.device.type)
        if ranks.shard or (not compiled and ranks.size == 1):
            return  # what is in shards is compiled, gathered and averaged block by block (`sharding.py`)
        whole = Whole(task, model)
        self._call = whole
        if compiled:
            whole.compile(dynamic=False, fullgraph=True)
        if ranks.size > 1:
            # Around what is compiled: torch then cuts the graph where a bucket of gradients is full.
            self._call = self._parallel = DistributedDataParallel(whole, gradient_as_bucket_view=True)

    def __call__(self, part: Any) -> Tensor:
        return self._call(part)

    def averaging(self, last: bool) -> AbstractContextManager[Any]:
        """The block in which a part's loss is computed and differentiated; `last`: of its batch."""
        return self._parallel.no_sync() if self._parallel and not last else nullcontext()


def refuse_without_compiler(device: str) -> None:
    """Raise UserError where torch.compile lacks the compiler it needs for 'cpu' or 'cuda'."""
    known = {"cpu": ("CXX", ("g++", "clang++", "c++")), "cuda": ("CC", ("gcc", "clang", "cc"))}
    variable, names = known[device]
    if not any(map(shutil.which, [os.environ.get(variable) or names[0], *names])):
        raise UserError(
            f"the run is compiled, which needs a compiler ({', '.join(names)}); install one, or make it "
            "another run, an eager one, with --set compiled=false"
        )
