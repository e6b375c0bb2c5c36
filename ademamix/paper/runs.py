"""A run as an experiment states it: in the paper's words, before any scale.

`run("110M", ADEMAMIX, 256_000, alpha=10)` is the paper's best AdEMAMix run of that size and length, with
another α. What the paper says of a run and a scale has to know (which set-up, whose best learning rate,
from where it branches) is kept here until `Scale.map` turns it into a `RunSpec`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ademamix.errors import UserError, did_you_mean
from ademamix.optimizers import OptimizerConfig
from ademamix.paper import language
from ademamix.paper.setups import Setup
from ademamix.paper.vision import vision_setups
from ademamix.schedules import Schedule
from ademamix.spec import RunSpec
from ademamix.values import Role, marks

ADAMW, ADEMAMIX, LION = "adamw", "ademamix", "lion"
SHARED = "shared"  # the one rate of figures that give both optimizers the same
WARMUPS = ("alpha_warmup", "beta3_warmup")  # of slow EMAs
CONVEX, THREE_EMAS = "ademamix-convex", "ad3emamix"


@dataclass(frozen=True)
class Rate:
    """A learning rate: `times` the best one of `of` in the run's set-up: an optimizer's, or `SHARED`."""

    times: float
    of: str


@dataclass(frozen=True)
class PaperFork:
    """A run leaves `trunk` after update `step` of the paper; `inject`: with a batch of the reserve split."""

    trunk: "PaperRun"
    step: int
    inject: int | None = None


@dataclass(frozen=True)
class PaperRun:
    """A run of the paper.

    Attributes:
        setup: which of the paper's set-ups.
        spec: the run with the paper's own numbers, but for the fork.
        rate: its learning rate.
        fork: where it branches from another run, if it does.
    """

    setup: Setup
    spec: RunSpec
    rate: Rate
    fork: PaperFork | None = None

    def changed(self, **fields: Any) -> "PaperRun":
        """The same run with fields of its spec replaced; the optimizer's are `run`'s to change."""
        if "optimizer" in fields:
            raise TypeError("an optimizer and its learning rate are stated with run(...) or branch(...)")
        return replace(self, spec=self.spec.changed(**fields))

    def at_shared_rate(self) -> "PaperRun":
        """The same run, and its trunks, in a figure that gives both optimizers one learning rate.

        A scale has such a rate for each set-up, at which the worse of the two loses least; the paper's own
        value, a multiple of AdamW's best, stays.
        """
        fork = self.fork and replace(self.fork, trunk=self.fork.trunk.at_shared_rate())
        return replace(self, rate=Rate(self.spec.optimizer.lr / self.setup.best_lr(ADAMW), SHARED), fork=fork)

    def branch(
        self,
        step: int,
        *,
        to: str | None = None,
        schedule: Schedule | None = None,
        inject: int | None = None,
        **optimizer: Any,
    ) -> "PaperRun":
        """The run that leaves this one after update `step`, at its learning rate.

        Args:
            to: the optimizer to switch to (by kind), with the paper's best values; its warm-ups, which count
                from the switch, are none unless given.
            schedule: another schedule of the learning rate.
            inject: the number of the batch of the reserve split that its first update trains on.
            optimizer: fields of the optimizer that change.
        """
        if "lr" in optimizer:
            raise TypeError("a branch has its trunk's learning rate; a schedule changes it")
        spec = self.spec
        if to is not None:
            warmups = WARMUPS if OptimizerConfig.member(to).HAS_SLOW_EMA else ()
            values = {"lr": spec.optimizer.lr, **dict.fromkeys(warmups), **optimizer}
            spec = spec.changed(optimizer=self.setup.run(to, step, **values).optimizer)
        elif optimizer:
            spec = spec.changed(optimizer={**spec.optimizer.model_dump(), **optimizer})
        if schedule is not None:
            spec = spec.changed(schedule=schedule)
        return replace(self, spec=spec, fork=PaperFork(self, step, inject))

    def lineage(self) -> "Iterator[PaperRun]":
        """This run, the one it branches from, and so on to the first."""
        run: PaperRun | None = self
        while run:
            yield run
            run = run.fork.trunk if run.fork else None

    def steps_named(self) -> set[int]:
        """Every step that the run, and what it branches from, names: lengths, warm-ups, forks, decays."""
        found: set[int] = set()
        for run in self.lineage():
            for part in (run.spec.schedule, run.spec.optimizer):
                steps = [name for name, role in marks(type(part), Role).items() if role is Role.STEPS]
                found |= {value for name in steps if (value := getattr(part, name))}
            found |= {run.fork.step} if run.fork else set()
        return found


@cache
def setups() -> dict[str, Setup]:
    """Every set-up of the paper that can be run, by name."""
    return {setup.name: setup for setup in (*language.sizes(), *vision_setups())}


def setup(name: str) -> Setup:
    """The set-up of that name, or a UserError that names the nearest."""
    if name not in setups():
        raise UserError(f"unknown set-up '{name}'{did_you_mean(name, setups())}")
    return setups()[name]


def run(size: str, optimizer: str, horizon: int, **changes: Any) -> PaperRun:
    """The paper's run of a set-up with its best values, decaying over `horizon` steps.

    Args:
        size: the set-up by name.
        optimizer: by kind: `ADAMW`, `ADEMAMIX`, …
        horizon: in steps of the paper.
        changes: fields of the optimizer that the experiment varies.
    """
    found = setup(size)
    spec = found.run(optimizer, horizon, **changes)
    of = OptimizerConfig.member(optimizer).rate_of()
    return PaperRun(found, spec, Rate(spec.optimizer.lr / found.best_lr(of), of))
