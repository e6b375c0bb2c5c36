"""What a claim is, and how it is judged: measured effects against a threshold, with their noise.

A claim is made of one or more effects, each a difference that should exceed a threshold. What an effect's
noise is stands in its type:

- `Effect`: values paired by seed (or by batch, or by round of a measurement); the 95% t interval of their
  mean decides. With one seed, where the effect is a combination of final losses, the spreads over seeds of
  its runs stand in, each of its own set-up and optimizer: 2·√(Σ weight²·σ²), such as 2σ√2 for a difference.
  One value of anything else decides nothing;
- `Exact`: a computation, without noise;
- `Share`: the share of the cells of a grid below a level, with a bootstrap interval over σ; `ShareGap`: the
  difference of two.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import mean
from typing import TYPE_CHECKING, Any, Literal

from analysis.paired import Paired, Run, Terms
from analysis.series import Series
from analysis.stats import central_interval, share_draws, t_interval

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from analysis.noise import Noise

# What the paper's words mean here, in nats of final validation loss, wherever a claim uses them.
SAME = 0.02  # "the same", "no gain", "nothing": not further apart than this
LITTLE = 0.03  # "changes the end little"
SLIGHTLY = 0.05  # "slightly worse", "slightly better": a difference, and not more than this
Measure = Callable[["pd.DataFrame"], Sequence["Measured"]]
Compare = Callable[["pd.DataFrame"], list["Effect"]]
Report = Callable[["pd.DataFrame"], Mapping[str, str]]
Verdict = Literal["reproduced", "not reproduced", "inconclusive", "not run"]
VERDICTS: tuple[Verdict, ...] = ("reproduced", "not reproduced", "inconclusive")  # of what was judged
Over = Literal["seeds", "batches", "rounds"]


@dataclass(frozen=True)
class Effect:
    """A measured difference, expected to exceed the claim's threshold.

    Attributes:
        what: what is compared, in words.
        values: one value for each of what they are `over`, paired; none: there was nothing to compare.
        terms: the runs that enter, each with its weight: with one seed, their spreads stand in for the
            effect's own. Empty: nothing does.
        over: what the values are of: 'seeds', 'batches', or 'rounds' of a measurement.
        errors: the standard error of each value, where it was measured on a sample, such as a task's
            questions: with one seed, it stands in for the spread.
    """

    what: str
    values: tuple[float, ...]
    terms: Terms = field(default_factory=dict)
    over: Over = "seeds"
    errors: tuple[float, ...] = ()

    @classmethod
    def of(cls, what: str, values: Paired) -> "Effect":
        """Of a combination of final losses, paired by seed."""
        return cls(what, tuple(values[seed] for seed in values), values.terms)

    def judge(self, threshold: float, noise: "Noise") -> "Judged":
        """The verdict on this effect alone."""
        if not self.values:
            return Judged(self, math.nan, None, "inconclusive")
        middle = sum(self.values) / len(self.values)
        if not math.isfinite(middle):  # a run that diverged has no interval: all seeds have to say the same
            return Judged(self, middle, None, _unanimous(self.values, threshold))
        width = t_interval(self.values)[1] if len(self.values) > 1 else self._pooled(noise)
        interval = None if width is None else (middle - width, middle + width)
        return Judged(self, middle, interval, _beyond(interval, threshold))

    def _pooled(self, noise: "Noise") -> float | None:
        """Twice the standard deviation that the spreads of the runs give; None where one is unknown."""
        if self.errors:
            return 2 * self.errors[0]
        spreads = [(weight, noise.of(run.group)) for run, weight in self.terms.items()]
        if not spreads or any(sigma is None for _, sigma in spreads):
            return None
        return 2 * math.sqrt(sum((weight * (sigma or 0.0)) ** 2 for weight, sigma in spreads))


@dataclass(frozen=True)
class Exact:
    """A difference that was computed, without noise, expected to exceed the claim's threshold."""

    what: str
    value: float
    over: Over = "seeds"

    @property
    def values(self) -> tuple[float, ...]:
        return (self.value,)

    def judge(self, threshold: float, noise: "Noise") -> "Judged":
        """The verdict on this effect alone."""
        interval = (self.value, self.value) if math.isfinite(self.value) else None
        return Judged(self, self.value, interval, _unanimous(self.values, threshold))


@dataclass(frozen=True)
class Share:
    """The share of the cells of a grid whose loss is below a level, minus the share expected at least.

    Attributes:
        what: what is counted, in words.
        losses: of the cells, one run each.
        level: a loss, of one run too.
        least: the share expected.
        group: whose spread over seeds the losses have (`analysis.noise`).
        sigma: that spread, where the figure's own table has it.
    """

    what: str
    losses: tuple[float, ...]
    level: float
    least: float
    group: str = ""
    sigma: float | None = None
    over: Over = "seeds"

    @property
    def values(self) -> tuple[float, ...]:
        return (sum(loss < self.level for loss in self.losses) / len(self.losses) - self.least,)

    def draws(self, noise: "Noise", number: int = 0) -> "NDArray[np.float64] | None":
        """What the share might as well have been; None: the spread is unknown. Equal numbers, equal draws."""
        sigma = noise.of(self.group) if self.sigma is None else self.sigma
        return None if sigma is None else share_draws(self.losses, self.level, sigma, number) - self.least

    def judge(self, threshold: float, noise: "Noise") -> "Judged":
        """The verdict on this share alone."""
        drawn = self.draws(noise)
        interval = None if drawn is None else central_interval(drawn)
        return Judged(self, self.values[0], interval, _beyond(interval, threshold))


