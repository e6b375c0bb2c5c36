"""Updates as one CUDA graph, for models so small that a GPU waits for the host to launch the next kernel.

The graph holds what an update launches anyway, from the loss to the optimizer, so the numbers are meant to be
the same. What differs from update to update reaches it through memory: the batch, the learning rate, the seed
of what is random, and the step, which the optimizer then counts on the device (`capturable`).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

Change = Callable[[Tensor], tuple[Tensor, Tensor]]
WARM = 3  # updates made as usual before: they make states and gradients, and compile kernels


def capturable(optimizer: Optimizer, device: torch.device, ranks: int) -> bool:
    """Whether the updates of one process with this optimizer can be captured: on a GPU, by a kernel."""
    if device.type != "cuda" or ranks > 1 or "capturable" not in optimizer.defaults:
        return False
    return getattr(optimizer, "implementation", "fused") in ("triton", "fused")


def with_capturable(state: dict[str, Any], value: bool) -> dict[str, Any]:
    """The state dict of an optimizer with `value` in all its groups: checkpoints do not know of capturing."""
    return {**state, "param_groups": [{**group, "capturable": value} for group in state["param_groups"]]}


class Captured:
    """Updates of a model on a GPU, by a graph from the fourth on.

    Args:
        optimizer: of the run; its options become capturable.
        device: the GPU.
        change: batch → loss and norm of the gradient; it makes the update, and leaves gradients there, at 0.
    """

    def __init__(self, optimizer: Optimizer, device: torch.device, change: Change) -> None:
        self._optimizer = optimizer
        self._change = change
        self._lr = torch.zeros((), device=device)
        self._stream = torch.cuda.Stream(device)
        self._made = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: Tensor | None = None
        self._found: tuple[Tensor, Tensor] | None = None
        for group in optimizer.param_groups:
            group["capturable"] = True

    def __call__(self, batch: Tensor, lr: float) -> tuple[Tensor, Tensor]:
        """Make an update; loss and norm are those of this one until the next."""
        self._lr.fill_(lr)
        if self._batch is None:
            self._batch = torch.empty_like(batch)
        self._batch.copy_(batch)
        if self._graph is None and self._made < WARM:
            self._made += 1
            return self._on_a_stream(self._batch)
        if self._graph is None:
            self._capture(self._batch)
        assert self._graph is not None
        assert self._found is not None
        self._graph.replay()
        return self._found

    def _on_a_stream(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """An update as usual, on the stream that is captured later: autograd remembers where it began."""
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            found = self._with_rates(batch)
        current.wait_stream(self._stream)
        return found

    def _capture(self, batch: Tensor) -> None:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            self._found = self._with_rates(batch)
        self._graph = graph

    def _with_rates(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """An update whose learning rate is read on the device; afterwards, groups have numbers again."""
        before = [group["lr"] for group in self._optimizer.param_groups]
        try:
            for group in self._optimizer.param_groups:
                group["lr"] = self._lr
            return self._change(batch)
        finally:
            for group, lr in zip(self._optimizer.param_groups, before, strict=True):
                group["lr"] = lr
