"""What a sweep came to: its best setting, how sure that is, its neighbours, whether it lies on an edge."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ademamix.checkout import checkout
from ademamix.files import write_atomically
from ademamix.optimizers import OptimizerConfig
from ademamix.sweeps.axes import Value, scalar, text
from ademamix.sweeps.evidence import Side, open_sides
from ademamix.sweeps.outcomes import FIRST, Row
from ademamix.sweeps.space import Space
from ademamix.values import Symbol, marks
from analysis.noise import read_noise
from analysis.stats import t_interval

NEAR_AN_END = 0.05  # the share of a range, at either end, that counts as its edge where points are drawn


@dataclass(frozen=True)
class Tried:
    """A point that was tried, and what its runs came to.

    Attributes:
        setting: key → value, in the units of the sweep.
        losses: seed → final validation loss, of the runs that were trained to their end; infinite: diverged.
        states: of its runs, by seed.
        seconds, flops: of all of them.
    """

    setting: Mapping[str, Value]
    losses: Mapping[int, float]
    states: Mapping[int, str]
    seconds: float
    flops: float

    @property
    def complete(self) -> bool:
        return len(self.losses) == len(self.states)

    @property
    def mean(self) -> float:
        return sum(self.losses.values()) / len(self.losses)

    @property
    def label(self) -> str:
        return " ".join(f"{key}={text(value)}" for key, value in self.setting.items())


@dataclass(frozen=True)
class Difference:
    """A loss minus the best one's: mean over the seeds that both have, and the half-width of its interval.

    `width` is None where one seed and no known spread leave it open.
    """

    mean: float
    width: float | None

    @property
    def verdict(self) -> str:
        if not math.isfinite(self.mean):
            return "diverged"
        if self.width is None:
            return "worse, in one seed" if self.mean > 0 else "better, in one seed"
        return "worse" if self.mean > self.width else "not told apart"


@dataclass(frozen=True)
class Edge:
    """The best lies at an end of what was tried of a key: a better value may lie beyond."""

    key: str
    value: Value
    sides: tuple[Side, ...]


class Results:
    """The trials of a sweep, compared.

    Args:
        rows: of trials.csv.
        sigma: the spread over seeds of such runs, for trials of one seed; None: not known.
    """

    def __init__(self, rows: Sequence[Row], sigma: float | None = None) -> None:
        self.keys = (
            [] if not rows else [key for key in rows[0] if key not in FIRST and not key.startswith("run.")]
        )
        self.sigma = sigma
        groups: dict[tuple[str, ...], list[Row]] = {}
        for row in rows:
            groups.setdefault(tuple(row[key] for key in self.keys), []).append(row)
        self.tried = [_tried(self.keys, group) for group in groups.values()]

    @cached_property
    def varied(self) -> list[str]:
        """The keys of which several values were tried."""
        return [key for key in self.keys if len({tried.setting[key] for tried in self.tried}) > 1]

    @cached_property
    def ranked(self) -> list[Tried]:
        """The complete trials, the lowest loss first."""
        return sorted((tried for tried in self.tried if tried.complete), key=lambda tried: tried.mean)

    @property
    def best(self) -> Tried | None:
        """The trial with the lowest mean loss, of those that did not diverge."""
        return self.ranked[0] if self.ranked and math.isfinite(self.ranked[0].mean) else None

    def interval(self, tried: Tried) -> float | None:
        """The half-width of the 95% interval of a trial's mean loss; ±2σ with one seed; None: not known."""
        if len(tried.losses) > 1:
            return t_interval(list(tried.losses.values()))[1]
        return None if self.sigma is None else 2 * self.sigma

    def beyond_best(self, tried: Tried) -> Difference:
        """A trial's loss minus the best's, paired by seed; with one seed ±2σ√2."""
        assert self.best is not None
        common = sorted(tried.losses.keys() & self.best.losses.keys())
        differences = [tried.losses[seed] - self.best.losses[seed] for seed in common]
        mean = sum(differences) / len(differences)
        if len(differences) > 1 and math.isfinite(mean):
            return Difference(*t_interval(differences))
        return Difference(mean, None if self.sigma is None else 2 * math.sqrt(2) * self.sigma)

    def line(self, key: str) -> list[Tried]:
        """The complete trials that differ from the best in `key` alone, and the best, by value."""
        best = self.best
        assert best is not None
        others = [other for other in self.varied if other != key]
        found = [t for t in self.ranked if all(t.setting[other] == best.setting[other] for other in others)]
        return sorted(found, key=lambda tried: place(tried.setting[key]))

    def neighbours(self, key: str) -> list[Tried]:
        """The next lower and the next higher value of `key` that was tried with all else as the best has it.

        Of a key whose values are words, all.
        """
        line = self.line(key)
        at = next(i for i, tried in enumerate(line) if tried is self.best)
        if not self._ordered(key):
            return [tried for tried in line if tried is not self.best]
        return [line[i] for i in (at - 1, at + 1) if 0 <= i < len(line)]

    def edges(self, drawn: bool = False) -> list[Edge]:
        """The keys at an end of whose values the best lies. 0, and `null` for none, are natural ends.

        Judged with all else as the best has it, or, where nothing was tried there, by the lowest loss at
        each value. `drawn`: values were drawn from ranges; then the outer twentieth of those tried counts.
        """
        found = []
        for key in filter(self._ordered, self.varied if self.best else ()):
            assert self.best is not None
            value = self.best.setting[key]
            sides = self._near_an_end(key) if drawn and not self._few(key) else self._open(key)
            natural = {"below": place(value) == 0, "above": math.isinf(place(value))}
            if sides := tuple(side for side in sides if not natural[side]):
                found.append(Edge(key, value, sides))
        return found

    def _open(self, key: str) -> tuple[Side, ...]:
        assert self.best is not None
        line = self.line(key)
        by_seed: dict[int, dict[float, float]] = {}
        for tried in line if len(line) > 1 else self.ranked:
            for seed, loss in tried.losses.items():
                at = by_seed.setdefault(seed, {})
                at[place(tried.setting[key])] = min(loss, at.get(place(tried.setting[key]), math.inf))
        return open_sides(place(self.best.setting[key]), list(by_seed.values()))

    def _near_an_end(self, key: str) -> tuple[Side, ...]:
        assert self.best is not None
        values = [place(tried.setting[key]) for tried in self.ranked]
        log = logarithmic(values)
        low, high, at = (
            math.log(v) if log else v for v in (min(values), max(values), place(self.best.setting[key]))
        )
        margin = NEAR_AN_END * (high - low)
        ends: list[tuple[Side, bool]] = [("below", at <= low + margin), ("above", at >= high - margin)]
        return tuple(side for side, there in ends if there)

    def _few(self, key: str) -> bool:
        """Whether its values come back: they were listed, not drawn."""
        return 2 * len({tried.setting[key] for tried in self.tried}) <= len(self.tried)

    def _ordered(self, key: str) -> bool:
        return all(_is_number(tried.setting[key]) or tried.setting[key] is None for tried in self.tried)


