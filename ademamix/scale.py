"""The paper's values → a scale's values, one rule for each kind of value.

Experiments write a run with the paper's own numbers, as a `RunSpec`; `Scale.map` turns it into the
run of a scale. At `paper` every rule is the identity. The rules, and the scale's own numbers, are in
configs/scales/<name>.yaml.
"""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from ademamix.checkout import checkout
from ademamix.errors import UserError, did_you_mean
from ademamix.optim.schedules import beta_of_half_life, half_life
from ademamix.settings import ADAMW, ADEMAMIX, LanguageModel, language_model, language_models
from ademamix.spec import (
    AnyOptimizer,
    Constant,
    Cosine,
    Fork,
    Frozen,
    LinearDecay,
    NonNegative,
    Positive,
    Pysource,
    RunSpec,
    Steps,
    Transformer,
    explain,
)

PAPER_HORIZON = 256_000  # the paper's shortest training, the unit in which scales are stated
FAST_BETA, SLOW_BETA = 0.9, 0.9999  # between these, betas are mapped by interpolation
SHORTEST_SLOW_HALF_LIFE = 12.0  # steps


# Whose best learning rate another optimizer's is relative to. The convex form's two weights sum to 1, so
# its steps are as long as AdamW's.
FOLLOWS = {"ademamix-convex": ADAMW, "ad3emamix": ADEMAMIX, "lion": ADAMW}


class Machine(Frozen):
    """The machine whose hours the plan estimates; `utilisation` is the share of the peak achieved."""

    name: str
    workers: Steps  # runs at a time
    peak_flops: Positive  # of one worker, per second
    utilisation: Positive


class Seeds(Frozen):
    """The seeds of a figure's runs: headline comparisons, sweeps, and searches, which report nothing."""

    headline: tuple[int, ...] = (0,)
    sweep: tuple[int, ...] = (0,)
    tuning: tuple[int, ...] = (0,)


class Validation(Frozen):
    """How often the validation loss is observed (points over 256k-equivalent steps), on what."""

    points: Steps
    windows: Steps


