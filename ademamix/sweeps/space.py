"""A sweep at a scale: its points, and the runs that stand for them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from ademamix.errors import UserError, did_you_mean
from ademamix.optimizers import OptimizerConfig
from ademamix.paper.runs import PaperRun, Rate, run, setup
from ademamix.plan import between
from ademamix.scale import Scale
from ademamix.spec import Need, Observe, RunSpec, override
from ademamix.sweeps.axes import Axis, Range, Value, Values, text
from ademamix.sweeps.definition import Sweep
from ademamix.values import UnknownKey, UnknownVariant, canonical

Point = tuple[Value, ...]  # a value for each key, in their order
Units = Literal["scale", "paper"]


@dataclass(frozen=True)
class Trial:
    """A point, and how far it is trained: to the end, where `level` is the sweep's halvings, or less far."""

    point: Point
    level: int = 0


@dataclass(frozen=True)
class Space:
    """What can be tried.

    Attributes:
        sweep: as it is stated, for this scale.
        scale: where its runs are.
        axes: key → its values, or the range to draw from, all in `units`.
        units: those that points are in. A search that draws, draws in the scale's own.
    """

    sweep: Sweep
    scale: Scale
    axes: Mapping[str, Axis]
    units: Units
    _specs: dict[tuple[Point, int], RunSpec] = field(default_factory=dict, compare=False, repr=False)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.axes)

    @property
    def top(self) -> int:
        """The level of a trial that is trained to its end."""
        return self.sweep.halving

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        return self.sweep.seeds or self.scale.seeds.tuning

    def spec(self, point: Point, seed: int) -> RunSpec:
        """The run of a point with a seed.

        Raises:
            UserError: the values do not make a run.
        """
        if (point, seed) not in self._specs:
            self._specs[point, seed] = self._spec(dict(zip(self.keys, point, strict=True)), seed)
        return self._specs[point, seed]

    def _spec(self, settings: Mapping[str, Value], seed: int) -> RunSpec:
        if self.units == "paper":
            return self.scale.map(_paper_run(self.sweep, settings), seed)
        paper = _paper_run(self.sweep, settings, only_missing=True)
        return override(_with_a_rate(self.scale, paper, settings).map(paper, seed), _texts(settings))

    def need(self, trial: Trial, seed: int) -> Need:
        """What a trial needs of its run: the validation losses of figures, and those at its halvings."""
        spec = self.spec(trial.point, seed)
        until, end = self.steps(spec, trial.level), self.steps(spec, self.top)
        observe: Observe = {
            self.scale.validation_loss: self.scale.validation_steps(end)
            | {self.steps(spec, level) for level in range(self.top)}
        }
        return Need(
            run=spec,
            until=until,
            keep=frozenset({until}) if trial.level < self.top else frozenset(),
            observe=between(observe, 0, until),
            series=self.label(trial.point),
        )

    def needs(self, trials: Iterable[Trial]) -> Iterator[Need]:
        """What trials need, with every seed."""
        for trial in trials:
            for seed in self.seeds:
                yield self.need(trial, seed)

    def steps(self, spec: RunSpec, level: int) -> int:
        """The last step of a level; before the top, a multiple of the steps that are logged together."""
        end: int = getattr(spec.schedule, "horizon", None) or self.scale.steps(self.sweep.horizon)
        if level == self.top:
            return end
        every = self.scale.log_every
        return max(1, min(end, round(end / 2 ** (self.top - level) / every) * every))

    def label(self, point: Point) -> str:
        """'optimizer.lr=0.001 clipping=null'."""
        return " ".join(_texts(dict(zip(self.keys, point, strict=True))))

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """The keys with more than one value."""
        return tuple(
            key for key, axis in self.axes.items() if isinstance(axis, Range) or len(axis.values) > 1
        )

    @cached_property
    def grid(self) -> list[Point] | None:
        """Every combination, the last key changing fastest; None where a key has a range to draw from."""
        axes = [axis.values for axis in self.axes.values() if isinstance(axis, Values)]
        return list(product(*axes)) if len(axes) == len(self.axes) else None

    @cached_property
    def start(self) -> Point:
        """Where a search by coordinates begins: what is fixed, and else the set-up's own best values."""
        firsts = {key: first(axis) for key, axis in self.axes.items()}
        paper = _paper_run(self.sweep, firsts, only_missing=True)
        spec = paper.spec if self.units == "paper" else _with_a_rate(self.scale, paper, firsts).map(paper)
        return tuple(at(spec, key) if key in self.varied else first for key, first in firsts.items())


