"""Figure 31: weights of nested EMAs and of a sum of two EMAs (exact)."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ademamix.optim.ema import admeta_factors, admeta_weight, ema_weight, nested_ema_weight
from analysis.claims import Claim, Exact
from analysis.tables import tabulate

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 31
PANELS = "ab"
TITLE = "Weights of nested EMAs and of a sum of two EMAs"
EXACT = True

STEPS = 200
INNER, OUTER = 0.9, 0.4  # nested
FAST, SLOW = 0.9, 0.999  # summed

ONE, NESTED = f"one EMA, β = {INNER}", f"nested EMAs, β = {INNER} and {OUTER}"
ADMETA, SUM = "AdMeta-S, scaled to sum 1", f"sum of two EMAs, β = {FAST} and {SLOW}"


def admeta_share(lag: int) -> float:
    """AdMeta-S's weight divided by the sum of all its weights."""
    mu, kappa = admeta_factors(INNER)
    return admeta_weight(INNER, OUTER, lag) / (kappa + mu / (1 - INNER))


WEIGHTS: dict[str, Callable[[int], float]] = {
    ONE: lambda lag: ema_weight(INNER, lag),
    NESTED: lambda lag: nested_ema_weight(INNER, OUTER, lag),
    ADMETA: admeta_share,
    SUM: lambda lag: ema_weight(FAST, lag) + ema_weight(SLOW, lag),
}


def table(results: "Results") -> "pd.DataFrame":
    """x: the step at which a gradient was taken, of 200; y: its weight now. Panel b is a on a log axis."""
    return tabulate(
        (panel, name, 0, STEPS - lag, weight(lag))
        for panel in PANELS
        if results.wants(panel)
        for name, weight in WEIGHTS.items()
        for lag in range(STEPS, -1, -1)
    )


def draw(frame: "pd.DataFrame") -> "Figure":
    from analysis import curves, style

    looks = {
        ONE: ("0.5", ":"),
        NESTED: (style.colour("AdMeta"), "-"),
        ADMETA: (style.colour("AdMeta"), "--"),
        SUM: (style.colour("AdEMAMix"), "-"),
    }
    shown = curves.panels(frame)
    figure, grid = curves.grid(len(shown))
    for axes, panel in zip(grid, shown, strict=True):
        close = axes.inset_axes((0.19, 0.2, 0.46, 0.34)) if panel == "a" else None
        for name, (colour, dashes) in looks.items():
            line = frame[(frame["panel"] == panel) & (frame["series"] == name)]
            axes.plot(line["x"], line["y"], dashes, color=colour, label=name)
            if close:
                close.plot(line["x"], line["y"], dashes, color=colour, linewidth=1.0)
        if close:
            close.set(xlim=(STEPS - 12, STEPS), ylim=(0.02, 0.105))
            close.tick_params(labelsize=5.5)
            close.set_yticks([0.05, 0.1])
            close.set_title("the last 12 steps", fontsize=6, pad=2)
        axes.set(xlabel="step of the gradient", xlim=(0, STEPS))
        if panel == "b":
            axes.set(yscale="log", ylim=(1e-8, 1))
        axes.set_title("(a) linear axis" if panel == "a" else "(b) logarithmic axis")
        axes.legend(loc="upper left")
    grid[0].set_ylabel(f"weight at step {STEPS}")
    return figure


OLD = 100  # lag


def _weights(frame: "pd.DataFrame", name: str) -> "pd.Series[float]":
    """By lag, from whichever panel the table holds."""
    rows = frame[(frame["panel"] == frame["panel"].iloc[0]) & (frame["series"] == name)]
    return rows.assign(lag=STEPS - rows["x"]).set_index("lag")["y"]


def _recent(frame: "pd.DataFrame") -> Sequence[Exact]:
    one = _weights(frame, ONE)[0]
    return [Exact(f"{ONE} − {name}", float(one - _weights(frame, name)[0])) for name in (NESTED, ADMETA)]


def _old(frame: "pd.DataFrame") -> Sequence[Exact]:
    def share(name: str) -> float:
        weights = _weights(frame, name)
        return float(weights[weights.index >= OLD].sum() / weights.sum())

    return [Exact(f"{SUM} − {name}", share(SUM) - share(name)) for name in (NESTED, ADMETA)]


CLAIMS = [
    Claim(
        name="nested-lower-recent",
        statement="Nesting EMAs lowers the weights of recent gradients.",
        statistic="weight of the newest gradient in one EMA minus that in the nested EMAs",
        measure=_recent,
    ),
    Claim(
        name="nested-neglect-old",
        statement="Nested EMAs neglect old gradients; a sum of two EMAs does not.",
        statistic=f"share of the weight of {STEPS} steps that is at least {OLD} steps old, sum − nested",
        measure=_old,
        threshold=0.03,
    ),
]
