"""Figure 29: Figure 1c with the longest AdamW curve drawn whole."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ademamix.scale import Scale
from ademamix.spec import Need
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
    curves.legend_below(axes)
    curves.name_loss_axis([axes])
    return figure


JUDGED_WITH = 1  # what the paper says of it is what it says of Figure 1c
