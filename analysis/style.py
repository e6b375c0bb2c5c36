"""How figures look: one colour for each optimizer everywhere, the paper's widths, plain type."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from ademamix.optimizers import AdamWConfig, OptimizerConfig

# Beside what the optimizers of runs declare: others that figures show. Okabe and Ito's palette, which
# colour-blind readers can tell apart.
TOYS = {"Adam": AdamWConfig.COLOUR, "AdMeta": "#E69F00"}
LIGHTER = "#56B4E9"  # a second curve of AdEMAMix
WIDTH = 6.75  # inches: the paper's text width
COLUMN = 3.25
PANEL_HEIGHT = 2.35

SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 6.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.3,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "pdf.fonttype": 42,  # text stays text
    "svg.fonttype": "none",
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
}


def colour(series: str) -> str:
    """The colour of the optimizer that a series' name begins with."""
    return colours()[series.split(maxsplit=1)[0].rstrip(",")]


@cache
def colours() -> dict[str, str]:
    """Optimizer's name → its colour, as each declares it."""
    declared = {kind.TITLE: kind.COLOUR for kind in OptimizerConfig.members()}
    return {**TOYS, **declared}


def ramp(values: Sequence[Any]) -> dict[Any, Any]:
    """Value → colour, for the values of a swept hyperparameter in order."""
    from matplotlib import colormaps

    places = [0.93 * i / max(1, len(values) - 1) for i in range(len(values))]
    return {value: colormaps["viridis"](place) for value, place in zip(values, places, strict=True)}