class Scale(Frozen):
    """A scale: what stands for the paper's values. None means the paper's own."""

    name: str
    horizon: Steps
    slow_half_life: Positive | None = None  # share of the horizon that 0.9999 maps to
    batch: Steps | None = None
    sequence: Steps | None = None
    data: Literal["pysource"] | None = None
    precision: Literal["fp32", "bf16"] | None = None
    models: dict[str, Transformer] = Field(default_factory=dict)
    lr: dict[str, dict[str, NonNegative]] = Field(default_factory=dict)
    seeds: Seeds = Seeds()
    search: Literal["grid", "coordinates"] = "coordinates"  # how hyperparameters are searched (Figure 32)
    lion: dict[str, float] = Field(default_factory=dict)  # what the search found better, in the paper's units
    injected_batches: Steps = 1  # batches B, one branch each, for the paper's one (Figures 4, 10)
    followed_batches: Steps = 1  # training batches from each τ on (Figure 9)
    grid_points: Steps | None = None  # at most so many values along each axis of a figure's grid
    validation: Validation
    log_every: Steps  # steps per logged mean of the training loss
    checkpoint_seconds: Positive
    micro_batch: Steps | None = None  # sequences per pass on the device; None: the whole batch
    device: Literal["cpu", "auto"] = "auto"  # auto: a GPU where there is one
    machine: Machine

    def steps(self, paper_steps: int) -> int:
        """n → n·H/256k, rounded half up, at least 1."""
        return max(1, (2 * paper_steps * self.horizon + PAPER_HORIZON) // (2 * PAPER_HORIZON))

    def thinned(self, values: Sequence[float]) -> list[float]:
        """The values of a grid's axis, or as many of them, evenly spaced, as this scale runs."""
        n = min(self.grid_points or len(values), len(values))
        return [values[round(i * (len(values) - 1) / max(1, n - 1))] for i in range(n)]

    def fork_step(self, paper: Fork) -> int:
        """Where a branch starts; one that injects a batch, just before the update that gets it."""
        if paper.inject is None:
            return self.steps(paper.step)
        return max(1, self.steps(paper.step + 1) - 1)

    def warmup(self, paper_steps: int | None) -> int | None:
        """As `steps`; no warm-up (None, or the paper's 0) stays none."""
        return self.steps(paper_steps) if paper_steps else None

    def beta(self, beta: float) -> float:
        """Betas above 0.9 keep their place between 0.9 and 0.9999 in the logarithm of the half-life.

        0.9999 goes to the scale's slow half-life, a share of its horizon; larger betas go
        proportionally beyond. Monotone, and above 0.9 for β above 0.9.
        """
        if beta <= FAST_BETA or self.slow_half_life is None:
            return beta
        fast, slow, h = half_life(FAST_BETA), half_life(SLOW_BETA), half_life(beta)
        target = max(self.slow_half_life * self.horizon, SHORTEST_SLOW_HALF_LIFE)
        if h >= slow:
            return beta_of_half_life(target * h / slow)
        place = math.log(h / fast) / math.log(slow / fast)
        return beta_of_half_life(fast * (target / fast) ** place)

    def learning_rate(self, lr: float, size: LanguageModel, optimizer: str) -> float:
        """The paper's value relative to the paper's best, times the scale's best.

        An optimizer that varies another follows that one (`FOLLOWS`).
        """
        own = self.lr.get(size.name, {})
        follows = FOLLOWS.get(optimizer, optimizer)
        best = own.get(follows)
        return lr if best is None else lr / size.lr[follows] * best

    def batch_size(self, batch: int, size: LanguageModel) -> int:
        """The paper's batch relative to that model's, times the scale's base batch."""
        if self.batch is None:
            return batch
        mapped = batch * self.batch // size.batch
        if mapped < 1 and self.name != "smoke":
            raise UserError(f"batch {batch} is less than one sequence at scale {self.name}")
        return max(1, mapped)

    def size_name(self, model: Transformer) -> str:
        """The paper's size that a model of this scale stands for."""
        for name, mine in self.models.items():
            if mine == model:
                return name
        return size_of(model).name

    def map(self, paper: RunSpec, seed: int = 0, lr_of: str | None = None) -> RunSpec:
        """The run of this scale that stands for the paper's run `paper`.

        `lr_of`: the optimizer whose best learning rate the run's is relative to, where that is not the
        usual one (`lr_follows`).
        """
        size = size_of(paper.model)
        fork = paper.fork and paper.fork.model_copy(
            update={
                "parent": self.map(paper.fork.parent, seed, lr_of),
                "step": self.fork_step(paper.fork),
            }
        )
        return paper.changed(
            model=self.models.get(size.name, paper.model),
            data=paper.data if self.data is None else pysource_data(),
            optimizer=self._optimizer(paper.optimizer, size, lr_of or lr_follows(paper)),
            schedule=self._schedule(paper.schedule),
            batch=self.batch_size(paper.batch, size),
            sequence=self.sequence or paper.sequence,
            precision=self.precision or paper.precision,
            seed=seed,
            fork=fork,
        )

    def _optimizer(self, paper: AnyOptimizer, size: LanguageModel, lr_follows: str) -> AnyOptimizer:
        changes: dict[str, Any] = {"lr": self.learning_rate(paper.lr, size, lr_follows)}
        for field in type(paper).model_fields:
            value = getattr(paper, field)
            if field in ("beta", "beta1", "beta3", "beta4"):
                changes[field] = self.beta(value)
            elif field in ("alpha_warmup", "beta1_warmup", "beta3_warmup"):
                changes[field] = self.warmup(value)
        return paper.model_copy(update=changes)

    def _schedule(self, paper: Cosine | Constant | LinearDecay) -> Cosine | Constant | LinearDecay:
        changes: dict[str, Any] = {"warmup": self.warmup(paper.warmup)}
        for field in ("horizon", "start", "end"):
            if hasattr(paper, field):
                changes[field] = self.steps(getattr(paper, field))
        return type(paper).model_validate({**paper.model_dump(), **changes})

    @property
    def validation_loss(self) -> str:
        """The quantity that loss curves observe."""
        return f"validation_loss:{self.validation.windows}"

    @property
    def validation_every(self) -> int:
        """Steps between observations of the validation loss."""
        return max(1, self.horizon // self.validation.points)

    def validation_steps(self, until: int) -> frozenset[int]:
        """Steps at which curves observe the validation loss: evenly spaced, and the last."""
        every = self.validation_every
        return frozenset(range(every, until + 1, every)) | {until}


def lr_follows(paper: RunSpec) -> str:
    """The optimizer whose best learning rate a run's is relative to.

    Its own; a branch keeps its trunk's rate, so the trunk's; and AdamW's for runs at a constant rate,
    in which the paper compares both optimizers at one.
    """
    while paper.fork:
        paper = paper.fork.parent
    return ADAMW if isinstance(paper.schedule, Constant) else paper.optimizer.kind


@cache
def pysource_data() -> Pysource:
    from ademamix.data.pysource import versions

    return Pysource(kind="pysource", packages=versions())


def size_of(model: Transformer) -> LanguageModel:
    """The paper's size that `model` is."""
    for size in map(language_model, language_models()):
        if size.model == model:
            return size
    raise UserError(f"no size in configs/models/language has width {model.width}, {model.layers} layers")


def scales() -> list[str]:
    """Names of all scales, smallest first."""
    found = {path.stem for path in (checkout() / "configs" / "scales").glob("*.yaml")}
    known = [name for name in ("smoke", "cpu", "gpu", "paper") if name in found]
    return known + sorted(found - set(known))


@cache
def scale(name: str) -> Scale:
    """The scale of that name, or a UserError that names the nearest."""
    if name not in scales():
        raise UserError(f"unknown scale '{name}'{did_you_mean(name, scales())}")
    return read_scale(checkout() / "configs" / "scales" / f"{name}.yaml")


def read_scale(path: Path) -> Scale:
    """A scale from its YAML file, named after it."""
    try:
        data = yaml.load(path.read_text(), Loader=yaml.CSafeLoader) or {}
        return Scale.model_validate({"name": path.stem, **data})
    except ValidationError as error:
        raise UserError(f"{path}: {explain(error, Scale)}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


def refuse_collisions(scale: Scale, paper_steps: Iterable[int]) -> None:
    """Raise UserError where distinct step counts of one figure become one at this scale."""
    taken: dict[int, int] = {}
    for n in sorted(set(paper_steps) - {0}):
        mapped = scale.steps(n)
        if mapped in taken and scale.name != "smoke":
            raise UserError(
                f"steps {taken[mapped]} and {n} of the paper are both {mapped} at scale {scale.name}; "
                "use a scale with a longer horizon"
            )
        taken[mapped] = n
