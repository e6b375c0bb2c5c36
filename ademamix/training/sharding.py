"""A model in shards over the ranks of a run (FSDP2), and what is whole of it again.

Importing this takes a second: it is done where there are shards.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from ademamix.tasks import Task
from ademamix.training.ranks import Ranks

MARK = "no_weight_decay"  # what models mark parameters with; sharding makes new ones


def shard(model: nn.Module, mesh: DeviceMesh, compiled: bool) -> None:
    """Divide the parameters of `model`, in place: they become DTensors, rows over the ranks of `mesh`.

    Each of the model's blocks is gathered when it computes, the rest of it for the whole pass. FSDP2 cuts
    graphs where it gathers, so with `compiled` each block is a graph of its own, and the loss is eager.
    """
    marked = {name for name, p in model.named_parameters() if getattr(p, MARK, False)}
    for block in model.blocks:  # type: ignore[union-attr]
        if compiled:
            block.forward = torch.compile(block.forward, dynamic=False, fullgraph=True)
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for name, p in model.named_parameters():
        if name in marked:
            setattr(p, MARK, True)


def divided(state: Any, model: nn.Module, params: list[Tensor], mesh: DeviceMesh) -> Any:
    """The state of a run with weights and moments in shards, those that are whole; nothing is sent.

    Args:
        state: as in a checkpoint; every rank has the same.
        model: in shards.
        params: in the order in which the optimizer counts them.
        mesh: of the ranks.
    """
    own = model.state_dict()
    weights = {name: _as(own[name], value, mesh) for name, value in state["model"].items()}
    moments = {
        index: {
            name: _as(params[index], value, mesh) if _is_like(params[index], value) else value
            for name, value in of_one.items()
        }
        for index, of_one in state["optimizer"]["state"].items()
    }
    return {**state, "model": weights, "optimizer": {**state["optimizer"], "state": moments}}


def _is_like(p: Tensor, value: Any) -> bool:
    return isinstance(value, Tensor) and value.shape == p.shape


def _as(like: Tensor, value: Tensor, mesh: DeviceMesh) -> Tensor:
    """A whole `value` in shards where `like` is."""
    if isinstance(value, DTensor) or not isinstance(like, DTensor):
        return value
    return distribute_tensor(value.to(like.device), mesh, [Shard(0)], src_data_rank=None)


class Gathered:
    """The whole of a model in shards, on the first rank alone, in a model that is none.

    It has the weights of the moment it was asked for, which all ranks do at once.
    """

    def __init__(self, task: Task, model: nn.Module, ranks: Ranks) -> None:
        self._task = task
        self._model = model
        self._first = ranks.first
        self._twin: nn.Module | None = None

    @torch.no_grad()
    def __call__(self) -> nn.Module | None:
        """That model; None on the other ranks."""
        if self._first and self._twin is None:
            self._twin = self._task.model().requires_grad_(False)
        into: Mapping[str, Tensor] = self._twin.state_dict() if self._twin else {}
        for name, value in self._model.state_dict().items():
            whole = value.full_tensor() if isinstance(value, DTensor) else value
            if self._twin:
                into[name].copy_(whole)
        return self._twin