def _is_number(value: Value) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


def place(value: Value) -> float:
    """Where a value stands in order: `null`, for none, beyond all numbers."""
    return float(value) if isinstance(value, float | int) else math.inf


def logarithmic(values: Sequence[float]) -> bool:
    """Whether values are better shown in their logarithm: all above 0, over more than a factor of 5."""
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) > 5 * min(finite)


def _tried(keys: Sequence[str], rows: Sequence[Row]) -> Tried:
    ended = {
        int(row["seed"]): float(row["loss"]) for row in rows if row["status"] in ("finished", "diverged")
    }
    return Tried(
        setting={key: scalar(rows[0][key]) for key in keys},
        losses=ended,
        states={int(row["seed"]): row["status"] for row in rows},
        seconds=sum(float(row["seconds"] or 0) for row in rows),
        flops=sum(float(row["flops"] or 0) for row in rows),
    )


@dataclass(frozen=True)
class Report:
    """A sweep's report: its text, the files that were written, and what it found."""

    lines: list[str]
    paths: list[Path]
    results: Results
    edges: list[Edge]

    def as_json(self) -> dict[str, Any]:
        """The best setting, its neighbours and edges, as plain data."""
        best = self.results.best
        if best is None:
            return {"best": None, "trials": len(self.results.tried)}
        return {
            "best": dict(best.setting),
            "loss": best.mean,
            "interval": self.results.interval(best),
            "seeds": sorted(best.losses),
            "trials": len(self.results.tried),
            "complete": len(self.results.ranked),
            "edges": [asdict(edge) for edge in self.edges],
            "neighbours": [
                {"setting": dict(near.setting), **asdict(self.results.beyond_best(near))}
                for key in self.results.varied
                for near in self.results.neighbours(key)
            ],
        }