@dataclass(frozen=True)
class ShareGap:
    """How much larger one share is than another, of another grid with noise of its own."""

    what: str
    larger: Share
    smaller: Share
    over: Over = "seeds"

    @property
    def values(self) -> tuple[float, ...]:
        return (self.larger.values[0] - self.smaller.values[0],)

    def judge(self, threshold: float, noise: "Noise") -> "Judged":
        """The verdict on this difference alone."""
        drawn = [share.draws(noise, number) for number, share in enumerate((self.larger, self.smaller))]
        interval = None
        if drawn[0] is not None and drawn[1] is not None:
            interval = central_interval(drawn[0] - drawn[1])
        return Judged(self, self.values[0], interval, _beyond(interval, threshold))


Measured = Effect | Exact | Share | ShareGap


def _beyond(interval: tuple[float, float] | None, threshold: float) -> Verdict:
    if interval and interval[0] > threshold:
        return "reproduced"
    if interval and interval[1] < threshold:
        return "not reproduced"
    return "inconclusive"


def _unanimous(values: Sequence[float], threshold: float) -> Verdict:
    if all(value > threshold for value in values):
        return "reproduced"
    if all(value <= threshold for value in values):
        return "not reproduced"
    return "inconclusive"


@dataclass(frozen=True)
class Judged:
    """An effect with its mean, its interval (None: noise unknown), its verdict.

    Half of the interval is the resolution: the smallest distance from the threshold that decides.
    """

    effect: Measured
    mean: float
    interval: tuple[float, float] | None
    verdict: Verdict

    def as_json(self) -> dict[str, Any]:
        return {
            "what": self.effect.what,
            "value": round(self.mean, 6) if math.isfinite(self.mean) else "diverged",
            "interval": [round(end, 6) for end in self.interval] if self.interval else None,
            "resolution": round((self.interval[1] - self.interval[0]) / 2, 6) if self.interval else None,
            self.effect.over: len(self.effect.values),
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class Claim:
    """Something the paper says of a figure.

    Attributes:
        name: short, unique within the figure.
        statement: the paper's claim, in our words.
        statistic: what is measured, in words.
        measure: the figure's table → the effects.
        threshold: what each effect should exceed, in the effects' unit.
        at_least: how many effects must hold; None: all of them.
        tuned: whether it is about the slow half-life, which makes it circular (judged 'inconclusive') at a
            scale that has tuned one of its own.
        report: the table → further numbers to show beside the verdict.
        number: the paper's own number, where it names one, and the table → ours.
    """

    name: str
    statement: str
    statistic: str
    measure: Measure
    threshold: float = 0.0
    at_least: int | None = None
    tuned: bool = False
    report: Report = field(default=lambda _: {})
    number: "tuple[str, Callable[[pd.DataFrame], str]] | None" = None

    def judge(self, frame: "pd.DataFrame", noise: "Noise", rules: "Rules") -> dict[str, Any]:
        """The verdict with everything it rests on, as plain data."""
        judged = [effect.judge(self.threshold, noise) for effect in self.measure(frame)]
        verdict, why = self._verdict(judged, rules)
        return {
            "claim": self.name,
            "statement": self.statement,
            "statistic": self.statistic,
            "threshold": self.threshold,
            "needed": self.at_least or len(judged),
            "verdict": verdict,
            "why": why,
            "effects": [effect.as_json() for effect in judged],
            "also": dict(self.report(frame)),
            "number": {"paper": self.number[0], "ours": self.number[1](frame)} if self.number else None,
        }

    def _verdict(self, judged: Sequence[Judged], rules: "Rules") -> tuple[Verdict, str]:
        if not rules.judges:
            return "not run", "this scale judges nothing"
        if self.tuned and rules.tuned:
            return "inconclusive", "the scale's own values were tuned for this"
        needed = self.at_least or len(judged)
        held = sum(j.verdict == "reproduced" for j in judged)
        failed = sum(j.verdict == "not reproduced" for j in judged)
        count = f"{held} of {len(judged)} comparisons hold, {failed} fail, {needed} needed"
        if held >= needed:
            return "reproduced", count
        if failed > len(judged) - needed:
            return "not reproduced", count
        return "inconclusive", count


@dataclass(frozen=True)
class Rules:
    """What verdicts have to know of a scale: whether they count, and whether its slow half-life was tuned."""

    judges: bool = True
    tuned: bool = False


def run_of(frame: "pd.DataFrame", panel: str, series: str, at: float = 1.0) -> Run:
    """A point of a curve with the group whose spread it has; the judge tells which (`frame.attrs`)."""
    return Run(panel, series, frame.attrs.get("groups", {}).get((panel, series), ""), at)


def final(frame: "pd.DataFrame", panel: str, series: str) -> Paired:
    """Seed → the last value of a series; infinity where it diverged.

    Clipping can hide infinities, so a curve that ends above where the panel's curves begin, soon after the
    warm-up of the learning rate, is called diverged too. (Branches begin late, and low.)
    """
    every = Series.found(frame)
    ends = every.by_seed(panel, series)
    values = {seed: end if end <= every.begins[panel] else math.inf for seed, end in ends.items()}
    return Paired(values, {run_of(frame, panel, series): 1.0})


def at(frame: "pd.DataFrame", panel: str, series: str, share: float) -> Paired:
    """Seed → the value of a series at the last point within `share` of the panel's length.

    Infinity where it diverged before its first point.
    """
    every = Series.found(frame)
    seeds = every.by_seed(panel, series)
    values = dict.fromkeys(seeds, math.inf) | every.by_seed(panel, series, share * every.lengths[panel])
    return Paired(values, {run_of(frame, panel, series, share): 1.0})


def roughness(frame: "pd.DataFrame", panel: str, series: str) -> Paired:
    """Seed → how much a curve rises, in sum, over the last three quarters of the panel's length.

    A curve that only falls has 0; each spike adds its height. The windows observed are always the same, so
    that what rises is the model's loss. Infinity where a run diverged.
    """
    every = Series.found(frame)
    rows = every.rows(panel, series)
    late = rows[rows["x"] >= every.lengths[panel] / 4]
    total = late.groupby("seed")["y"].apply(lambda y: float(y.diff().clip(lower=0).sum()))
    diverged = rows.groupby("seed")["y"].max() == math.inf
    total = total.reindex(diverged.index, fill_value=0.0).mask(diverged, math.inf)
    return Paired(dict(zip(total.index.tolist(), total.tolist(), strict=True)), {})


def rougher(panel: str, smooth: str, rough: Sequence[str]) -> Compare:
    """How much rougher the curve of each of `rough` is than that of `smooth`."""

    def measure(frame: "pd.DataFrame") -> list[Effect]:
        base = roughness(frame, panel, smooth)
        return [Effect.of(f"{name} − {smooth}", roughness(frame, panel, name) - base) for name in rough]

    return measure


def beats(panel: str, baseline: str, names: Sequence[str]) -> Compare:
    """How much lower than `baseline` each of `names` ends."""

    def measure(frame: "pd.DataFrame") -> list[Effect]:
        base = final(frame, panel, baseline)
        return [Effect.of(f"{baseline} − {name}", base - final(frame, panel, name)) for name in names]

    return measure


def lower(panel: str, better: str, worse: str | Sequence[str]) -> Compare:
    """How much lower `better` ends than `worse`, or than each of several."""
    names = [worse] if isinstance(worse, str) else worse

    def measure(frame: "pd.DataFrame") -> list[Effect]:
        best = final(frame, panel, better)
        return [Effect.of(f"{name} − {better}", final(frame, panel, name) - best) for name in names]

    return measure


def in_order(panel: str, names: Sequence[str]) -> Compare:
    """How much higher each of `names` ends than the one before it."""

    def measure(frame: "pd.DataFrame") -> list[Effect]:
        ends = {name: final(frame, panel, name) for name in names}
        return [Effect.of(f"{b} − {a}", ends[b] - ends[a]) for a, b in pairwise(names)]

    return measure


def ranking(panel: str, names: Sequence[str]) -> "Callable[[pd.DataFrame], dict[str, str]]":
    """Which of `names` ended lowest, and how low each ended."""

    def report(frame: "pd.DataFrame") -> dict[str, str]:
        ends = mean_ends(frame, panel, names)
        listed = ", ".join(f"{name}: {end:.4f}" for name, end in ends.items())
        return {"lowest": min(ends, key=ends.__getitem__), "final losses": listed}

    return report


def lowest(panel: str, names: Mapping[str, str]) -> "Callable[[pd.DataFrame], str]":
    """Which of `names`, name → how to call it, ended lowest."""

    def find(frame: "pd.DataFrame") -> str:
        ends = mean_ends(frame, panel, names)
        return names[min(ends, key=ends.__getitem__)]

    return find


def mean_ends(frame: "pd.DataFrame", panel: str, names: Iterable[str]) -> dict[str, float]:
    """Name → its final value, the mean over seeds."""
    return {name: mean(final(frame, panel, name).values()) for name in names}


def rankings(panels: Mapping[str, Sequence[str]]) -> "Callable[[pd.DataFrame], dict[str, str]]":
    """As `ranking`, for the names of several panels."""

    def report(frame: "pd.DataFrame") -> dict[str, str]:
        return {
            f"({panel}) {what}": value
            for panel, names in panels.items()
            for what, value in ranking(panel, names)(frame).items()
        }

    return report
