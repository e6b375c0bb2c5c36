"""Figure 2: Adam and AdEMAMix on the Rosenbrock function (exact trajectories, no training)."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from analysis.claims import Claim, Exact
from analysis.tables import tabulate
from experiments import toy
from experiments.toy import distance

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

# The paper gives no learning rates. Rule: Adam's is the value of this grid with which the usual
# β1 = 0.9 ends nearest to the minimum, and serves every β1, so that β1 is all that differs.
# AdEMAMix's is Adam's divided by 1 + α, the factor by which a steady gradient lengthens its step.
LR_GRID = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


def adam_name(beta1: float) -> str:
    return f"Adam, β1 = {beta1}"


def ademamix_name(beta3: float) -> str:
    return f"AdEMAMix, β3 = {beta3}"


def gradient(x1: float, x2: float) -> tuple[float, float]:
    """Of f(x) = (1 − x1)² + 100·(x2 − x1²)²."""
    return -2 * (1 - x1) - 400 * x1 * (x2 - x1**2), 200 * (x2 - x1**2)


trajectory = partial(toy.trajectory, gradient=gradient, start=START, iterations=ITERATIONS)


def adam_learning_rate() -> float:
    """The learning rate that the rule above chooses for Adam."""
    from torch.optim import AdamW

    ends = {lr: trajectory(AdamW, lr=lr, betas=(0.9, 0.999))[-1] for lr in LR_GRID}
    return min(ends, key=lambda lr: distance([ends[lr]], MINIMUM)[0])


def table(results: "Results") -> "pd.DataFrame":
    """Panel a: x iteration, y distance; panels b (Adam) and c (AdEMAMix): the points x1, x2."""
    from torch.optim import AdamW

    from ademamix import AdEMAMix

    lr = adam_learning_rate()
    found = [
        ("b", adam_name(beta1), trajectory(AdamW, lr=lr, betas=(beta1, 0.999))) for beta1 in ADAM_BETA1S
    ] + [
        (
            "c",
            ademamix_name(beta3),
            trajectory(
                AdEMAMix,
                lr=lr / (1 + ALPHA),
                betas=(0.9, 0.999, beta3),
                alpha=ALPHA,
                implementation="reference",
            ),
        )
        for beta3 in ADEMAMIX_BETA3S
    ]
    rows: list[tuple[str, str, int, float, float]] = []
    for panel, name, points in found:
        shown = points[::SHOWN_EVERY]
        away = distance(shown, MINIMUM)
        rows += [("a", name, 0, i * SHOWN_EVERY, d) for i, d in enumerate(away)]
        rows += [(panel, name, 0, x1, x2) for x1, x2 in shown]
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
        for name in rows["series"].unique():
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


NEAR, NEARER = 0.5, 0.01  # distances that count as having arrived


def first_within(frame: "pd.DataFrame", name: str, radius: float) -> int | None:
    """The first iteration (of those in the table) nearer than `radius` to the minimum; None: never."""
    line = frame[(frame["panel"] == "a") & (frame["series"] == name)]
    near = line[line["y"] < radius]["x"]
    return None if near.empty else int(near.iloc[0])


def rebound(frame: "pd.DataFrame", name: str) -> float:
    """How far the trajectory moves away again: the largest rise of the distance above its lowest yet."""
    away = frame[(frame["panel"] == "a") & (frame["series"] == name)]["y"]
    return float((away - away.cummin()).max())


def _sooner(frame: "pd.DataFrame", name: str, other: str, radius: float) -> Exact:
    """Iterations by which `name` arrives before `other`; never arriving counts as the last one."""
    mine, its = (first_within(frame, series, radius) for series in (name, other))
    ahead = (ITERATIONS if its is None else its) - (ITERATIONS if mine is None else mine)
    return Exact(f"{name} within {radius} before {other}", float(ahead))


def _large_fast(frame: "pd.DataFrame") -> Sequence[Exact]:
    return [_sooner(frame, adam_name(b), adam_name(0.9), NEAR) for b in (0.999, 0.9999)]


def _rebounds(frame: "pd.DataFrame", names: Sequence[str], sign: int) -> list[Exact]:
    return [Exact(f"rebound of {name}", sign * rebound(frame, name)) for name in names]


def _ademamix_sooner(frame: "pd.DataFrame") -> Sequence[Exact]:
    arrivals = {b: first_within(frame, adam_name(b), NEARER) or ITERATIONS for b in ADAM_BETA1S}
    fastest = min(arrivals, key=arrivals.__getitem__)
    return [_sooner(frame, ademamix_name(b), adam_name(fastest), NEARER) for b in ADEMAMIX_BETA3S]


CLAIMS = [
    Claim(
        name="small-beta1-steady",
        statement="Adam with small β1 (0.9, 0.99) does not oscillate.",
        statistic="minus the largest rise of the distance above its lowest value so far",
        measure=lambda frame: _rebounds(frame, [adam_name(b) for b in (0.9, 0.99)], -1),
        threshold=-0.5,
    ),
    Claim(
        name="large-beta1-fast",
        statement="Adam with large β1 (0.999, 0.9999) comes near the minimum sooner than with 0.9.",
        statistic=f"iterations by which it is first nearer than {NEAR}",
        measure=_large_fast,
    ),
    Claim(
        name="large-beta1-oscillates",
        statement="Adam with large β1 (0.999, 0.9999) oscillates widely.",
        statistic="largest rise of the distance above its lowest value so far",
        measure=lambda frame: _rebounds(frame, [adam_name(b) for b in (0.999, 0.9999)], 1),
        threshold=0.5,
    ),
    Claim(
        name="ademamix-sooner",
        statement="AdEMAMix reaches small distances sooner than any of the Adam runs.",
        statistic=f"iterations by which it is first nearer than {NEARER}, against the fastest Adam; "
        "one of the two β3 must be ahead",
        measure=_ademamix_sooner,
        at_least=1,
    ),
    Claim(
        name="ademamix-steady",
        statement="AdEMAMix does not oscillate.",
        statistic="minus the largest rise of the distance above its lowest value so far",
        measure=lambda frame: _rebounds(frame, [ademamix_name(b) for b in ADEMAMIX_BETA3S], -1),
        threshold=-0.5,
    ),
]
