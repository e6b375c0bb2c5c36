"""How figures look: one colour for each optimizer everywhere, the paper's widths, plain type."""

from collections.abc import Sequence
from dataclasses import dataclass
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

FORMATS = ("png", "pdf", "svg")

BASE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
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
    "svg.hashsalt": "ademamix",  # the same drawing gives the same bytes
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
}
FONTS = {  # points, at the size of the paper
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "legend.fontsize": 6.5,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
}
DARK = {
    "figure.facecolor": "#14171a",
    "axes.facecolor": "#14171a",
    "savefig.facecolor": "#14171a",
    "text.color": "0.9",
    "axes.edgecolor": "0.7",
    "axes.labelcolor": "0.9",
    "xtick.color": "0.8",
    "ytick.color": "0.8",
    "grid.color": "0.6",
}


@dataclass(frozen=True)
class Look:
    """How drawings come out.

    Attributes:
        fonts: size of all type, relative to the paper's: figures keep their width in inches, so that larger
            type is what a slide needs.
        lines: width of lines, likewise.
        heights: heights of figures, likewise, so that larger type leaves room for curves.
        dark: light on dark.
        formats: the files that each drawing is written to.
    """

    fonts: float = 1.0
    lines: float = 1.0
    heights: float = 1.0
    dark: bool = False
    formats: tuple[str, ...] = FORMATS

    def settings(self) -> Any:
        """For matplotlib's rc_context."""
        sizes = {name: size * self.fonts for name, size in FONTS.items()}
        width = {"lines.linewidth": BASE["lines.linewidth"] * self.lines}
        return {**BASE, **sizes, **width, **(DARK if self.dark else {})}


PAPER = Look()
LOOKS = {"paper": PAPER, "talk": Look(fonts=1.35, lines=1.5, heights=1.35)}
SETTINGS = PAPER.settings()


def colour(series: str) -> str:
    """The colour of the optimizer that a series' name begins with; the longest name that fits counts."""
    return colours()[max((name for name in colours() if series.startswith(name)), key=len)]


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
