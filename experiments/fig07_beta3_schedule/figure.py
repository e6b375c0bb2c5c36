"""Figure 7: the schedule of β3 against a linear ramp (exact)."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ademamix.optim.schedules import beta3_at
from analysis.claims import Claim, Exact
from analysis.tables import tabulate

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 7
PANELS = ""
TITLE = "The schedule of β3 against a linear ramp"
EXACT = True

BETA_START = 0.9
BETA_ENDS = (0.999, 0.9999)
STEPS = 1_000  # of μ, from 0 to 1


def half_life_ramp(beta_end: float, step: int) -> float:
    """The optimizer's own schedule, at μ = step / STEPS."""
    return beta3_at(step, beta_end, BETA_START, STEPS)


def linear_ramp(beta_end: float, step: int) -> float:
    return BETA_START + step / STEPS * (beta_end - BETA_START)


RAMPS: dict[str, Callable[[float, int], float]] = {
    "linear in the half-life": half_life_ramp,
    "linear in β3": linear_ramp,
}


def name_of(ramp: str, beta_end: float) -> str:
    return f"{ramp}, to {beta_end}"


def table(results: "Results") -> "pd.DataFrame":
    """x: μ, the share of the warm-up; y: β3."""
    return tabulate(
        ("", name_of(ramp, end), 0, step / STEPS, schedule(end, step))
        for ramp, schedule in RAMPS.items()
        for end in BETA_ENDS
        for step in range(STEPS + 1)
    )


def draw(frame: "pd.DataFrame") -> "Figure":
    from analysis import curves

    colours = dict(zip(BETA_ENDS, ("#56B4E9", "#0072B2"), strict=True))
    figure, (axes,) = curves.grid(1)
    for ramp, dashes in zip(RAMPS, ("-", "--"), strict=True):
        for end in BETA_ENDS:
            line = frame[frame["series"] == name_of(ramp, end)]
            axes.plot(
                line["x"], line["y"], dashes, color=colours[end], label=name_of(ramp, end), linewidth=1.1
            )
    axes.set(xlabel="μ = t / T", ylabel="β3", xlim=(0, 1))
    axes.set_title(f"warm-up of β3 from {BETA_START}")
    axes.legend(loc="lower right")
    return figure


def _largest_gap(frame: "pd.DataFrame", ramp: str) -> float:
    """Between the ramps of one kind to the two ends, over all μ."""
    low, high = (frame[frame["series"] == name_of(ramp, end)].set_index("x")["y"] for end in BETA_ENDS)
    return float((high - low).abs().max())


SAME, DIFFERENT = 0.001, 0.02


def _linear_alike(frame: "pd.DataFrame") -> Sequence[Exact]:
    gap = _largest_gap(frame, "linear in β3")
    return [Exact(f"{SAME} − {gap:.4g}", SAME - gap)]


def _half_life_differ(frame: "pd.DataFrame") -> Sequence[Exact]:
    gap = _largest_gap(frame, "linear in the half-life")
    return [Exact("ramp to 0.9999 − ramp to 0.999", gap)]


CLAIMS = [
    Claim(
        name="linear-ramps-alike",
        statement="The two linear ramps look the same.",
        statistic=f"{SAME} minus their largest difference over μ",
        measure=_linear_alike,
    ),
    Claim(
        name="half-life-ramps-differ",
        statement="The two half-life ramps differ.",
        statistic="their largest difference over μ",
        measure=_half_life_differ,
        threshold=DIFFERENT,
    ),
]
