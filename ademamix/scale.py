"""The paper's values → a scale's values, by the role that each field declares.

Experiments state a run as the paper does (`ademamix.paper.runs`); `Scale.map` turns it into the run of a
scale, walking the roles of its fields. At `paper` every rule is the identity. The scales' own numbers, and
how they behave, are in configs/scales/<name>.yaml.
"""

import json
import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from ademamix.checkout import checkout
from ademamix.data.sets import DataConfig
from ademamix.errors import UserError, did_you_mean
from ademamix.models import ModelConfig
from ademamix.optim.schedules import beta_of_half_life, half_life
from ademamix.paper.runs import PaperFork, PaperRun, setups
from ademamix.paper.setups import PAPER_HORIZON
from ademamix.quantities import ValidationLoss
from ademamix.scale_file import stated
from ademamix.spec import Fork, RunSpec
from ademamix.tasks.vision import Augmentation
from ademamix.values import Frozen, NonNegative, Positive, Role, Steps, UnknownVariant, marks, user_error

FAST_BETA, SLOW_BETA = 0.9, 0.9999  # between these, betas are mapped by interpolation
SHORTEST_SLOW_HALF_LIFE = 12.0  # steps


class Machine(Frozen):
    """The machine whose hours the plan estimates; `utilisation` is the share of the peak achieved."""

    name: str
    workers: Steps  # runs at a time
    peak_flops: Positive  # of one worker, per second
    utilisation: Positive


class Seeds(Frozen):
    """The seeds of a figure's runs.

    Attributes:
        headline: of comparisons that rest on the spread over seeds.
        sweep: of what is shown once.
        tuning: of searches, which report nothing.
        few_repeats: how many of `headline` a comparison gets that is too long, or of too wide a spread, to be
            repeated as often as others; None: all.
    """

    headline: tuple[int, ...] = (0,)
    sweep: tuple[int, ...] = (0,)
    tuning: tuple[int, ...] = (0,)
    few_repeats: Steps | None = None

    @property
    def few(self) -> tuple[int, ...]:
        """The first of `headline`."""
        return self.headline[: self.few_repeats]

    @property
    def reported(self) -> frozenset[int]:
        """Those that figures show."""
        return frozenset({*self.headline, *self.sweep})


class Validation(Frozen):
    """How often the validation loss is observed (points over 256k-equivalent steps), on what."""

    points: Steps
    windows: Steps


class TaskScale(Frozen):
    """What stands for a task's own values at a scale. None means the paper's."""

    batch: Steps | None = None  # for the batch of each set-up
    sequence: Steps | None = None
    data: str | dict[str, Any] | None = None  # by kind, or by kind and what else is stated of it
    augmentation: Augmentation | None = None
    micro_batch: Steps | None = None  # samples per pass on the device; None: the scale's


Here = Annotated[DataConfig, BeforeValidator(lambda stated: here(stated))]  # completed by this machine


