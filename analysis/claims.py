"""What a claim is, and how it is judged: measured effects against a threshold, with their noise.

A claim is made of one or more effects, each a difference that should exceed a threshold:

- runs with several seeds are paired by seed (or by batch), and the 95% t interval of the mean decides;
- with one seed, the spread σ over seeds pooled from the scale's other runs of that size stands in: a
  difference of two runs within 2σ√2 of the threshold decides nothing (2σ√n where n runs enter);
- effects of exact computations have no noise.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import TYPE_CHECKING, Any, Literal

from ademamix.errors import UserError
from analysis.stats import t_interval

if TYPE_CHECKING:
    import pandas as pd

    from analysis.noise import Noise

ABOUT = 0.02  # nats: losses nearer than this count as the same, where a claim says they are
Measure = Callable[["pd.DataFrame"], Sequence["Effect"]]
Verdict = Literal["reproduced", "not reproduced", "inconclusive", "not run"]


@dataclass(frozen=True)
class Effect:
    """A measured difference, expected to exceed the claim's threshold.

    Attributes:
        what: what is compared, in words.
        values: one value for each seed, paired; a single value for exact computations.
        exact: whether it has no noise.
        runs: how many independent runs enter it, each with about unit weight: with one seed its
            standard deviation is taken as σ√runs.
        size: the paper's model size whose σ that is ("" where it is none, or several), or
            `analysis.noise.without_m1` of it where a run has β1 = 0.
        over: what the values are of: 'seeds', 'batches' or 'rounds' of a measurement.
        loss: whether they are differences of losses of seeds, the only thing that σ is the spread of;
            one value of anything else decides nothing.
    """

    what: str
    values: tuple[float, ...]
    exact: bool = False
    runs: int = 2
    size: str = ""
    over: Literal["seeds", "batches", "rounds"] = "seeds"
    loss: bool = True

    def judge(self, threshold: float, noise: "Noise") -> "Judged":
        """The verdict on this effect alone."""
        mean = sum(self.values) / len(self.values)
        width: float | None
        verdict: Verdict = "inconclusive"
        if self.exact or not math.isfinite(mean):
            # A run that diverged has no interval: all seeds have to say the same.
            width = 0.0 if self.exact else None
            if all(value > threshold for value in self.values):
                verdict = "reproduced"
            elif all(value <= threshold for value in self.values):
                verdict = "not reproduced"
            return Judged(self, mean, width, verdict)
        if len(self.values) > 1:
            _, width = t_interval(self.values)
        else:
            sigma = noise.of(self.size) if self.loss and self.over == "seeds" else None
            width = None if sigma is None else 2 * sigma * math.sqrt(self.runs)
        if width is not None and mean - width > threshold:
            verdict = "reproduced"
        elif width is not None and mean + width < threshold:
            verdict = "not reproduced"
        return Judged(self, mean, width, verdict)


@dataclass(frozen=True)
class Judged:
    """An effect with its mean, the half-width of its interval (None: noise unknown), its verdict."""

    effect: Effect
    mean: float
    width: float | None
    verdict: Verdict

    def as_json(self) -> dict[str, Any]:
        known = self.width is not None and math.isfinite(self.mean)
        ends = (self.mean - (self.width or 0), self.mean + (self.width or 0))
        return {
            "what": self.effect.what,
            "value": round(self.mean, 6) if math.isfinite(self.mean) else "diverged",
            "interval": [round(end, 6) for end in ends] if known else None,
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
        tuned: whether the scale's own values were tuned for what the claim finds best, which makes
            it circular there (judged 'inconclusive' anywhere but at `paper`).
        report: the table → further numbers to show beside the verdict.
    """

    name: str
    statement: str
    statistic: str
    measure: Measure
    threshold: float = 0.0
    at_least: int | None = None
    tuned: bool = False
    report: Callable[["pd.DataFrame"], Mapping[str, str]] = field(default=lambda _: {})

    def judge(self, frame: "pd.DataFrame", scale: str, noise: "Noise") -> dict[str, Any]:
        """The verdict with everything it rests on, as plain data."""
        judged = [effect.judge(self.threshold, noise) for effect in self.measure(frame)]
        verdict, why = self._verdict(judged, scale)
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
        }

    def _verdict(self, judged: Sequence[Judged], scale: str) -> tuple[Verdict, str]:
        if scale == "smoke":
            return "not run", "the smoke scale judges nothing"
        if self.tuned and scale not in ("paper", "exact"):
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


