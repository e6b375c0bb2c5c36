"""What a run is: `RunSpec`, a trajectory; and what someone wants of it: `Need`.

A `RunSpec` holds exactly what determines the t-th update, and nothing else: no figure, label, length,
machine, path or logging. Its `id` is a hash of its canonical JSON, so equal trajectories are one run
however many figures ask for them. What all tasks share is here; each task adds its own fields
(`ademamix/tasks/`).
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import BeforeValidator, ValidationError, model_validator

from ademamix.data.sets import DataConfig
from ademamix.errors import UserError, did_you_mean
from ademamix.models import ModelConfig
from ademamix.optimizers import OptimizerConfig
from ademamix.quantities import Quantity
from ademamix.schedules import Schedule
from ademamix.values import (
    Frozen,
    Number,
    Positive,
    Role,
    Steps,
    UnknownKey,
    UnknownVariant,
    Variant,
    canonical,
    user_error,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from ademamix.paper.runs import PaperRun
    from ademamix.tasks import Task

SCHEMA = 1  # of the canonical JSON, the store and the records

Observe = Mapping[Quantity, frozenset[int]]  # quantity → the steps at which to observe it


class Fork(Frozen):
    """The run starts from checkpoint `step` of `parent`; its own update `step` + 1 comes first.

    What changes is whatever the child's fields say otherwise than the parent's. `inject` replaces the
    batch of that first update by a batch of the reserve split, by its number.
    """

    parent: Annotated["RunSpec", BeforeValidator(lambda value: RunSpec.read(value))]
    step: Steps
    inject: Number | None = None


class RunSpec(Variant):
    """A trajectory, of whatever task. Frozen; equal specs have equal ids."""

    TAG: ClassVar[str] = "task"
    FAMILY: ClassVar[str] = "task"
    PRELOAD: ClassVar[tuple[str, ...]] = ()  # slow to import: loaded before workers are forked

    task: str
    model: Annotated[ModelConfig, BeforeValidator(ModelConfig.read), Role.MODEL]
    data: Annotated[DataConfig, BeforeValidator(DataConfig.read), Role.DATA]
    optimizer: Annotated[OptimizerConfig, BeforeValidator(OptimizerConfig.read)]
    schedule: Annotated[Schedule, BeforeValidator(Schedule.read)]
    batch: Annotated[Steps, Role.BATCH]  # samples per update
    seed: Annotated[Number, Role.SEED]
    precision: Annotated[Literal["fp32", "bf16"], Role.PRECISION] = "fp32"
    compiled: Annotated[bool, Role.COMPILED] = False  # model and loss, as one graph: other last bits
    clipping: Positive | None = None  # largest gradient norm
    fork: Fork | None = None

    @model_validator(mode="after")
    def _can_be_compiled(self) -> Self:
        if self.compiled and not self.model.COMPILES:
            raise ValueError(f"a model of kind {self.model.kind} is not compiled: leave out compiled")
        return self

    def open(self, data_root: Path, device: "torch.device") -> "Task":
        """The task: model, batches, loss."""
        raise NotImplementedError

    def refused_data(self, data_root: Path, until: int, repeat: bool) -> str:
        """Why the data under `data_root` does not do for a training up to step `until`; '' when it does.

        `repeat`: whether the run may see data more than once. Asked before anything is trained.
        """
        return ""

    @property
    def pack_key(self) -> str | None:
        """What runs have in common that can be trained as one program; None: this one is trained alone."""
        return None

    def stacked(self) -> "Callable[[Any, torch.Tensor], torch.Tensor]":
        """The losses of several runs of one `pack_key`: (parameter → (members, …), batches) → (members,)."""
        raise NotImplementedError

    @property
    def sample(self) -> int:
        """The size of a sample in the model's own unit, as `ModelConfig.training_flops` takes it."""
        return 1

    @property
    def units_per_step(self) -> int:
        """Tokens, or images, that an update trains on."""
        return self.batch * self.sample

    def epochs(self, steps: int) -> float | None:
        """Passes over the data in so many steps; None where the data do not say how much there is."""
        samples = self.data.samples
        return steps * self.batch / samples if samples else None

    def resized(self, batch: Fraction, strict: bool) -> dict[str, Any]:
        """The fields that make it a run with `batch` samples per update.

        `strict`: refuse less than one sample; otherwise it is one.
        """
        if batch < 1 and strict:
            raise UserError(f"a batch of {batch} samples is less than one")
        return {"batch": max(1, int(batch))}

    @cached_property
    def id(self) -> str:
        """Twelve hexadecimal digits, a hash of `canonical_json`."""
        return hashlib.sha256(canonical_json(self).encode()).hexdigest()[:12]

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def first_step(self) -> int:
        """The step it starts from: 0, or the fork's."""
        return self.fork.step if self.fork else 0

    @property
    def flops_per_step(self) -> float:
        """Floating-point operations of an update, forward and backward."""
        return float(self.batch * self.model.training_flops(self.sample))

    def changed(self, **fields: Any) -> Self:
        """A copy with the given fields replaced, validated again."""
        whole = {**{name: getattr(self, name) for name in type(self).model_fields}, **fields}
        try:
            return type(self)(**whole)
        except ValidationError as error:
            raise user_error(error, type(self), whole) from None

    def branch(self, step: int, inject: int | None = None, **changes: Any) -> Self:
        """The run that leaves this one after update `step`, with fields changed or a batch injected."""
        return self.changed(fork=Fork(parent=self, step=step, inject=inject), **changes)

    def lineage(self) -> "Iterator[RunSpec]":
        """This run, the one it branches from, and so on to the first."""
        run: RunSpec | None = self
        while run:
            yield run
            run = run.fork.parent if run.fork else None

    def reseeded(self, seed: int) -> Self:
        """The same run, and the runs it branches from, with another seed."""
        fork = self.fork and self.fork.model_copy(update={"parent": self.fork.parent.reseeded(seed)})
        return self.changed(seed=seed, fork=fork)


