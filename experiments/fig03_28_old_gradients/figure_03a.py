"""Figure 3a: the weights that EMAs give to the gradients of 10,000 steps (exact)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ademamix.optim.ema import ema_weight
from analysis.claims import Claim, Exact
from analysis.tables import tabulate

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 3
PANEL = PANELS = "a"
TITLE = "Weights of the gradients in an EMA"
EXACT = True

STEPS = 10_000
SHOWN_EVERY = 10  # steps between the points of the table
BETAS = (0.9, 0.99, 0.999, 0.9999)


def name_of(beta: float) -> str:
    return f"β = {beta}"


def table(results: "Results") -> "pd.DataFrame":
    """x: the step at which a gradient was taken; y: its weight after step 10,000."""
    return tabulate(
        ("a", name_of(beta), 0, step, ema_weight(beta, STEPS - step))
        for beta in BETAS
        for step in range(SHOWN_EVERY, STEPS + 1, SHOWN_EVERY)
    )


def draw(frame: "pd.DataFrame") -> "Figure":
    from analysis import curves, style

    figure, (axes,) = curves.grid(1)
    colours = style.ramp(BETAS)
    for beta in BETAS:
        line = frame[frame["series"] == name_of(beta)]
        axes.plot(line["x"], line["y"], color=colours[beta], label=name_of(beta))
    axes.set(ylim=(0, 1e-3), xlabel="step of the gradient", ylabel="weight after 10,000 steps")
    axes.ticklabel_format(axis="y", scilimits=(0, 0))
    axes.xaxis.set_major_formatter(curves.thousands)
    axes.set_title("(a) weights of past gradients in an EMA")
    axes.legend(loc="upper left")
    return figure


RECENT, OLD = 100, 5_000  # lags
ENOUGH = 0.05  # of all the weight


def _shares(frame: "pd.DataFrame") -> Sequence[Exact]:
    """For each β, what it lacks of `ENOUGH` at the newest or at the old gradients, whichever is worse."""
    import numpy as np

    effects = []
    for beta in BETAS:
        line = frame[frame["series"] == name_of(beta)].sort_values("x")
        steps, weights = line["x"].to_numpy(), line["y"].to_numpy()
        whole = np.trapezoid(weights, steps)
        shares = [
            float(np.trapezoid(weights[some], steps[some]) / whole)
            for some in (steps >= STEPS - RECENT, steps <= STEPS - OLD)
        ]
        what = f"{name_of(beta)}: {shares[0]:.2g} on the newest, {shares[1]:.2g} on the old"
        effects.append(Exact(what, ENOUGH - min(shares)))
    return effects


CLAIMS = [
    Claim(
        name="no-beta-does-both",
        statement="No single β gives weight to both recent and old gradients.",
        statistic=f"{ENOUGH} minus the smaller of two shares of an EMA's weight: on the newest {RECENT} "
        f"gradients, and on those older than {OLD:,} of {STEPS:,}",
        measure=_shares,
    ),
]
