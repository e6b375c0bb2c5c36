"""How Figures 3b and 28 are drawn: constant runs solid, their decays dashed in the same colour."""

from typing import TYPE_CHECKING

from experiments.fig03_28_old_gradients.runs import NAMES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STROKES = {"100k": (0, (1.5, 1)), "200k": (0, (4, 1))}  # by the length of the decay


def draw_decays(frame: "pd.DataFrame", title: str, tail: float = 0.3) -> "Figure":
    """One panel; every decay leaves its constant run where it begins."""
    from matplotlib.lines import Line2D

    from analysis import curves, style

    figure, (axes,) = curves.grid(1, below=0.55)
    colours = dict(zip(NAMES, (style.colour("AdamW"), style.colour("AdEMAMix"), style.LIGHTER), strict=True))
    looks: dict[str, dict[str, object]] = {name: {"color": colour} for name, colour in colours.items()}
    drawn = set()
    for series in frame["series"].unique():
        if " decay of " in series:
            name, length = series.rsplit(", decay of ", 1)[0], series.rsplit(", decay of ", 1)[1].split()[0]
            looks[series] = {"color": colours[name], "linestyle": STROKES[length]}
            drawn.add(length)
    curves.draw_panel(axes, frame, looks, title, tail=tail)
    axes.set_xlim(left=tail * frame["x"].max())
    axes.set_ylabel(curves.LOSS)
    keys = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    keys += [
        Line2D([], [], color="0.3", linestyle=STROKES[length], label=f"linear decay of {length}")
        for length in sorted(drawn)
    ]
    curves.legend_below(axes, handles=keys)
    return figure
