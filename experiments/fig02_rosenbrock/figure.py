"""Figure 2: Adam and AdEMAMix on the Rosenbrock function (exact trajectories, no training)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.claims import Claim, Exact, Measure, Report
from analysis.series import Series
from analysis.tables import tabulate
from experiments.toy import Point, distance, trajectories

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 2
TITLE = "Adam and AdEMAMix on the Rosenbrock function"
EXACT = True
PANELS = "abc"

START, MINIMUM = (-3.0, 5.0), (1.0, 1.0)
ITERATIONS = 5_000
SHOWN_EVERY = 10  # iterations between the points of the table
ADAM_BETA1S = (0.9, 0.99, 0.999, 0.9999)  # β2 0.999
ALPHA = 9
ADEMAMIX_BETA3S = (0.999, 0.9999)  # β1 0.9, β2 0.999

# The paper gives no learning rates, only that AdEMAMix's is reduced to make up for α. So every statement is
# looked at over a plane, Adam's rate by AdEMAMix's. What is drawn: the first rate of the grid at which all
# that the paper says of Adam holds; AdEMAMix's is that divided by 1 + α, the factor by which a steady
# gradient lengthens its step.
RATES = (1e-3, 3.16e-3, 1e-2, 3.16e-2, 0.1, 0.316, 1.0)
RADII = (1.0, 0.5, 0.1, 0.01)  # distances that count as having arrived
NEAR, NEARER = 0.5, 0.01
Row = tuple[str, str, int, float, float]
FIRST, STAYS, REBOUND = "first within", "stays within", "rebound"
STEADY = 0.5  # a trajectory whose distance rises by more above its lowest so far oscillates


def adam_name(beta1: float) -> str:
    return f"Adam, β1 = {beta1}"


def ademamix_name(beta3: float) -> str:
    return f"AdEMAMix, β3 = {beta3}"


ADAMS, OURS = [*map(adam_name, ADAM_BETA1S)], [*map(ademamix_name, ADEMAMIX_BETA3S)]


def gradient(x1: float, x2: float) -> tuple[float, float]:
    """Of f(x) = (1 − x1)² + 100·(x2 − x1²)²."""
    return -2 * (1 - x1) - 400 * x1 * (x2 - x1**2), 200 * (x2 - x1**2)


Trajectory = tuple[str, float]  # its name and its learning rate


def adams(rates: Sequence[float]) -> dict[Trajectory, list[Point]]:
    """The trajectories of torch's AdamW: each β1 at each rate."""
    from torch.optim import AdamW

    betas = {adam_name(beta1): (beta1, 0.999) for beta1 in ADAM_BETA1S}
    # As on a CPU by default, which torch would find out anew at every step.
    return _paths(AdamW, betas, rates, foreach=False)


def ademamixes(rates: Sequence[float]) -> dict[Trajectory, list[Point]]:
    """Those of AdEMAMix: each β3 at each rate."""
    from ademamix import AdEMAMix

    betas = {ademamix_name(beta3): (0.9, 0.999, beta3) for beta3 in ADEMAMIX_BETA3S}
    return _paths(AdEMAMix, betas, rates, alpha=ALPHA, implementation="reference")


def _paths(
    optimizer: Any, betas: Mapping[str, tuple[float, ...]], rates: Sequence[float], **options: Any
) -> dict[Trajectory, list[Point]]:
    runs = [(name, lr) for name in betas for lr in rates]
    groups = [{"lr": lr, "betas": betas[name]} for name, lr in runs]
    return dict(
        zip(runs, trajectories(optimizer, gradient, START, ITERATIONS, groups, **options), strict=True)
    )


@dataclass(frozen=True)
class Outcome:
    """What a trajectory comes to: by radius, when it is first within, and from when on to stay; its swing.

    `rebound`: the largest rise of the distance above its lowest so far. Never is infinity.
    """

    first: Mapping[float, float]
    stays: Mapping[float, float]
    rebound: float

    @classmethod
    def of(cls, away: Sequence[float]) -> "Outcome":
        """Of the distances at every iteration; one that is not finite is infinitely far."""
        away = [d if math.isfinite(d) else math.inf for d in away]
        first, stays = {}, {}
        for radius in RADII:
            inside = [i for i, d in enumerate(away) if d < radius]
            outside = [i for i, d in enumerate(away) if d >= radius]
            first[radius] = inside[0] if inside else math.inf
            stays[radius] = outside[-1] + 1 if outside[-1] < len(away) - 1 else math.inf
        lowest, rebound = math.inf, 0.0
        for d in away:
            lowest = min(lowest, d)
            rebound = max(rebound, d - lowest)
        return cls(first, stays, rebound)

    def rows(self, name: str) -> list[Row]:
        """As rows of the table: x a radius, y an iteration; and the rebound at x 0."""
        kinds = ((FIRST, self.first), (STAYS, self.stays), (REBOUND, {0.0: self.rebound}))
        return [("a", f"{name}: {kind}", 0, x, y) for kind, found in kinds for x, y in found.items()]

    @classmethod
    def read(cls, frame: "pd.DataFrame", name: str) -> "Outcome":
        """From the table."""
        every, found = Series.found(frame), []
        for kind in (FIRST, STAYS, REBOUND):
            rows = every.rows("a", f"{name}: {kind}")
            found.append(dict(zip(rows["x"].tolist(), rows["y"].tolist(), strict=True)))
        return cls(found[0], found[1], found[2][0.0])