def canonical_json(spec: RunSpec) -> str:
    """The text an id is the hash of: sorted keys, no spaces, with the schema's version."""
    return json.dumps({"schema": SCHEMA, **canonical(spec)}, sort_keys=True, separators=(",", ":"))


def parse(data: Mapping[str, Any]) -> RunSpec:
    """The spec of plain data (a record, `spec.json`), or a UserError that names what is wrong.

    The tasks are those whose modules are imported; `ademamix.tasks` has the package's own.
    """
    fields = {key: value for key, value in data.items() if key != "schema"}
    try:
        kind = RunSpec.member(fields.get("task"))
    except UnknownVariant as problem:
        raise UserError(str(problem)) from None
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise user_error(error, kind, fields) from None


def override(spec: RunSpec, settings: Iterable[str]) -> RunSpec:
    """`spec` with settings such as 'optimizer.alpha=4' applied; each value is read as YAML.

    Raises:
        UnknownKey: the spec has no such key; the message names the nearest right one.
        UserError: a value is out of range, or the setting is not KEY=VALUE.
    """
    data = canonical(spec)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"'{setting}' is not KEY=VALUE, such as optimizer.alpha=4")
        *path, last = key.split(".")
        place = data
        for name in path:
            if not isinstance(place.get(name), dict):
                raise UnknownKey(f"unknown key '{key}'{did_you_mean(name, place)}")
            place = place[name]
        try:
            place[last] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise UserError(f"the value of '{setting}' is not valid YAML") from None
    return parse(data)


def override_known(spec: RunSpec, settings: Iterable[str]) -> RunSpec:
    """As `override`, but a setting whose key this run does not have (AdamW has no alpha) is passed over.

    What is set of a branch is set of its trunk, too.
    """
    settings = tuple(settings)
    for setting in settings:
        with suppress(UnknownKey):
            spec = override(spec, [setting])
    if fork := spec.fork:
        parent = override_known(fork.parent, settings)
        spec = spec.changed(fork=fork.model_copy(update={"parent": parent}))
    return spec


@dataclass(frozen=True)
class Need:
    """What someone wants of a run.

    Attributes:
        run: the trajectory.
        until: the last step.
        keep: steps whose checkpoints are wanted.
        spare: steps whose checkpoints are not deleted where the run is trained, and not missed where it came
            as a record.
        observe: quantity → the steps at which to observe it, such as
            {ValidationLoss(windows=256): {100, 200}}. The loss on training batches is always logged.
        panel: the panel of the figure that asks ("" where the figure has one panel).
        series: what the figure's table calls it.
        paper: the paper's run that it stands for, where there is one.
    """

    run: RunSpec
    until: int
    keep: frozenset[int] = frozenset()
    spare: frozenset[int] = frozenset()
    observe: Observe = field(default_factory=dict)
    panel: str = ""
    series: str = ""
    paper: "PaperRun | None" = None


def unite_observations(first: Observe, second: Observe) -> dict[Quantity, frozenset[int]]:
    """Every quantity at every step that either asks for."""
    return {
        quantity: first.get(quantity, frozenset()) | second.get(quantity, frozenset())
        for quantity in sorted({*first, *second}, key=str)
    }


def refuse_unobservable(spec: RunSpec, observe: Observe) -> None:
    """Raise UserError for a quantity that cannot be observed of this run where it is wanted."""
    for quantity, steps in observe.items():
        if why := quantity.refused(spec.optimizer, spec.first_step, steps):
            raise UserError(f"quantity '{quantity}': {why}")