def write_report(space: Space, stated: str, rows: Sequence[Row], folder: Path) -> Report:
    """Write report.md and the drawings of a sweep to `folder`, from the rows of its trials.csv."""
    from analysis.sweep_drawings import write_drawings

    kind = OptimizerConfig.member(space.sweep.optimizer)
    noise = read_noise(checkout() / "figures" / space.scale.name / "noise.csv")
    results = Results(rows, noise.of(f"{space.sweep.size} {kind.TITLE}"))
    edges = results.edges(drawn=space.sweep.search == "tpe")
    lines = [stated, "", *state(results), "", *_best(results, edges)]
    paths = (
        write_drawings(results, folder, names(results.keys, kind), stated, kind.TITLE) if results.best else []
    )
    page = [f"# Sweep `{space.sweep.name}`", "", *lines, ""]
    page += [f"![{path.stem}]({path.name})" for path in paths if path.suffix == ".png"]
    write_atomically(folder / "report.md", ("\n".join(page).rstrip() + "\n").encode())
    return Report(lines, [folder / "trials.csv", folder / "report.md", *paths], results, edges)


def names(keys: Sequence[str], kind: type[OptimizerConfig]) -> dict[str, str]:
    """Key → how people call it: 'optimizer.alpha' → 'α'."""
    symbols = {f"optimizer.{name}": symbol.text for name, symbol in marks(kind, Symbol).items()}
    known = {"optimizer.lr": "learning rate", "clipping": "gradient clipping", **symbols}
    return {key: known.get(key, key) for key in keys}


def state(results: Results) -> list[str]:
    """How many settings and runs there are in which state, and what they cost."""
    states = [state for tried in results.tried for state in tried.states.values()]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(sorted(states)))
    hours = sum(tried.seconds for tried in results.tried) / 3600
    flops = sum(tried.flops for tried in results.tried)
    settings = f"{len(results.tried)} settings, {len(states)} runs: {counts or 'none'}."
    return [f"{settings} Cost: {hours:.3g} hours of one worker, {flops:.3g} FLOPs."]


def _best(results: Results, edges: Sequence[Edge]) -> list[str]:
    best = results.best
    if best is None:
        return ["Nothing to compare yet: no setting has all its runs done."]
    loss = with_interval(best.mean, results.interval(best))
    found = [f"**Best: `{best.label}`**, {loss} ({how(len(best.losses), results.sigma)})."]
    if len(results.ranked) > 1:
        found.append(flattered(results))
    found += [f"**On the edge:** {edge_in_words(edge)}" for edge in edges]
    near = [tried for key in results.varied for tried in results.neighbours(key)]
    if near:
        found += ["", "Its neighbours, one value changed:", "", *_table(results, near)]
    if others := [tried for tried in results.ranked[1:5] if tried not in near]:
        found += ["", "Others among the best five:", "", *_table(results, others)]
    return found


def flattered(results: Results) -> str:
    """Why the best loss is lower than it would be again."""
    count = len(results.ranked)
    return (
        f"It is the lowest of {count}, so its own loss is flattered: train it on other seeds "
        "before you report it."
    )


def edge_in_words(edge: Edge) -> str:
    """What it means that the best lies on an edge, and what to do about it."""
    where = f"{edge.key}={text(edge.value)}: nothing worse was tried {' or '.join(edge.sides)}"
    return f"{where}; try values {' and '.join(edge.sides)} it."


def _table(results: Results, some: Sequence[Tried]) -> list[str]:
    lines = ["| setting | loss | minus the best | |", "|---|---|---|---|"]
    for tried in some:
        beyond = results.beyond_best(tried)
        cells = f"`{tried.label}`", f"{tried.mean:.4f}", with_interval(beyond.mean, beyond.width, "+")
        lines.append(f"| {' | '.join(cells)} | {beyond.verdict} |")
    return lines


def with_interval(mean: float, width: float | None, sign: str = "") -> str:
    """'1.5050 ± 0.0030'; without an interval where it is not known."""
    return f"{mean:{sign}.4f}" + (f" ± {width:.4f}" if width is not None and math.isfinite(mean) else "")


def how(seeds: int, sigma: float | None) -> str:
    """What the intervals of so many seeds are."""
    if seeds > 1:
        return f"{seeds} seeds, 95% t interval; differences are paired by seed"
    if sigma is None:
        return "one seed; the spread over seeds is not known"
    return "one seed, ±2σ with the spread of this scale's figures"