def _outcomes(paths: Mapping[Trajectory, Sequence[Point]]) -> dict[Trajectory, Outcome]:
    return {run: Outcome.of(distance(points, MINIMUM)) for run, points in paths.items()}


def at_rate(name: str, lr: float) -> str:
    """A trajectory of the plane."""
    return f"{name}, lr = {lr:g}"


def drawn_rate(outcomes: Mapping[Trajectory, Outcome]) -> float:
    """The first rate of the grid at which most of the three statements on Adam hold: all, where they do."""

    def held(lr: float) -> int:
        at = {name: outcomes[name, lr] for name in ADAMS}
        return sum(
            all(value > 0 for value in of(at).values()) for of in (small_steady, large_fast, large_swings)
        )

    return max(RATES, key=lambda lr: (held(lr), -lr))


At = Mapping[str, Outcome]  # name → what it comes to, at the rates in question


def small_steady(at: At) -> dict[str, float]:
    return {f"{STEADY} − rebound of {name}": STEADY - at[name].rebound for name in ADAMS[:2]}


def large_fast(at: At) -> dict[str, float]:
    usual = min(at[ADAMS[0]].first[NEAR], ITERATIONS)
    return {
        f"{name} sooner than β1 = 0.9": usual - min(at[name].first[NEAR], ITERATIONS) for name in ADAMS[2:]
    }


def large_swings(at: At) -> dict[str, float]:
    return {f"rebound of {name} − {STEADY}": at[name].rebound - STEADY for name in ADAMS[2:]}


def sooner(at: At, radius: float = NEARER) -> dict[str, float]:
    """Iterations by which each AdEMAMix is within `radius` before the fastest Adam; never is the last one."""
    fastest = min(min(at[name].first[radius] for name in ADAMS), ITERATIONS)
    return {name: fastest - min(at[name].first[radius], ITERATIONS) for name in OURS}


def stays_sooner(at: At, radius: float = NEARER) -> dict[str, float]:
    """As `sooner`, but within to stay."""
    fastest = min(min(at[name].stays[radius] for name in ADAMS), ITERATIONS)
    return {name: fastest - min(at[name].stays[radius], ITERATIONS) for name in OURS}


def steady(at: At) -> dict[str, float]:
    return {name: STEADY - at[name].rebound for name in OURS}


def table(results: "Results") -> "pd.DataFrame":
    """Panel a: x iteration, y distance; and what every trajectory of the plane comes to (`Outcome.rows`).

    Panels b (Adam) and c (AdEMAMix): the points x1, x2.
    """
    paths = adams(RATES)
    outcomes = _outcomes(paths)
    rate = drawn_rate(outcomes)
    own = rate / (1 + ALPHA)
    ours = ademamixes(sorted({*RATES, own}))
    paths |= ours
    outcomes |= _outcomes(ours)
    rows: list[Row] = []
    for name in (*ADAMS, *OURS):
        panel, lr = ("b", rate) if name in ADAMS else ("c", own)
        points = paths[name, lr]
        shown = points[::SHOWN_EVERY]
        away = distance(shown, MINIMUM)
        rows += [("a", name, 0, i * SHOWN_EVERY, d) for i, d in enumerate(away)]
        rows += [(panel, name, 0, x1, x2) for x1, x2 in shown]
        rows += outcomes[name, lr].rows(name)
        rows += [("a", f"{name}: lr", 0, 0, lr)]
    for (name, lr), outcome in outcomes.items():
        if lr in RATES:
            rows += outcome.rows(at_rate(name, lr))
    frame = tabulate(rows)
    return frame[[results.wants(panel) for panel in frame["panel"]]].sort_values("panel", kind="stable")


