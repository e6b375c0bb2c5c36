"""What Figures 23 and 25 share: the schedules of the paper's 110M run, with either form of α.

The forms: m1 + α·m2 (the paper's), and (1 − α)·m1 + α·m2 with α in [0, 1] (convex).
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ademamix.optim.schedules import alpha_at
from ademamix.paper.runs import ADEMAMIX, run
from analysis.tables import tabulate

if TYPE_CHECKING:
    import pandas as pd

    from analysis.results import Results

T = 256_000
ALPHA, CONVEX_ALPHA = 8.0, 0.9
SHOWN_EVERY = 1_000
Schedules = Mapping[tuple[str, str], Callable[[int], float]]  # (panel, series) → a function of the step
STEPS = range(SHOWN_EVERY, T + 1, SHOWN_EVERY)


def table(schedules: Schedules, results: "Results") -> "pd.DataFrame":
    """x: step; y: each schedule's value."""
    return tabulate(
        (panel, name, 0, t, schedule(t))
        for (panel, name), schedule in schedules.items()
        if results.wants(panel)
        for t in STEPS
    )


def lr(t: int) -> float:
    """η(t): warm-up to 1e-3, then cosine."""
    paper = run("110M", ADEMAMIX, T)
    return paper.spec.schedule.at(t, paper.spec.optimizer.lr)


def alpha(t: int) -> float:
    """α(t) of the paper's form: linear to 8."""
    return alpha_at(t, ALPHA, T)


def linear_convex_alpha(t: int) -> float:
    """α(t) of the convex form with the same kind of ramp: linear to 0.9."""
    return alpha_at(t, CONVEX_ALPHA, T)
