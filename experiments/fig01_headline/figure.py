"""Figure 1: AdamW and AdEMAMix at three sizes and every length of training."""

from typing import TYPE_CHECKING

from ademamix.scale import Scale
from ademamix.settings import ADAMW, ADEMAMIX, run
from ademamix.spec import Need
from experiments import lines
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 1
TITLE = "AdEMAMix against AdamW at 110M, 330M and 1.3B parameters"

PANELS = "abc"
SIZES = {"a": "110M", "b": "330M", "c": "1.3B"}
HORIZONS = {
    "a": (256_000, 400_000, 500_000),
    "b": (256_000, 400_000, 500_000),
    "c": (256_000, 770_000, 1_000_000),
}
LONGEST_ADAMW = 1_500_000  # 1.3B only, drawn as a horizontal line


def label(optimizer: str, horizon: int) -> str:
    """'AdamW 256k', the paper's steps: how a line is called at every scale."""
    name = {ADAMW: "AdamW", ADEMAMIX: "AdEMAMix"}[optimizer]
    return f"{name} {horizon // 1000}k" if horizon % 1_000_000 else f"{name} {horizon // 1_000_000}M"


def _line(panel: str, optimizer: str, horizon: int) -> Line:
    # The smallest size is the headline comparison and gets all seeds.
    seeds = "headline" if panel == "a" else "sweep"
    paper = run(SIZES[panel], optimizer, horizon)
    return Line(panel, label(optimizer, horizon), paper, horizon, seeds)


LINES = [
    _line(panel, optimizer, horizon)
    for panel, horizons in HORIZONS.items()
    for optimizer in (ADAMW, ADEMAMIX)
    for horizon in horizons
]
LONGEST = Line("c", "AdamW 1500k", run("1.3B", ADAMW, LONGEST_ADAMW), LONGEST_ADAMW)


def needs(scale: Scale) -> list[Need]:
    return lines.needs([*LINES, LONGEST], scale)


def table(results: "Results") -> "pd.DataFrame":
    return lines.table([*LINES, LONGEST], results)
