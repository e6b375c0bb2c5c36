"""Schedules of the learning rate: what a run states, and η(t) as a pure function of the step.

Steps count from 1: the value at t is the one that update t uses. Nothing here imports torch.
"""

import math
from typing import Annotated, ClassVar, Literal

from pydantic import model_validator

from ademamix.values import NonNegative, Role, Steps, Variant, Warmup


class Schedule(Variant):
    """A learning rate over the steps of a run. A member adds its fields and `at`."""

    FAMILY = "schedule"
    EXTENDABLE: ClassVar[bool] = False  # more steps may be added without changing what earlier ones mean

    kind: str
    warmup: Annotated[Warmup, Role.STEPS] = None

    def at(self, t: int, lr: float) -> float:
        """η(t), where `lr` is the rate at the top."""
        raise NotImplementedError

    @property
    def brief(self) -> str:
        """The schedule in a few words, for descriptions of runs."""
        raise NotImplementedError


class Cosine(Schedule):
    """Linear warm-up, then half a cosine to `final_lr` at step `horizon` (appendix B.1)."""

    kind: Literal["cosine"] = "cosine"
    horizon: Annotated[Steps, Role.STEPS]
    final_lr: NonNegative = 1e-5

    @model_validator(mode="after")
    def _warmup_ends_first(self) -> "Cosine":
        if (self.warmup or 0) >= self.horizon:
            raise ValueError(f"warmup {self.warmup} does not end before horizon {self.horizon}")
        return self

    def at(self, t: int, lr: float) -> float:
        return cosine_lr(t, lr, self.warmup, self.horizon, self.final_lr)

    @property
    def brief(self) -> str:
        return f"T {self.horizon:,}"


class Constant(Schedule):
    """Linear warm-up, then constant: no horizon, so the run can be extended."""

    EXTENDABLE = True
    kind: Literal["constant"] = "constant"

    def at(self, t: int, lr: float) -> float:
        return warmed_up(t, lr, self.warmup)

    @property
    def brief(self) -> str:
        return "constant lr"


class LinearDecay(Schedule):
    """Linear warm-up, constant until step `start`, then linear to `final_lr` at `end` (Figures 3b, 28)."""

    kind: Literal["linear-decay"] = "linear-decay"
    start: Annotated[Steps, Role.STEPS]
    end: Annotated[Steps, Role.STEPS]
    final_lr: NonNegative = 0.0

    @model_validator(mode="after")
    def _in_order(self) -> "LinearDecay":
        if not (self.warmup or 0) <= self.start < self.end:
            raise ValueError(f"needs warmup ≤ start < end, got {self.start} and {self.end}")
        return self

    def at(self, t: int, lr: float) -> float:
        return linear_decay_lr(t, lr, self.warmup, self.start, self.end, self.final_lr)

    @property
    def brief(self) -> str:
        return f"decay {self.start:,} to {self.end:,}"


def warmed_up(t: int, lr: float, warmup: int | None) -> float:
    """The learning rate of step t of a linear warm-up that reaches `lr` at step `warmup`."""
    return lr if warmup is None or t >= warmup else lr * t / warmup


def cosine_lr(t: int, lr: float, warmup: int | None, horizon: int, final_lr: float) -> float:
    """Linear warm-up, then half a cosine from `lr` at the end of the warm-up to `final_lr` at `horizon`."""
    start = warmup or 0
    if t <= start:
        return warmed_up(t, lr, warmup)
    progress = min((t - start) / (horizon - start), 1.0)
    return final_lr + 0.5 * (lr - final_lr) * (1 + math.cos(math.pi * progress))


def linear_decay_lr(t: int, lr: float, warmup: int | None, start: int, end: int, final_lr: float) -> float:
    """Linear warm-up, constant until step `start`, then linear to `final_lr` at step `end`."""
    if t <= start:
        return warmed_up(t, lr, warmup)
    return lr + (final_lr - lr) * min((t - start) / (end - start), 1.0)