def final(frame: "pd.DataFrame", panel: str, series: str) -> dict[int, float]:
    """Seed → the last value of a series; infinity where it diverged.

    Clipping can hide infinities, so a curve that ends above where the panel's curves begin, soon after the
    warm-up of the learning rate, is called diverged too. (Branches begin late, and low.)
    """
    everyone = frame[frame["panel"] == panel].sort_values("x").groupby(["series", "seed"])["y"].first()
    last = _series(frame, panel, series).sort_values("x").groupby("seed")["y"].last()
    ends = last.where(last <= everyone.max(), math.inf)
    return dict(zip(ends.index.tolist(), ends.tolist(), strict=True))


def at(frame: "pd.DataFrame", panel: str, series: str, share: float) -> dict[int, float]:
    """Seed → the value of a series at the last point within `share` of the panel's length.

    Infinity where it diverged before its first point.
    """
    rows = _series(frame, panel, series)
    early = rows[rows["x"] <= share * frame[frame["panel"] == panel]["x"].max()]
    last = early.sort_values("x").groupby("seed")["y"].last()
    last = last.reindex(rows["seed"].unique(), fill_value=math.inf)
    return dict(zip(last.index.tolist(), last.tolist(), strict=True))


def beats(panel: str, baseline: str, names: Sequence[str], size: str) -> Measure:
    """How much lower than `baseline` each of `names` ends."""

    def measure(frame: "pd.DataFrame") -> list[Effect]:
        base = final(frame, panel, baseline)
        ends = {name: final(frame, panel, name) for name in names}
        return [difference(f"{baseline} − {name}", base, end, size) for name, end in ends.items()]

    return measure


def lower(panel: str, better: str, worse: str | Sequence[str], size: str) -> Measure:
    """How much lower `better` ends than `worse`, or than each of several."""
    names = [worse] if isinstance(worse, str) else worse

    def measure(frame: "pd.DataFrame") -> list[Effect]:
        best = final(frame, panel, better)
        return [difference(f"{name} − {better}", final(frame, panel, name), best, size) for name in names]

    return measure


def ranking(panel: str, names: Sequence[str]) -> "Callable[[pd.DataFrame], dict[str, str]]":
    """Which of `names` ended lowest, and how low each ended."""

    def report(frame: "pd.DataFrame") -> dict[str, str]:
        ends = {name: mean(final(frame, panel, name).values()) for name in names}
        listed = ", ".join(f"{name}: {end:.4f}" for name, end in ends.items())
        return {"lowest": min(ends, key=ends.__getitem__), "final losses": listed}

    return report


def rankings(panels: Mapping[str, Sequence[str]]) -> "Callable[[pd.DataFrame], dict[str, str]]":
    """As `ranking`, for the names of several panels."""

    def report(frame: "pd.DataFrame") -> dict[str, str]:
        return {
            f"({panel}) {what}": value
            for panel, names in panels.items()
            for what, value in ranking(panel, names)(frame).items()
        }

    return report


def _series(frame: "pd.DataFrame", panel: str, series: str) -> "pd.DataFrame":
    rows = frame[(frame["panel"] == panel) & (frame["series"] == series)]
    if rows.empty:
        raise UserError(f"the table has no series '{series}' in panel '{panel}'; make the figure again")
    return rows


def difference(
    what: str,
    higher: Mapping[int, float],
    lower: Mapping[int, float],
    size: str = "",
    runs: int = 2,
) -> Effect:
    """`higher` − `lower`, paired by seed; `runs` independent runs of that `size` enter it."""
    seeds = sorted(higher.keys() & lower.keys())
    if not seeds:
        raise UserError(f"no seed in common to compare: {what}; make the figure again")
    return Effect(what, tuple(higher[s] - lower[s] for s in seeds), runs=runs, size=size)
