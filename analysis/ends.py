"""A panel of final losses below curves, which hide differences of a few hundredths of a nat."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from analysis.claims import final
from analysis.stats import t_interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

ENDS = "final loss (nats)"
FAR = 4.0  # ends further above the lowest than so many times the median are shown at the edge
BESIDE = 0.16  # of the distance between places: how far groups stand apart


@dataclass(frozen=True)
class Mark:
    """Where and how the ends of a series are shown.

    Attributes:
        place: the value on the axis; "": a level across the panel, such as AdamW's.
        group: ends of one group are joined by a line.
        look: its line's properties in the panel of curves.
        sigma: the spread over seeds that stands in where there is one seed.
    """

    place: str
    group: str
    look: Mapping[str, Any]
    sigma: float | None = None


@dataclass(frozen=True)
class End:
    """Final losses of a series: every seed's, their mean, and the half-width of the mean's 95% interval."""

    values: Sequence[float]
    middle: float
    width: float | None

    @classmethod
    def of(cls, values: Sequence[float], sigma: float | None) -> "End":
        finite = [value for value in values if math.isfinite(value)]
        if len(finite) < len(values):
            return cls(finite, math.inf, None)
        if len(values) > 1:
            return cls(values, *t_interval(values))
        return cls(values, values[0], None if sigma is None else 2 * sigma)


def draw_ends(axes: "Axes", rows: "pd.DataFrame", panel: str, marks: Mapping[str, Mark]) -> list[str]:
    """Each seed a dot, the mean with its interval, a group's means joined; a level is a band across.

    Returns the series whose mean end is shown at the edge.
    """
    there = [name for name in marks if name in set(rows["series"])]
    ends = {name: End.of(list(final(rows, panel, name).values()), marks[name].sigma) for name in there}
    places = list(dict.fromkeys(marks[name].place for name in marks if marks[name].place))
    groups = list(dict.fromkeys(marks[name].group for name in there if marks[name].place))
    top = _top(ends, marks)
    # Groups stand side by side, so that their intervals do not cover each other.
    shift = {group: BESIDE * (i - (len(groups) - 1) / 2) for i, group in enumerate(groups)}
    placed = [name for name in ends if marks[name].place]
    at = {name: places.index(marks[name].place) + shift[marks[name].group] for name in placed}
    for name, end in ends.items():
        if name in at:
            _draw_end(axes, at[name], end, marks[name], top)
        else:
            _draw_level(axes, end, marks[name])
    for group in groups:
        own = [name for name in at if marks[name].group == group]
        _join(axes, [(at[n], ends[n].middle) for n in own if ends[n].middle <= top], marks[own[0]])
    axes.set_xticks(range(len(places)), places)
    axes.set_xlim(-0.6, len(places) - 0.4)
    _fit(axes, list(ends.values()), top)
    return [name for name, end in ends.items() if end.middle > top]


def _top(ends: Mapping[str, End], marks: Mapping[str, Mark]) -> float:
    """The edge, but never below a level and its band, which are what the rest is compared with."""
    levels = [end.middle + (end.width or 0) for name, end in ends.items() if not marks[name].place]
    return max([edge([end.middle for end in ends.values()]), *filter(math.isfinite, levels)])


def edge(middles: Sequence[float]) -> float:
    """The loss above which an end is shown at the edge: outliers would flatten all the rest."""
    finite = [value for value in middles if math.isfinite(value)]
    if not finite:
        return -math.inf
    low = min(finite)
    return low + max(FAR * (median(finite) - low), 0.02)


def _draw_level(axes: "Axes", end: End, mark: Mark) -> None:
    look = {key: value for key, value in mark.look.items() if key in ("color", "linestyle")}
    if math.isfinite(end.middle):
        axes.axhline(end.middle, linewidth=0.9, **look)
    if end.width is not None:
        low, high = end.middle - end.width, end.middle + end.width
        axes.axhspan(low, high, color=mark.look["color"], alpha=0.15, linewidth=0)


def _draw_end(axes: "Axes", x: float, end: End, mark: Mark, top: float) -> None:
    colour = mark.look["color"]
    if end.middle > top:
        text = "diverged" if end.middle == math.inf else f"{end.middle:.2f}"
        axes.plot(
            x, 0.93, "^", color=colour, markersize=4, transform=axes.get_xaxis_transform(), clip_on=False
        )
        axes.annotate(text, (x, 0.85), xycoords=("data", "axes fraction"), ha="center", va="top",
                      fontsize="xx-small", color="0.35", rotation=90)  # fmt: skip
        return
    if len(end.values) > 1:
        axes.plot([x] * len(end.values), end.values, ".", color=colour, markersize=3, alpha=0.5)
    axes.errorbar(x, end.middle, yerr=end.width, color=colour, marker="o", markersize=3, linewidth=0.9)


def _join(axes: "Axes", points: Sequence[tuple[float, float]], mark: Mark) -> None:
    if len(points) > 1:
        x, y = zip(*sorted(points), strict=True)
        style = mark.look.get("linestyle", "-")
        axes.plot(x, y, color="0.6", linewidth=0.7, linestyle=style, zorder=0)


def _fit(axes: "Axes", ends: Sequence[End], top: float) -> None:
    shown = [end for end in ends if end.middle <= top]
    if not shown:
        return
    around = [end.middle + sign * (end.width or 0) for end in shown for sign in (-1, 1)]
    around += [value for end in shown for value in end.values]
    low, high = min(around), max(around)
    room = 0.08 * (high - low) or 0.01
    above = 0.35 * (high - low) if len(shown) < len(ends) else 0.0  # where those beyond the edge are named
    axes.set_ylim(low - room, high + room + above)
