"""Figure 12: sensitivity to α and to β3."""

from typing import TYPE_CHECKING

from ademamix.scale import Scale
from ademamix.settings import ADAMW, ADEMAMIX, BETA3, run
from ademamix.spec import Need
from experiments import lines
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 12
TITLE = "Sensitivity of AdEMAMix to α and β3 (110M)"

PANELS = "ab"
HORIZON = 256_000
ALPHAS = (2, 6, 10, 15, 20, 30, 40)  # panel a, with β3 = 0.9999
BETA3S = (0.99, 0.999, 0.9999, 0.99999, 0.999995)  # panel b
ALPHA_OF_B = 8


def _line(panel: str, label: str, optimizer: str = ADEMAMIX, **changes: float) -> Line:
    return Line(panel, label, run("110M", optimizer, HORIZON, **changes), HORIZON)


LINES = [
    _line("a", "AdamW", ADAMW),
    *(_line("a", f"α = {alpha}", alpha=alpha, beta3=BETA3) for alpha in ALPHAS),
    _line("b", "AdamW", ADAMW),
    *(_line("b", f"β3 = {beta3}", alpha=ALPHA_OF_B, beta3=beta3) for beta3 in BETA3S),
]


def needs(scale: Scale) -> list[Need]:
    return lines.needs(LINES, scale)


def table(results: "Results") -> "pd.DataFrame":
    return lines.table(LINES, results)
