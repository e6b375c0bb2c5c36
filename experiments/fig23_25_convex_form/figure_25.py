"""Figure 25: the schedules with which the convex form makes the paper's update (exact)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ademamix.optim.schedules import convex_form
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

NUMBER = 25
PANELS = "ab"
TITLE = "Schedules with which the convex form makes the same update"
EXACT = True

LR, LR_HAT = "η", "η̂ = η·(1 + α)"
ALPHA_LINE, ALPHA_HAT, LINEAR = "α", "α̂ = α / (1 + α)", f"a linear ramp to {CONVEX_ALPHA:g}"
SCHEDULES: schedules.Schedules = {
    ("a", LR): lr,
    ("a", LR_HAT): lambda t: convex_form(lr(t), alpha(t))[0],
    ("b", ALPHA_LINE): alpha,
    ("b", ALPHA_HAT): lambda t: convex_form(lr(t), alpha(t))[1],
    ("b", LINEAR): linear_convex_alpha,
}


def table(results: "Results") -> "pd.DataFrame":
    """x: step; y: the learning rate (panel a) or α (panel b)."""
    return schedules.table(SCHEDULES, results)


def draw(frame: "pd.DataFrame") -> "Figure":
    from analysis import curves

    blue, orange = "#0072B2", "#D55E00"
    looks = {
        LR: (blue, "-"),
        LR_HAT: (orange, "-"),
        ALPHA_LINE: (blue, "-"),
        ALPHA_HAT: (orange, "-"),
        LINEAR: ("0.5", ":"),
    }
    shown = curves.panels(frame)
    figure, grid = curves.grid(len(shown), below=0.35)
    for axes, panel in zip(grid, shown, strict=True):
        # α̂ lives in [0, 1] and needs an axis of its own beside α, which goes to 8.
        right = axes.twinx() if panel == "b" else axes
        for name in [name for of, name in SCHEDULES if of == panel]:
            line = frame[(frame["panel"] == panel) & (frame["series"] == name)]
            on = axes if name in (LR, LR_HAT, ALPHA_LINE) else right
            colour, dashes = looks[name]
            on.plot(line["x"], line["y"], dashes, color=colour, label=name)
        axes.set_ylim(0, None)
        curves.name_steps(axes, frame)
        handles = [line for one in {axes: 0, right: 0} for line in one.get_lines()]
        curves.legend_below(axes, columns=3, handles=handles)
        if panel == "a":
            axes.set_title("(a) learning rate")
            axes.set_ylabel("learning rate")
            axes.ticklabel_format(axis="y", scilimits=(0, 0))
        else:
            axes.set_title(f"(b) α, to {ALPHA:g} in the paper's form")
            axes.set_ylabel("α (paper's form)")
            right.set(ylabel="α̂ (convex form)", ylim=(0, 1))
            right.spines["right"].set_visible(True)
            right.grid(visible=False)
    return figure


def _peak(frame: "pd.DataFrame") -> Sequence[Exact]:
    """How much later η̂ peaks than η, as a share of the training."""
    peaks = {}
    for name in (LR, LR_HAT):
        line = frame[frame["series"] == name]
        peaks[name] = float(line["x"].to_numpy()[line["y"].argmax()] / line["x"].max())
    what = f"η peaks at {peaks[LR]:.3f} of the training, η̂ at {peaks[LR_HAT]:.3f}"
    return [Exact(what, peaks[LR_HAT] - peaks[LR])]


def _bend(frame: "pd.DataFrame") -> Sequence[Exact]:
    """The largest distance of α̂, relative to its end, from a linear ramp."""
    line = frame[frame["series"] == ALPHA_HAT]
    away = (line["y"] / line["y"].iloc[-1] - line["x"] / line["x"].iloc[-1]).abs().max()
    return [Exact("α̂ / α̂(T) − t / T", float(away))]


CLAIMS = [
    Claim(
        name="odd-learning-rate",
        statement="To make the paper's update, the convex form needs an odd learning-rate schedule, which "
        "rises long after the warm-up.",
        statistic="step of the largest η̂ minus that of the largest η, as a share of the training",
        measure=_peak,
        threshold=0.1,
    ),
    Claim(
        name="odd-alpha",
        statement="It also needs an odd schedule of α̂, far from a linear ramp.",
        statistic="largest distance of α̂ from a linear ramp to its end, as a share of the end",
        measure=_bend,
        threshold=0.3,
    ),
]
