"""What a run is: `RunSpec`, a trajectory; and what someone wants of it: `Need`.

A `RunSpec` holds exactly what determines the t-th update, and nothing else: no figure, label, length,
machine, path or logging. Its `id` is a hash of its canonical JSON, so equal trajectories are one run
however many figures ask for them.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ademamix.errors import UserError, did_you_mean

SCHEMA = 1  # of the canonical JSON, the store and the records


class Frozen(BaseModel):
    """An immutable value that refuses unknown keys and non-finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Beta = Annotated[float, Field(ge=0, lt=1)]
Warmup = Annotated[int, Field(ge=1)] | None  # in steps; None: none
Steps = Annotated[int, Field(ge=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class Transformer(Frozen):
    """Decoder-only Transformer; sizes in the paper's terms (Table 1)."""

    kind: Literal["transformer"]
    width: Steps
    layers: Steps
    heads: Steps
    positions: Steps
    vocabulary: Steps

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "Transformer":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


class Pysource(Frozen):
    """Python sources of installed packages, as bytes; `packages` maps each to its version."""

    kind: Literal["pysource"]
    packages: dict[str, str]
    tokenizer: Literal["bytes"] = "bytes"


class TokenFolder(Frozen):
    """A prepared folder of token shards, by the name of the set and of its tokenizer."""

    kind: Literal["tokens"]
    set: str
    tokenizer: str


class Adam(Frozen):
    """What the optimizers that divide by the root of ν share."""

    lr: NonNegative
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Positive = 1e-8
    weight_decay: NonNegative


class AdamW(Adam):
    """torch.optim.AdamW; with `beta1_warmup`, β1 grows from 0.9 as AdEMAMix's β3 does (Figure 19b)."""

    kind: Literal["adamw"]
    beta1_warmup: Warmup = None


class AdEMAMix(Adam):
    """`ademamix.AdEMAMix`; warm-ups of α and β3 in steps, None for none."""

    kind: Literal["ademamix"]
    beta3: Beta
    alpha: NonNegative
    alpha_warmup: Warmup = None
    beta3_warmup: Warmup = None


class ConvexAdEMAMix(AdEMAMix):
    """AdEMAMix with (1 − α)·m1 + α·m2 for its step (Figure 24b)."""

    kind: Literal["ademamix-convex"]  # type: ignore[assignment]
    alpha: Beta


class Ad3EMAMix(AdEMAMix):
    """AdEMAMix with a third EMA, whose β4 grows as β3 does (Figure 33)."""

    kind: Literal["ad3emamix"]  # type: ignore[assignment]
    beta4: Beta


class Lion(Frozen):
    """Lion in the paper's notation: the step is the sign of α·m + (1−α)·g; then m ← β·m + (1−β)·g."""

    kind: Literal["lion"]
    lr: NonNegative
    alpha: Beta
    beta: Beta
    weight_decay: NonNegative


class Cosine(Frozen):
    """Linear warm-up, then a cosine to `final_lr` at step `horizon`."""

    kind: Literal["cosine"]
    warmup: Warmup = None
    horizon: Steps
    final_lr: NonNegative = 1e-5

    @model_validator(mode="after")
    def _warmup_ends_first(self) -> "Cosine":
        if (self.warmup or 0) >= self.horizon:
            raise ValueError(f"warmup {self.warmup} does not end before horizon {self.horizon}")
        return self


class Constant(Frozen):
    """Linear warm-up, then constant: no horizon, so the run can be extended."""

    kind: Literal["constant"]
    warmup: Warmup = None


class LinearDecay(Frozen):
    """Linear warm-up, constant until step `start`, then linear to `final_lr` at step `end`."""

    kind: Literal["linear-decay"]
    warmup: Warmup = None
    start: Steps
    end: Steps
    final_lr: NonNegative = 0.0

    @model_validator(mode="after")
    def _in_order(self) -> "LinearDecay":
        if not (self.warmup or 0) <= self.start < self.end:
            raise ValueError(f"needs warmup ≤ start < end, got {self.start} and {self.end}")
        return self


Data = Annotated[Pysource | TokenFolder, Field(discriminator="kind")]
AnyOptimizer = AdamW | AdEMAMix | ConvexAdEMAMix | Ad3EMAMix | Lion
Optimizer = Annotated[AnyOptimizer, Field(discriminator="kind")]
Schedule = Annotated[Cosine | Constant | LinearDecay, Field(discriminator="kind")]


class Fork(Frozen):
    """The run starts from checkpoint `step` of `parent`; its own update `step` + 1 comes first.

    What changes is whatever the child's fields say otherwise than the parent's. `inject` replaces the
    batch of that first update by a batch of the reserve split, by its number.
    """

    parent: "RunSpec"
    step: Steps
    inject: Annotated[int, Field(ge=0)] | None = None


class RunSpec(Frozen):
    """A trajectory. Frozen; equal specs have equal ids."""

    task: Literal["language"]
    model: Transformer
    data: Data
    optimizer: Optimizer
    schedule: Schedule
    batch: Steps  # sequences per update
    sequence: Steps  # tokens per sequence
    seed: Annotated[int, Field(ge=0)]
    precision: Literal["fp32", "bf16"] = "fp32"
    clipping: Positive | None = None  # largest gradient norm
    fork: Fork | None = None

    @model_validator(mode="after")
    def _fits(self) -> "RunSpec":
        if self.sequence > self.model.positions:
            raise ValueError(f"sequence {self.sequence} exceeds {self.model.positions} positions")
        return self

    @cached_property
    def id(self) -> str:
        """Twelve hexadecimal digits, a hash of `canonical_json`."""
        return hashlib.sha256(canonical_json(self).encode()).hexdigest()[:12]

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def tokens_per_step(self) -> int:
        return self.batch * self.sequence

    @property
    def extendable(self) -> bool:
        """Whether more steps may be added without changing the earlier ones' meaning."""
        return self.schedule.kind == "constant"

    def changed(self, **fields: Any) -> "RunSpec":
        """A copy with the given fields replaced, validated again."""
        kept = {name: getattr(self, name) for name in RunSpec.model_fields}
        try:
            return RunSpec(**{**kept, **fields})
        except ValidationError as error:
            raise UserError(explain(error, RunSpec)) from None

    def branch(self, step: int, inject: int | None = None, **changes: Any) -> "RunSpec":
        """The run that leaves this one after update `step`, with fields changed or a batch injected."""
        return self.changed(fork=Fork(parent=self, step=step, inject=inject), **changes)

    def reseeded(self, seed: int) -> "RunSpec":
        """The same run, and the runs it branches from, with another seed."""
        fork = self.fork and self.fork.model_copy(update={"parent": self.fork.parent.reseeded(seed)})
        return self.changed(seed=seed, fork=fork)


def canonical(value: Any) -> Any:
    """`value` as plain JSON data: floats to 12 significant digits, fields at their default left out.

    Leaving defaults out is what lets a new field with a default keep every old id. What names a
    variant (`kind`) has no default and so always stays.
    """
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return {
            name: canonical(getattr(value, name))
            for name in fields
            if fields[name].is_required()
            or canonical(getattr(value, name)) != canonical(fields[name].default)
        }
    if isinstance(value, Mapping):
        return {key: canonical(value[key]) for key in value}
    if isinstance(value, float):
        return float(f"{value:.12g}") + 0.0  # −0 is 0
    return value


def canonical_json(spec: RunSpec) -> str:
    """The text an id is the hash of: sorted keys, no spaces, with the schema's version."""
    return json.dumps({"schema": SCHEMA, **canonical(spec)}, sort_keys=True, separators=(",", ":"))


def parse(data: Mapping[str, Any]) -> RunSpec:
    """The spec of plain data (a record, `spec.json`), or a UserError that names what is wrong."""
    fields = {key: value for key, value in data.items() if key != "schema"}
    try:
        return RunSpec.model_validate(fields)
    except ValidationError as error:
        misspelt = any(problem["type"] == "extra_forbidden" for problem in error.errors())
        problem = UnknownKey if misspelt else UserError
        raise problem(explain(error, RunSpec)) from None


class UnknownKey(UserError):
    """A key that a spec does not have."""


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


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The main problem pydantic found in a `model`, as one line in the user's terms."""
    # A misspelt key is also a missing one: the former is the better thing to say.
    first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    tags = {"adamw", "ademamix", "cosine", "constant", "linear-decay", "pysource", "tokens"}
    path = [str(part) for part in first["loc"] if part not in tags]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        return f"unknown key '{key}'{did_you_mean(path[-1], _fields_beside(first['loc'], model))}"
    message = first["msg"].removeprefix("Value error, ")
    given = first["input"]
    if isinstance(given, dict | BaseModel):
        return f"{key}: {message}" if key else message
    return f"{key}: {message} (got {given!r})"


def _fields_beside(loc: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """The names that would have been right where an unknown key stood in a `model`."""
    variants: dict[Any, type[BaseModel]] = {
        "adamw": AdamW,
        "ademamix": AdEMAMix,
        "ademamix-convex": ConvexAdEMAMix,
        "ad3emamix": Ad3EMAMix,
        "lion": Lion,
        "cosine": Cosine,
        "constant": Constant,
        "linear-decay": LinearDecay,
        "pysource": Pysource,
        "tokens": TokenFolder,
        "model": Transformer,
        "fork": Fork,
    }
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            variants[name] = info.annotation
    owner = variants.get(loc[-2], model) if len(loc) > 1 else model
    return list(owner.model_fields)


@dataclass(frozen=True)
class Need:
    """What someone wants of a run.

    Attributes:
        run: the trajectory.
        until: the last step.
        keep: steps whose checkpoints are wanted.
        observe: quantity → the steps at which to observe it, such as
            {"validation_loss:256": {100, 200}}, the loss on 256 fixed windows: what a quantity depends
            on is part of its name. The loss on training batches is always logged.
        panel: the panel of the figure that asks ("" where the figure has one panel).
    """

    run: RunSpec
    until: int
    keep: frozenset[int] = frozenset()
    observe: Mapping[str, frozenset[int]] = field(default_factory=dict)
    panel: str = ""


def unite_observations(
    first: Mapping[str, frozenset[int]], second: Mapping[str, frozenset[int]]
) -> dict[str, frozenset[int]]:
    """Every quantity at every step that either asks for."""
    return {
        quantity: first.get(quantity, frozenset()) | second.get(quantity, frozenset())
        for quantity in sorted({*first, *second})
    }
