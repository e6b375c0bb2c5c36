"""Figure 18: leaving a wrong initial direction on a toy function (exact trajectories, no training)."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from analysis.claims import Claim, Exact
from analysis.tables import tabulate
from experiments import toy
from experiments.toy import Point, distance

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 18
PANELS = "ab"
TITLE = "Leaving a wrong initial direction: Adam and AdEMAMix on a toy function"
EXACT = True

MINIMUM = (1.0, 4.0)
STARTS = ((0.3, 1.5), (0.3, -1.5))  # the paper's text names the first, its caption the second
MOMENTUM = {"a": (-3.0, 0.0), "b": (-0.8, -3.0)}  # what the EMAs of the gradient hold at the start
BETA1, BETA3 = 0.999, 0.999  # Adam's β1; AdEMAMix's β3, with β1 = 0.9; β2 = 0.999 for both
ALPHA = 9  # not given; Figure 2's
ITERATIONS = 2_000  # not given; about three half-lives of β = 0.999
SHOWN_EVERY = 5

# The paper gives no learning rates. Rule: Adam's is the value of this grid with which the usual
# β1 = 0.9, with empty buffers, is first nearer than NEAR to the minimum (the later of the two starts).
# AdEMAMix's is Adam's divided by 1 + α, as in Figure 2.
LR_GRID = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
NEAR = 0.01

ADAM, ADEMAMIX = "Adam", "AdEMAMix"


def name_of(optimizer: str, start: Point) -> str:
    return f"{optimizer} from ({start[0]:g}, {start[1]:g})"


def height(x: Any, y: Any) -> Any:
    """f(x, y) = 8·(x − 1)²·(1.3x² + 2x + 1) + 0.5·(y − 4)²; of numbers or arrays."""
    return 8 * (x - 1) ** 2 * (1.3 * x**2 + 2 * x + 1) + 0.5 * (y - 4) ** 2


def gradient(x: float, y: float) -> Point:
    return 16 * (x - 1) * (1.3 * x**2 + 2 * x + 1) + 8 * (x - 1) ** 2 * (2.6 * x + 2), y - 4


trajectory = partial(toy.trajectory, gradient=gradient, iterations=ITERATIONS)


def adam_learning_rate() -> float:
    """The learning rate that the rule above chooses for Adam."""
    from torch.optim import AdamW

    def arrival(lr: float) -> int:
        """Iterations until it is near, from the start that takes longer."""
        paths = [trajectory(AdamW, start=start, lr=lr, betas=(0.9, 0.999)) for start in STARTS]
        return max(
            next((i for i, away in enumerate(distance(path, MINIMUM)) if away < NEAR), ITERATIONS)
            for path in paths
        )

    return min(LR_GRID, key=arrival)


def table(results: "Results") -> "pd.DataFrame":
    """The points (x, y) of each trajectory, every fifth iteration."""
    from torch.optim import AdamW

    from ademamix import AdEMAMix

    lr = adam_learning_rate()
    rows: list[tuple[str, str, int, float, float]] = []
    for panel, momentum in MOMENTUM.items():
        if not results.wants(panel):
            continue
        for start in STARTS:
            past = partial(trajectory, start=start, momentum=momentum)
            found = {
                ADAM: past(AdamW, lr=lr, betas=(BETA1, 0.999)),
                ADEMAMIX: past(
                    AdEMAMix,
                    lr=lr / (1 + ALPHA),
                    betas=(0.9, 0.999, BETA3),
                    alpha=ALPHA,
                    implementation="reference",
                ),
            }
            for optimizer, points in found.items():
                rows += [(panel, name_of(optimizer, start), 0, x, y) for x, y in points[::SHOWN_EVERY]]
    return tabulate(rows)


def draw(frame: "pd.DataFrame") -> "Figure":
    """A column for each panel (initial momentum), a row for each starting point."""
    import numpy as np
    from matplotlib import pyplot as plt

    from analysis import curves, style

    shown = curves.panels(frame)
    width = style.COLUMN if len(shown) == 1 else style.WIDTH
    figure, grid = plt.subplots(
        len(STARTS), len(shown), figsize=(width, 2 * style.PANEL_HEIGHT), squeeze=False, sharex=True
    )
    x, y = np.meshgrid(np.linspace(-2.2, 2.6, 240), np.linspace(-8, 20, 240))
    for row, start in zip(grid, STARTS, strict=True):
        for axes, panel in zip(row, shown, strict=True):
            levels = np.logspace(-1, 2.5, 9)
            axes.contour(x, y, height(x, y), levels=levels, colors="0.8", linewidths=0.5, zorder=0)
            for optimizer in (ADAM, ADEMAMIX):
                name = name_of(optimizer, start)
                line = frame[(frame["panel"] == panel) & (frame["series"] == name)]
                axes.plot(line["x"], line["y"], color=style.colour(name), label=optimizer, linewidth=1.0)
                axes.plot(*line[["x", "y"]].iloc[-1], "o", color=style.colour(name), markersize=3.5)
            axes.plot(*start, "ks", markersize=3, label="start")
            axes.plot(*MINIMUM, "k*", markersize=7, label="minimum")
            axes.set(xlim=(-2.2, 2.6), ylim=(-8, 20))
            axes.set_title(f"({panel}) momentum {_plain(MOMENTUM[panel])}, from {_plain(start)}")
            axes.grid(visible=False)
    for axes in grid[:, 0]:
        axes.set_ylabel("y")
    for axes in grid[-1]:
        axes.set_xlabel("x")
    grid[0, 0].legend(loc="upper left", ncols=2)
    return figure


def _plain(point: Point) -> str:
    return f"({point[0]:g}, {point[1]:g})"


def _path(frame: "pd.DataFrame", panel: str, optimizer: str, start: Point) -> list[Point]:
    rows = frame[(frame["panel"] == panel) & (frame["series"] == name_of(optimizer, start))]
    return list(zip(rows["x"].tolist(), rows["y"].tolist(), strict=True))


def _cases() -> list[tuple[str, Point, str]]:
    """(panel, start, words) of the four pairs of trajectories."""
    return [
        (panel, start, f"momentum {_plain(momentum)}, from {_plain(start)}")
        for panel, momentum in MOMENTUM.items()
        for start in STARTS
    ]


def _end(frame: "pd.DataFrame", panel: str, optimizer: str, start: Point) -> float:
    return distance(_path(frame, panel, optimizer, start), MINIMUM)[-1]


def turns_at(path: Sequence[Point], direction: Point) -> int:
    """The first iteration (of those tabulated) after which the motion is against `direction`."""
    for i, ((x0, y0), (x1, y1)) in enumerate(pairwise(path)):
        if (x1 - x0) * direction[0] + (y1 - y0) * direction[1] < 0:
            return i * SHOWN_EVERY
    return ITERATIONS


def _turn(frame: "pd.DataFrame", panel: str, optimizer: str, start: Point) -> int:
    """When an optimizer first steps against its initial direction, away from the EMA of the gradient."""
    forward = (-MOMENTUM[panel][0], -MOMENTUM[panel][1])
    return turns_at(_path(frame, panel, optimizer, start), forward)


def _never_turns(frame: "pd.DataFrame") -> Sequence[Exact]:
    return [
        Exact(f"{words}: Adam turns at {turn} of {ITERATIONS:,}", float(turn - ITERATIONS))
        for panel, start, words in _cases()
        for turn in [_turn(frame, panel, ADAM, start)]
    ]


def _sooner(frame: "pd.DataFrame") -> Sequence[Exact]:
    return [
        Exact(f"{words}: Adam turns at {adam}, AdEMAMix at {mine}", float(adam - mine))
        for panel, start, words in _cases()
        for adam, mine in [(_turn(frame, panel, o, start) for o in (ADAM, ADEMAMIX))]
    ]


def _overshoots(frame: "pd.DataFrame") -> Sequence[Exact]:
    """How far AdEMAMix moves away again after it came near, as a share of the distance at the start."""
    found = []
    for panel, start, words in _cases():
        away = distance(_path(frame, panel, ADEMAMIX, start), MINIMUM)
        rebound = max(d - min(away[: i + 1]) for i, d in enumerate(away)) / away[0]
        found.append(Exact(f"{words}: {rebound:.2f} of the distance at the start", rebound))
    return found


def _nearer(frame: "pd.DataFrame") -> Sequence[Exact]:
    effects = []
    for panel, start, words in _cases():
        adam, mine = (_end(frame, panel, o, start) for o in (ADAM, ADEMAMIX))
        what = f"{words}: Adam ends {adam:.3g} away, AdEMAMix {mine:.3g}"
        effects.append(Exact(what, adam - mine))
    return effects


CONVERGED = 0.2  # of the distance at the start


def _converges(frame: "pd.DataFrame") -> Sequence[Exact]:
    effects = []
    for panel, start, words in _cases():
        share = _end(frame, panel, ADEMAMIX, start) / distance([start], MINIMUM)[0]
        effects.append(Exact(f"{words}: {CONVERGED} − {share:.3g}", CONVERGED - share))
    return effects


CLAIMS = [
    Claim(
        name="adam-cannot-leave",
        statement="Adam with a large β1 cannot leave its initial direction in the given steps.",
        statistic=f"iteration of its first step against the initial direction, minus all {ITERATIONS:,} "
        "(ours: the paper does not give their number)",
        measure=_never_turns,
        threshold=-0.5,
    ),
    Claim(
        name="ademamix-leaves-sooner",
        statement="AdEMAMix leaves the initial direction sooner.",
        statistic="iteration of the first step against the initial direction, Adam − AdEMAMix",
        measure=_sooner,
    ),
    Claim(
        name="ademamix-nearer",
        statement="AdEMAMix ends nearer to the minimum than Adam.",
        statistic=f"distance to the minimum after {ITERATIONS:,} iterations, Adam − AdEMAMix",
        measure=_nearer,
    ),
    Claim(
        name="ademamix-overshoots",
        statement="AdEMAMix overshoots,",
        statistic="largest rise of its distance to the minimum above its lowest so far, relative to "
        "the distance at the start",
        measure=_overshoots,
        threshold=0.1,
    ),
    Claim(
        name="ademamix-converges",
        statement="corrects itself and converges.",
        statistic=f"{CONVERGED} minus its distance to the minimum at the end relative to the start",
        measure=_converges,
    ),
]
