"""A parameter group that the C kernel updates as it did the step before: what it is told, kept.

Looking everything up anew (`slots.py`) takes longer than the update of a small model. Here it is only looked
whether anything has changed since.
"""

import ctypes
from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any

import torch
from torch import Tensor

from ademamix.optim.bucket import Bucket
from ademamix.optim.kernels.c import Table, addresses
from ademamix.optim.scalars import Scalars
from ademamix.optim.slots import Slot
from ademamix.optim.state import FAST, MASTER, SLOW, SQUARE

STEP, START = "step", "schedule_start"


class Prepared:
    """The tensors of a group, all of which share every scalar.

    Args:
        slots: of all its parameters.
        bucket: these, as they were updated.
        t: the step they are at.
    """

    def __init__(self, slots: Sequence[Slot], bucket: Bucket, t: int) -> None:
        self.t = t
        self.since: int = slots[0].state[START]
        self._params = [slot.p for slot in slots]
        self._dtype = slots[0].p.dtype
        self._shapes = [p.shape for p in self._params]
        self._states = [slot.state for slot in slots]
        self._names = [name for name in (FAST, SLOW, SQUARE, MASTER, STEP) if name in slots[0].state]
        self._tensors = self._of(self._states)
        self._addresses = addresses(self._params + self._tensors)
        self._table = Table(bucket)
        steps = [slot.step.data_ptr() for slot in slots]
        self._steps = (ctypes.c_uint64 * len(steps))(*steps)

    @staticmethod
    def fits(slots: Sequence[Slot], params: Sequence[Tensor], bucket: Bucket) -> bool:
        """Whether the next step can be made like the last: by this kernel, of plain tensors as a whole."""
        return (
            len(slots) == len(bucket.p) == len(params)
            and all(slot.implementation == "c" and slot.p.is_contiguous() for slot in slots)
            and all(map(is_, bucket.p, params))
            and not bucket.rounds_randomly  # whose random bits are new at each step
        )

    def _of(self, states: Sequence[Mapping[str, Any]]) -> list[Tensor]:
        return [state[name] for name in self._names for state in states]

    def gradients(self, params: Sequence[Tensor], state: Mapping[Tensor, dict[str, Any]]) -> list[int] | None:
        """Where the gradients of a step are; None where anything is not as it was at the step before."""
        states = [state.get(p) for p in params]
        if not (_same(params, self._params) and _same(states, self._states)):
            return None
        try:
            tensors, starts = self._of(self._states), [state[START] for state in self._states]
        except KeyError:
            return None
        if not (
            _same(tensors, self._tensors)
            and starts.count(self.since) == len(starts)
            and addresses([*params, *tensors]) == self._addresses
            and [p.shape for p in params] == self._shapes
        ):
            return None
        gradients: list[Any] = [p.grad for p in params]
        return addresses(gradients) if all(map(self._takes, gradients)) else None

    def _takes(self, g: Any) -> bool:
        """Whether this is a gradient whose elements lie in memory as the parameter's do."""
        return (
            type(g) is Tensor and g.dtype is self._dtype and g.layout is torch.strided and g.is_contiguous()
        )

    def count(self) -> bool:
        """Count the step; False, and nothing done, where somebody has changed the count of one."""
        if not self._table.lib.ademamix_count(self._steps, self._table.count, ctypes.c_int64(self.t)):
            return False
        self.t += 1
        return True

    def update(self, gradients: list[int], scalars: Scalars) -> None:
        """The step, by gradients at these addresses."""
        self._table.update(gradients, scalars)


def _same(some: Sequence[Any], others: Sequence[Any]) -> bool:
    return len(some) == len(others) and all(map(is_, some, others))
