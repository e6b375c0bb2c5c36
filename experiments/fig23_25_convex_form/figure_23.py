"""Figure 23: the weights of the two EMAs in two forms of the update (exact)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.claims import Claim, Exact
from experiments.fig23_25_convex_form import schedules
from experiments.fig23_25_convex_form.schedules import (
    ALPHA,
    CONVEX_ALPHA,
    alpha,
    linear_convex_alpha,
    lr,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 23
PANELS = "ab"
TITLE = "Weights of the two EMAs in two forms of the update"
EXACT = True

M1, M2 = "weight of m1", "weight of m2"
WEIGHTS: schedules.Schedules = {
    ("a", M1): lr,
    ("a", M2): lambda t: lr(t) * alpha(t),
    ("b", M1): lambda t: lr(t) * (1 - linear_convex_alpha(t)),
    ("b", M2): lambda t: lr(t) * linear_convex_alpha(t),
}


def table(results: "Results") -> "pd.DataFrame":
    """x: step; y: the factor of the EMA in the update."""
    return schedules.table(WEIGHTS, results)


def draw(frame: "pd.DataFrame") -> "Figure":
    from analysis import curves

    titles = {
        "a": f"(a) η·(m1 + α·m2), α to {ALPHA:g}",
        "b": f"(b) η·((1 − α)·m1 + α·m2), α to {CONVEX_ALPHA:g}",
    }
    legends = {("a", M1): "m1: η", ("a", M2): "m2: η·α", ("b", M1): "m1: η·(1 − α)", ("b", M2): "m2: η·α"}
    colours = {M1: "#D55E00", M2: "#0072B2"}
    shown = curves.panels(frame)
    figure, grid = curves.grid(len(shown))
    for axes, panel in zip(grid, shown, strict=True):
        for name in (M1, M2):
            line = frame[(frame["panel"] == panel) & (frame["series"] == name)]
            axes.plot(line["x"], line["y"], color=colours[name], label=legends[panel, name])
        axes.set_title(titles[panel])
        curves.name_steps(axes, frame)
        axes.ticklabel_format(axis="y", scilimits=(0, 0))
        axes.legend(loc="upper right")
    for axes in grid:  # one scale, to compare them by eye
        axes.set_ylim(0, 1.05 * frame["y"].max())
    grid[0].set_ylabel("weight in the update")
    return figure


def _differ(frame: "pd.DataFrame") -> Sequence[Exact]:
    """The mean weight in the paper's form divided by that in the convex form, for each EMA."""
    means = frame.groupby(["panel", "series"])["y"].mean()
    return [
        Exact(f"{name}, paper's form / convex form", float(means["a", name] / means["b", name]))
        for name in (M1, M2)
    ]


CLAIMS = [
    Claim(
        name="forms-differ",
        statement="The two forms weight m1 and m2 very differently, though both ramp α linearly.",
        statistic="mean weight over the training in the paper's form, divided by that in the convex form",
        measure=_differ,
        threshold=1.2,
    ),
]