def space(sweep: Sweep, scale: Scale) -> Space:
    """The sweep at a scale, every key and value checked.

    Raises:
        UserError: an unknown set-up, optimizer or key, or a value out of range.
    """
    sweep = sweep.at(scale.name)
    setup(sweep.size)
    axes = {key: _resolved(sweep, key, axis) for key, axis in sweep.settings.items()}
    found = Space(sweep, scale, axes, sweep.units)
    if sweep.search == "tpe" and sweep.units == "paper":
        found = _in_the_scales_units(found)
    for key, axis in found.axes.items():  # one key at a time: errors name their value
        ends = (axis.low, axis.high) if isinstance(axis, Range) else axis.values
        for value in ends:
            found.spec(
                tuple(value if key == other else first(a) for other, a in found.axes.items()), found.seeds[0]
            )
    return found


def first(axis: Axis) -> Value:
    """A value of an axis, whichever comes first."""
    return axis.low if isinstance(axis, Range) else axis.values[0]


def _resolved(sweep: Sweep, key: str, axis: Axis) -> Axis:
    """A range as its values, or as what to draw from; whole numbers where the key takes no others."""
    if isinstance(axis, Values):
        return axis
    firsts = {other: first(its) for other, its in sweep.settings.items()}
    whole = isinstance(at(_paper_run(sweep, firsts, only_missing=True).spec, key), int)
    axis = replace(axis, whole=whole)
    return axis.values() if axis.count else axis


def _in_the_scales_units(paper: Space) -> Space:
    """The same space with every value, and the ends of every range, mapped to the scale's own."""

    def mapped(key: str, value: Value) -> Any:
        point = tuple(value if key == other else first(axis) for other, axis in paper.axes.items())
        return canonical(at(paper.spec(point, 0), key))

    axes: dict[str, Axis] = {}
    for key, axis in paper.axes.items():
        if isinstance(axis, Range):
            axes[key] = replace(axis, low=mapped(key, axis.low), high=mapped(key, axis.high))
        else:
            axes[key] = Values(tuple(dict.fromkeys(mapped(key, value) for value in axis.values)))
    return Space(paper.sweep, paper.scale, axes, "scale")


def _paper_run(sweep: Sweep, settings: Mapping[str, Value], only_missing: bool = False) -> PaperRun:
    """The paper's best run of the set-up with settings in the paper's own numbers.

    `only_missing`: settings are the scale's own; they stand in only where the paper names no value.
    """
    prefix = "optimizer."
    try:
        kind = OptimizerConfig.member(sweep.optimizer)
    except UnknownVariant as problem:
        raise UserError(str(problem)) from None
    own = {key.removeprefix(prefix): value for key, value in settings.items() if key.startswith(prefix)}
    try:
        found = run(sweep.size, sweep.optimizer, sweep.horizon)
    except ValidationError as problem:
        missing = {str(error["loc"][-1]) for error in problem.errors()}
        if absent := sorted(missing - own.keys()):
            raise UserError(
                f"the paper names no {', '.join(absent)} of {kind.TITLE} for {sweep.size}; "
                f"give it with --set {prefix}{absent[0]}=…"
            ) from None
        found = run(sweep.size, sweep.optimizer, sweep.horizon, **{name: own[name] for name in missing})
    if only_missing:
        return found
    spec = override(found.spec, _texts(settings))
    best = found.spec.optimizer.lr / found.rate.times
    return replace(found, spec=spec, rate=Rate(spec.optimizer.lr / best, found.rate.of))


def _with_a_rate(scale: Scale, paper: PaperRun, settings: Mapping[str, Value]) -> Scale:
    """The scale; where the settings say the learning rate and it has none of its own yet, with one."""
    name, of = paper.setup.name, paper.rate.of
    if "optimizer.lr" not in settings or of in scale.lr.get(name, {}):
        return scale
    return scale.model_copy(update={"lr": {**scale.lr, name: {**scale.lr.get(name, {}), of: 1.0}}})


def at(spec: RunSpec, key: str) -> Value:
    """The value that a run has at a key such as 'optimizer.lr'.

    Raises:
        UnknownKey: it has none; names the nearest right one.
    """
    place: Any = spec
    for name in key.split("."):
        if not isinstance(place, BaseModel) or name not in type(place).model_fields:
            known = type(place).model_fields if isinstance(place, BaseModel) else ()
            raise UnknownKey(f"unknown key '{key}'{did_you_mean(name, known)}")
        place = getattr(place, name)
    return place


def _texts(settings: Mapping[str, Value]) -> list[str]:
    return [f"{key}={text(value)}" for key, value in settings.items()]
