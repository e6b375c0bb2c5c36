"""Figure 29: Figure 1c with the longest AdamW curve drawn whole."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import Claim
from experiments import lines
from experiments.fig01_headline import figure as figure_1

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 29
TITLE = "AdEMAMix against AdamW at 1.3B, with the longest training"

PANELS = ""
SIZE = "1.3B"
LINES = [
    replace(line, panel="")
    for line in (*figure_1.LINES, figure_1.LONGEST)
    if line.panel == figure_1.LONGEST.panel
]


def needs(scale: Scale) -> list[Need]:
    return lines.needs(LINES, scale)


def table(results: "Results") -> "pd.DataFrame":
    return lines.table(LINES, results)


def draw(frame: "pd.DataFrame") -> "Figure":
    from analysis import curves, style

    strokes = {**figure_1.STROKES, "1500k": "-."}
    looks = {
        line.label: {"color": style.colour(line.label), "linestyle": strokes[line.label.split()[1]]}
        for line in LINES
    }
    figure, (axes,) = curves.grid(1, below=0.6)
    curves.draw_panel(axes, frame, looks, SIZE, tail=0.1)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2, columnspacing=1.0)
    curves.name_loss_axis([axes])
    return figure


def _panel_c(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The table as Figure 1's claims know it."""
    return frame.assign(panel=figure_1.LONGEST.panel)


CLAIMS = [
    Claim(
        name="lower-everywhere",
        statement="1.3B: AdEMAMix ends lower than AdamW at every length of training.",
        statistic="final validation loss, AdamW − AdEMAMix",
        measure=lambda frame: figure_1.gaps(_panel_c(frame), figure_1.LONGEST.panel),
    ),
    Claim(
        name="1.3B-halves-the-tokens",
        statement="AdEMAMix after 770k steps (101B tokens) is about as good as AdamW after 1.5M (197B).",
        statistic="AdEMAMix's gain over AdamW at 770k, minus 0.9 of AdamW's own gain from 770k to 1.5M",
        measure=lambda frame: figure_1.doubling("c", 770_000, figure_1.LONGEST.label)(_panel_c(frame)),
        report=lambda frame: figure_1.equivalent_length("c", 770_000)(_panel_c(frame)),
    ),
]