class Scale(Frozen):
    """A scale: what stands for the paper's values. None means the paper's own.

    Attributes:
        order: scales are listed by it, smallest first.
        like: the scale that it is a variant of: what its own file leaves out is that one's (`scale_file`).
        check: the numbers of the figures that it repeats, alone, on seeds that nothing was chosen by. Its
            verdicts stand beside the others in docs/results.md, and in no total. Empty: not a check.
        judges: whether its verdicts count; `smoke` only shows that everything works.
        strict: whether values of one figure that become one at this scale are refused.
        horizon: updates that stand for 256k of the paper.
        slow_half_life: share of the horizon that the half-life of β3 = 0.9999 maps to. None: the paper's own
            share, 2.7%.
        map_beta2: whether β2 maps as other betas do; not where its half-life is a small share of the horizon.
        unsettled: set-up → why its runs would say nothing yet: they are trained only where --out says so.
        tasks, models, data, lr, seeds: by task; by set-up, twice; by set-up and optimizer; by use.
    """

    name: str
    order: int
    like: str = ""
    check: tuple[int, ...] = ()
    judges: bool = True
    strict: bool = True
    horizon: Steps
    slow_half_life: Positive | None = None
    map_beta2: bool = False
    precision: Literal["fp32", "bf16"] | None = None
    tasks: dict[str, TaskScale] = Field(default_factory=dict)
    models: dict[str, Annotated[ModelConfig, BeforeValidator(ModelConfig.read)]] = Field(default_factory=dict)
    data: dict[str, Annotated[DataConfig, BeforeValidator(lambda value: here(value))]] = Field(
        default_factory=dict
    )
    lr: dict[str, dict[str, NonNegative]] = Field(default_factory=dict)
    unsettled: dict[str, str] = Field(default_factory=dict)
    seeds: Seeds = Seeds()
    validation: Validation
    log_every: Steps  # steps per logged mean of the training loss
    checkpoint_seconds: Positive
    micro_batch: Steps | None = None  # samples per pass on the device; None: the whole batch
    captured: bool = False  # on a GPU, updates of language models are one CUDA graph
    evaluation_batch: Steps | None = None  # samples per pass that measures; None: as many as one that trains
    device: Literal["cpu", "auto"] = "auto"  # auto: a GPU where there is one
    compiled: bool = True  # whether what the paper's runs compile is compiled here, on a GPU
    pack: Steps | Literal["auto"] = 1  # runs trained as one program; auto: as many as bring something
    machine: Machine

    def steps(self, paper_steps: int) -> int:
        """n → n·H/256k, rounded half up, at least 1."""
        return max(1, (2 * paper_steps * self.horizon + PAPER_HORIZON) // (2 * PAPER_HORIZON))

    def warmup(self, paper_steps: int | None) -> int | None:
        """As `steps`; no warm-up (None, or the paper's 0) stays none."""
        return self.steps(paper_steps) if paper_steps else None

    def fork_step(self, paper: PaperFork) -> int:
        """Where a branch starts; one that injects a batch, just before the update that gets it."""
        if paper.inject is None:
            return self.steps(paper.step)
        return max(1, self.steps(paper.step + 1) - 1)

    def beta(self, beta: float) -> float:
        """Betas above 0.9 keep their place between 0.9 and 0.9999 in the logarithm of the half-life.

        0.9999 goes to the scale's slow half-life, a share of its horizon; larger betas go
        proportionally beyond. Monotone, and above 0.9 for β above 0.9.
        """
        fast, slow = half_life(FAST_BETA), half_life(SLOW_BETA)
        share = self.slow_half_life or slow / PAPER_HORIZON
        target = max(share * self.horizon, SHORTEST_SLOW_HALF_LIFE)
        if beta <= FAST_BETA or target == slow:
            return beta
        h = half_life(beta)
        if h >= slow:
            return beta_of_half_life(target * h / slow)
        place = math.log(h / fast) / math.log(slow / fast)
        return beta_of_half_life(fast * (target / fast) ** place)

    def learning_rate(self, paper: PaperRun) -> float:
        """The run's multiple of an optimizer's best rate, times this scale's best of it.

        The paper's own value where the scale has none.
        """
        if paper.setup.name not in self.lr:
            return paper.spec.optimizer.lr
        known = self.lr[paper.setup.name]
        if paper.rate.of not in known:
            raise UserError(
                f"scale {self.name} has no learning rate of {paper.rate.of} for {paper.setup.name}; "
                f"add it to lr in configs/scales/{self.name}.yaml"
            )
        return paper.rate.times * known[paper.rate.of]

    def map(self, paper: PaperRun, seed: int = 0) -> RunSpec:
        """The run of this scale that stands for a run of the paper.

        Raises:
            UserError: the values do not make a run at this scale; says which.
        """
        task = self.tasks.get(paper.spec.task, TaskScale())
        share = Fraction(paper.spec.batch, paper.setup.batch)
        fork = paper.fork
        whole: dict[str, Any] = {}
        try:
            whole = {**self._mapped(paper.spec, paper), "seed": seed}
            if fork:
                trunk = self.map(fork.trunk, seed)
                whole["fork"] = Fork(parent=trunk, step=self.fork_step(fork), inject=fork.inject)
            found = type(paper.spec)(**whole)
            return found.changed(**found.resized(share * task.batch, self.strict)) if task.batch else found
        except ValidationError as error:
            raise user_error(error, type(paper.spec), whole, f"{paper.setup.name} at {self.name}") from None

    def _mapped(self, value: Frozen, paper: PaperRun) -> dict[str, Any]:
        """The fields of a part of the run `paper`, each mapped by its role."""
        roles = marks(type(value), Role)
        found = {}
        for name in type(value).model_fields:
            field = getattr(value, name)
            if name in roles:
                field = self._by_role(roles[name], field, paper)
            elif isinstance(field, Frozen):
                field = type(field)(**self._mapped(field, paper))
            found[name] = field
        return found

    def _by_role(self, role: Role, value: Any, paper: PaperRun) -> Any:
        task = self.tasks.get(paper.spec.task, TaskScale())
        match role:
            case Role.STEPS:
                return self.warmup(value)
            case Role.BETA:
                return self.beta(value)
            case Role.SQUARED_BETA:
                return self.beta(value) if self.map_beta2 else value
            case Role.RATE:
                return self.learning_rate(paper)
            case Role.MODEL:
                return self.models.get(paper.setup.name, value)
            case Role.DATA:
                return self.data.get(paper.setup.name) or (here(task.data) if task.data else value)
            case Role.SEQUENCE:
                return task.sequence or value
            case Role.AUGMENTATION:
                return task.augmentation or value
            case Role.PRECISION:
                return self.precision or value
            case Role.COMPILED:
                return value and self.compiled and self.device != "cpu"
            case Role.BATCH | Role.SEED:  # `map` sets them
                return value

    def passes(self, task: str) -> int | None:
        """Samples per pass on the device, by task; None: the whole batch."""
        return self.tasks.get(task, TaskScale()).micro_batch or self.micro_batch

    @property
    def validation_loss(self) -> ValidationLoss:
        """The quantity that loss curves observe."""
        return ValidationLoss(windows=self.validation.windows)

    @property
    def validation_every(self) -> int:
        """Steps between observations of the validation loss."""
        return max(1, self.horizon // self.validation.points)

    def validation_steps(self, until: int, often: int = 1) -> frozenset[int]:
        """Steps at which curves observe the validation loss: evenly spaced, and the last.

        `often`: times as many; a short training gets half as many as the horizon at least.
        """
        every = max(1, min(self.validation_every // often, 2 * until // self.validation.points))
        return frozenset(range(every, until + 1, every)) | {until}


def here(data: str | Mapping[str, Any]) -> DataConfig:
    """The data set of that kind, with what is stated of it, as this machine has it."""
    stated = {"kind": data} if isinstance(data, str) else data
    return _here(json.dumps(stated, sort_keys=True))


@cache
def _here(stated: str) -> DataConfig:
    fields = json.loads(stated)
    try:
        return DataConfig.member(fields.get("kind")).here(**fields)
    except UnknownVariant as problem:
        raise UserError(str(problem)) from None


@cache
def scales() -> dict[str, Scale]:
    """All scales by name, smallest first."""
    found = sorted(map(read_scale, _folder().glob("*.yaml")), key=lambda scale: (scale.order, scale.name))
    for one in found:
        _refuse_used_seeds(one, found)
    return {scale.name: scale for scale in found}


def scale(name: str) -> Scale:
    """The scale of that name, or of that YAML file; or a UserError that names the nearest.

    A file's scale is known by its name from then on, in this process.
    """
    if name.endswith(".yaml"):
        path = Path(name)
        if path.stem in scales() and path.resolve() != _of_checkout(path.stem):
            raise UserError(f"{path}: there is a scale {path.stem}; give the file another name")
        if not path.is_file():
            raise UserError(f"no scale file {path}")
        found = read_scale(path)
        _refuse_used_seeds(found, scales().values())
        return scales().setdefault(path.stem, found)
    if name not in scales():
        raise UserError(f"unknown scale '{name}'{did_you_mean(name, scales())}")
    return scales()[name]


def _folder() -> Path:
    return checkout() / "configs" / "scales"


def _of_checkout(name: str) -> Path:
    return _folder() / f"{name}.yaml"


def read_scale(path: Path) -> Scale:
    """A scale from its YAML file, named after it, completed by the scale that it is `like`."""
    data = {"name": path.stem, **stated(path, _folder())}
    try:
        found = Scale.model_validate(data)
        for part, names in (("models", found.models), ("data", found.data), ("lr", found.lr)):
            for name in names.keys() - setups().keys():
                raise UserError(f"{path}: {part}: unknown set-up '{name}'{did_you_mean(name, setups())}")
        for name in found.tasks.keys() - RunSpec.MEMBERS.keys():
            raise UserError(f"{path}: tasks: unknown task '{name}'{did_you_mean(name, RunSpec.MEMBERS)}")
        return found
    except ValidationError as error:
        raise user_error(error, Scale, data, str(path)) from None


def reported_seeds(scale: Scale) -> frozenset[int]:
    """The seeds that figures report: of the scale and of all that are like the same one."""
    return frozenset().union(*(one.seeds.reported for one in (scale, *_family(scale, scales().values()))))


def _family(scale: Scale, known: Iterable[Scale]) -> list[Scale]:
    """Those that are like the same one, and that one."""
    root = scale.like or scale.name
    return [other for other in known if root in (other.name, other.like)]


def _refuse_used_seeds(scale: Scale, known: Iterable[Scale]) -> None:
    """Raise UserError where a check has seeds that the scale it repeats, or another one like it, has used."""
    for other in _family(scale, known) if scale.check else ():
        used = scale.seeds.reported & {*other.seeds.reported, *other.seeds.tuning}
        if used and other.name != scale.name:
            raise UserError(
                f"{scale.name}.yaml: {other.name} has used seed {min(used)}; give a check other headline and "
                "sweep seeds"
            )


def refuse_collisions(scale: Scale, paper_steps: Iterable[int]) -> None:
    """Raise UserError where distinct step counts of one figure become one at this scale."""
    taken: dict[int, int] = {}
    for n in sorted(set(paper_steps) - {0}):
        mapped = scale.steps(n)
        if mapped in taken and scale.strict:
            raise UserError(
                f"steps {taken[mapped]} and {n} of the paper are both {mapped} at scale {scale.name}; "
                "use a scale with a longer horizon"
            )
        taken[mapped] = n