def draw(frame: "pd.DataFrame") -> "Figure":
    import numpy as np
    from matplotlib import pyplot as plt

    from analysis import style
    from analysis.curves import panels

    colours = {
        **dict(zip(map(adam_name, ADAM_BETA1S), ("#F2B48C", "#E98A4E", "#D55E00", "#7A3600"), strict=True)),
        **dict(zip(map(ademamix_name, ADEMAMIX_BETA3S), ("#56B4E9", "#0072B2"), strict=True)),
    }
    titles = {"a": "(a) distance to the minimum", "b": "(b) Adam", "c": "(c) AdEMAMix, α = 9"}
    shown = panels(frame)
    width = style.COLUMN if len(shown) == 1 else style.WIDTH
    figure, grid = plt.subplots(1, len(shown), figsize=(width, style.PANEL_HEIGHT + 0.35), squeeze=False)
    for axes, panel in zip(grid[0], shown, strict=True):
        rows = frame[frame["panel"] == panel]
        axes.set_title(titles[panel])
        for name in (name for name in colours if name in set(rows["series"])):
            line = rows[rows["series"] == name]
            axes.plot(line["x"], line["y"], color=colours[name], label=name, linewidth=1.1)
        if panel == "a":
            axes.set_yscale("log")
            axes.set_ylim(1e-3, 1e3)
            axes.set_xlabel("iterations")
            axes.set_ylabel("distance to (1, 1)")
            axes.legend(loc="upper right", fontsize=5.2, labelspacing=0.1, borderpad=0)
            continue
        x1, x2 = np.meshgrid(np.linspace(-4, 4, 240), np.linspace(-7, 9, 240))
        height = (1 - x1) ** 2 + 100 * (x2 - x1**2) ** 2
        axes.contour(x1, x2, height, levels=np.logspace(-1, 4.5, 9), colors="0.8", linewidths=0.5, zorder=0)
        axes.plot(*START, "ks", markersize=3)
        axes.plot(*MINIMUM, "k*", markersize=7)
        axes.set(xlim=(-4, 4), ylim=(-7, 9), xlabel="$x_1$", ylabel="$x_2$")
        axes.legend(loc="lower left", fontsize=5.8)
    return figure


def _drawn(frame: "pd.DataFrame") -> dict[str, Outcome]:
    """What the trajectories that are drawn come to."""
    return {name: Outcome.read(frame, name) for name in (*ADAMS, *OURS)}


def _rates(frame: "pd.DataFrame") -> list[str]:
    """The learning rates that are drawn."""
    rows = frame[frame["series"].isin([f"{name}: lr" for name in (ADAMS[0], OURS[0])])]
    return [f"{name.split(',')[0]} {lr:g}" for name, lr in zip(rows["series"], rows["y"], strict=True)]


def _judged(statement: Callable[[At], dict[str, float]]) -> Measure:
    """A statement at the rates that are drawn."""
    return lambda frame: [Exact(what, float(value)) for what, value in statement(_drawn(frame)).items()]


def _over_the_plane(statement: Callable[[At], dict[str, float]]) -> Report:
    """In how much of the plane of both rates a statement on AdEMAMix holds, for each β3."""

    def report(frame: "pd.DataFrame") -> dict[str, str]:
        plane = {
            (first, second): {
                **{name: Outcome.read(frame, at_rate(name, first)) for name in ADAMS},
                **{name: Outcome.read(frame, at_rate(name, second)) for name in OURS},
            }
            for first in RATES
            for second in RATES
        }
        held = {name: sum(statement(at)[name] > 0 for at in plane.values()) for name in OURS}
        return {
            f"{name}, over the plane of rates": f"holds in {n} of {len(plane)}" for name, n in held.items()
        }

    return report


def _at_radii(frame: "pd.DataFrame") -> dict[str, str]:
    """The same at other radii, at the rates drawn."""
    at = _drawn(frame)
    return {
        f"within {radius:g}": ", ".join(f"{name}: {gain:+,.0f}" for name, gain in sooner(at, radius).items())
        for radius in RADII
    }


CLAIMS = [
    Claim(
        name="small-beta1-steady",
        statement="Adam with small β1 (0.9, 0.99) does not oscillate.",
        statistic=f"{STEADY} minus the largest rise of the distance above its lowest so far",
        measure=_judged(small_steady),
        report=lambda frame: {"rates drawn": ", ".join(_rates(frame))},
    ),
    Claim(
        name="large-beta1-fast",
        statement="Adam with large β1 (0.999, 0.9999) comes near the minimum sooner than with 0.9.",
        statistic=f"iterations by which it is first nearer than {NEAR}",
        measure=_judged(large_fast),
    ),
    Claim(
        name="large-beta1-oscillates",
        statement="Adam with large β1 (0.999, 0.9999) oscillates widely.",
        statistic=f"largest rise of the distance above its lowest so far, minus {STEADY}",
        measure=_judged(large_swings),
    ),
    Claim(
        name="ademamix-sooner",
        statement="AdEMAMix reaches small distances sooner than any of the Adam runs.",
        statistic=f"iterations by which it is first nearer than {NEARER}, against the fastest Adam",
        measure=_judged(sooner),
        report=lambda frame: {**_over_the_plane(sooner)(frame), **_at_radii(frame)},
    ),
    Claim(
        name="ademamix-stays-sooner",
        statement="AdEMAMix is at small distances to stay sooner than any of the Adam runs.",
        statistic=f"iterations by which it is nearer than {NEARER} from then on, against the fastest Adam",
        measure=_judged(stays_sooner),
        report=_over_the_plane(stays_sooner),
    ),
    Claim(
        name="ademamix-steady",
        statement="AdEMAMix does not oscillate.",
        statistic=f"{STEADY} minus the largest rise of the distance above its lowest so far",
        measure=_judged(steady),
        report=_over_the_plane(steady),
    ),
]
