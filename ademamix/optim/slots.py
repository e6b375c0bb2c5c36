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
    kernel: str  # the implementation for gradients of the parameter's dtype
    p: Tensor
    g: Tensor | None  # only during a step: a slot keeps no gradient alive
    m1: Tensor | None
    m2: Tensor
    nu: Tensor
    master: Tensor | None
    state: dict[str, Any]
    step: Tensor
    address: int

    @classmethod
    def of(cls, p: Tensor, state: dict[str, Any], place: int, asked: str) -> "Slot":
        """The slot of a parameter, for the implementation that was `asked` for."""
        fast, slow, square, master = (_local(state.get(name)) for name in (FAST, SLOW, SQUARE, MASTER))
        p = _local(p)
        name = choose(asked, p.device)
        moments = [m for m in (fast, slow, square) if m is not None]
        if name in ("c", "triton") and not kernel_takes(p, moments, master):
            name = "foreach"
        return cls(place, name, name, p, None, fast, slow, square, master, state, state["step"], p.data_ptr())

    def fits(self, p: Tensor, state: dict[str, Any]) -> bool:
        """Whether the parameter's memory and state are still the ones looked up. False for DTensors."""
        return (
            self.p is p
            and self.address == p.data_ptr()
            and self.state is state
            and self.step is state["step"]
            and self.m1 is state.get(FAST)
            and self.m2 is state[SLOW]
            and self.nu is state[SQUARE]
            and self.master is state.get(MASTER)
            and self.m2.shape == p.shape
        )

    def take(self, p: Tensor) -> None:
        """The gradient of this step. A kernel pairs elements up by their place in memory."""
        grad = p.grad
        assert grad is not None
        if hasattr(grad, "placements"):
            # A gradient may come as one addend on each rank; what updates a shard is its sum.
            grad = grad.redistribute(placements=p.placements)  # type: ignore[attr-defined]
        g: Tensor = _local(grad)
        self.implementation = self.kernel
        if self.kernel in ("c", "triton"):
            if g.dtype != self.p.dtype or g.device != self.p.device:
                self.implementation = "foreach"
            elif g.stride() != self.p.stride():
                g = torch.empty_like(self.p).copy_(g)
        self.g = g


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
        g=[s.g for s in slots if s.g is not None],
        m1=None if slots[0].m1 is None else [s.m1 for s in slots if s.m1 is not None],
        m2=[s.m2 for s in slots],
        nu=[s.nu for s in slots],
        master=None if slots[0].master is None else [s.master for s in slots if s.master is not None],
        places=[s.place for s in slots],
        seed=seed,
        step=t,
    )
