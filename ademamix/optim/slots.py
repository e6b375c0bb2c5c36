"""A parameter with all that updates it, and the buckets of those that one call can update together."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ademamix.optim.bucket import Bucket
from ademamix.optim.implementations import choose, kernel_takes
from ademamix.optim.state import FAST, MASTER, SLOW, SQUARE

COUNTED_ON_DEVICE = -1  # in place of a step that the host does not know


@dataclass(slots=True)
class Slot:
    """A parameter, its gradient, state and implementation; of a sharded one, this rank's part.

    Looking all this up costs more than a small update, so slots are kept from step to step; `fits`
    says whether one still does.
    """

    place: int  # among all parameters of the optimizer
    implementation: str
    p: Tensor
    g: Tensor
    m1: Tensor | None
    m2: Tensor
    nu: Tensor
    master: Tensor | None
    state: dict[str, Any]
    step: Tensor
    address: int

    @classmethod
    def of(cls, p: Tensor, state: dict[str, Any], place: int, asked: str) -> "Slot":
        """The slot of a parameter that has a gradient, for the implementation that was `asked` for."""
        fast, slow, square, master = (_local(state.get(name)) for name in (FAST, SLOW, SQUARE, MASTER))
        assert slow is not None
        assert square is not None
        grad, p = _local(p.grad), _local(p)
        assert grad is not None
        assert p is not None
        name = choose(asked, p.device)
        moments = [m for m in (fast, slow, square, master) if m is not None]
        if name in ("c", "triton") and not kernel_takes(p, moments):
            name = "foreach"
        step = state["step"]
        return cls(place, name, p, grad, fast, slow, square, master, state, step, p.data_ptr())

    def fits(self, p: Tensor, state: dict[str, Any]) -> bool:
        """Whether the parameter's memory and state are still the ones looked up. False for DTensors."""
        return self.p is p and self.state is state and self.m2 is state[SLOW] and self.step is state["step"] \
            and self.address == p.data_ptr()  # fmt: skip

    def take(self, grad: Tensor) -> None:
        """The gradient of this step. A kernel pairs elements up by their place in memory."""
        if self.implementation in ("c", "triton") and grad.stride() != self.p.stride():
            grad = torch.empty_like(self.p).copy_(grad)
        self.g = grad


def _local(t: Any) -> Any:
    """This rank's part of a DTensor; anything else itself."""
    return t.to_local() if hasattr(t, "to_local") else t


Alike = tuple[str, int, int, torch.device, torch.dtype, torch.dtype, bool, bool]


def alike(slots: list[Slot], capturable: bool) -> dict[Alike, list[Slot]]:
    """Slots by all that one call of an implementation has to share: first of all, name, step, start.

    A step that is captured cannot be read from the device: there, each parameter has its own scalars.
    """
    found: dict[Alike, list[Slot]] = defaultdict(list)
    for s in slots:
        on_device = capturable and s.implementation == "triton"
        t = COUNTED_ON_DEVICE if on_device else int(s.step)
        dtypes = (s.p.dtype, s.m2.dtype)
        start = s.state["schedule_start"]
        found[s.implementation, t, start, s.p.device, *dtypes, s.m1 is None, s.master is None].append(s)
    return found


def bucket(slots: list[Slot], seed: int, t: int) -> Bucket:
    """The tensors of slots that are alike, for update t."""
    return Bucket(
        p=[s.p for s in slots],
        g=[s.g for s in slots],
        m1=None if slots[0].m1 is None else [s.m1 for s in slots if s.m1 is not None],
        m2=[s.m2 for s in slots],
        nu=[s.nu for s in slots],
        master=None if slots[0].master is None else [s.master for s in slots if s.master is not None],
        places=[s.place for s in slots],
        seed=seed,
        step=t,
    )
