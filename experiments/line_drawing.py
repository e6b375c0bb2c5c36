"""How the lines of a figure are drawn: curves and, where something is swept, the losses they end at."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis import curves, style
from analysis.ends import ENDS, Mark, draw_ends
from experiments.lines import Line, Looks

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from analysis.noise import Noise

# Of the second factor, in order.
STROKES: tuple[Any, ...] = ("-", (0, (1.2, 1)), (0, (4, 1.2)), (0, (4, 1, 1, 1)))
BESIDE = 1.45  # height of a panel of final losses below one of curves, inches


def draw(
    frame: "pd.DataFrame",
    lines: Sequence[Line],
    titles: Mapping[str, str],
    looks: Looks | None = None,
    columns: int = 3,
    tail: float = 0.15,
    zoomed: bool = False,
) -> "Figure":
    """A panel for each letter the frame holds; what is swept has its final losses beside or below.

    Args:
        frame: the figure's table.
        lines: all of the figure's, in the order of the legends.
        titles: panel → title.
        looks: label → line properties, in place of those by `look_of`.
        columns: of the legends below panels.
        tail: the loss axis shows what happens after this share of the longest curve.
        zoomed: whether the steps before are left out altogether.
    """
    shown = curves.panels(frame)
    swept = any(line.swept for line in lines)
    by_panel = {panel: [line for line in lines if line.panel == panel] for panel in shown}
    found = {panel: look_of(own, looks or {}) for panel, own in by_panel.items()}
    keys = {panel: _keys(own, found[panel]) for panel, own in by_panel.items()} if swept else {}
    # With the band of the noise, where nothing is swept.
    entries = max(map(len, keys.values())) if swept else 1 + max(map(len, by_panel.values()))
    figure, upper, lower = _grid(len(shown), swept, _legend_height(entries, columns))
    for i, (axes, panel) in enumerate(zip(upper, shown, strict=True)):
        own = by_panel[panel]
        rows = frame[frame["panel"] == panel]
        noise, beyond = frame.attrs.get("noise"), []
        if swept:
            beyond = draw_ends(lower[i], rows, panel, _marks(own, found[panel], noise))
            lower[i].set_xlabel(next(iter(next(line.swept for line in own if line.swept))))
        curves.draw_panel(axes, rows, found[panel], titles[panel], tail=tail, beyond=beyond)
        if zoomed:
            axes.set_xlim(left=tail * rows["x"].max())
        if swept:
            _name_strokes(axes, keys[panel], columns if len(shown) == 1 else None)
        else:
            _draw_noise(axes, rows, own[0], noise)
            curves.legend_below(axes, columns)
    curves.name_loss_axis(upper)
    if lower:
        lower[0].set_ylabel(ENDS)
    return figure


def look_of(lines: Sequence[Line], others: Looks) -> dict[str, Mapping[str, Any]]:
    """Label → line properties, in one panel; those of `others` as they say.

    AdamW is dashed in its own colour; of the others the first thing swept is a ramp of colours, the second
    the line style.
    """
    first, second = (_values(lines, i) for i in (0, 1))
    swept = [line for line in lines if line.label != "AdamW"]
    ramp = style.ramp(first or [line.label for line in swept])
    found: dict[str, Mapping[str, Any]] = {}
    for line in swept:
        values = list(line.swept.values())
        colour = ramp[values[0] if values else line.label] if values or not first else "0.4"
        stroke = STROKES[second.index(values[1])] if len(values) > 1 else "-"
        found[line.label] = {"color": colour, "linestyle": stroke, "linewidth": 1.1}
    if len(swept) < len(lines):
        found["AdamW"] = {"color": style.colour("AdamW"), "linestyle": "--"}
    return found | {label: look for label, look in others.items() if label in found}


def _values(lines: Sequence[Line], factor: int) -> list[str]:
    """The values of the first or second thing swept, in order."""
    values = [list(line.swept.values()) for line in lines if line.swept]
    return list(dict.fromkeys(of[factor] for of in values if len(of) > factor))


def _legend_height(entries: int, columns: int) -> float:
    # Legends go below the panels: somewhere among many curves, one passes through every corner.
    return 0.1 + 0.14 * math.ceil(entries / columns)


def _grid(count: int, swept: bool, legend: float) -> "tuple[Figure, list[Axes], list[Axes]]":
    """The figure, the panels of curves, and those of final losses: below, or beside a single one."""
    from matplotlib import pyplot as plt

    if not swept:
        figure, axes = curves.grid(count, below=legend)
        return figure, axes, []
    if count == 1:
        figure, (upper, lower) = plt.subplots(1, 2, figsize=(style.WIDTH, style.PANEL_HEIGHT + legend))
        return figure, [upper], [lower]
    heights = (style.PANEL_HEIGHT, BESIDE)
    figure, grid = plt.subplots(2, count, figsize=(style.WIDTH, sum(heights)), height_ratios=heights)
    return figure, list(grid[0]), list(grid[1])


def _marks(lines: Sequence[Line], looks: Looks, noise: "Noise | None") -> dict[str, Mark]:
    from analysis.noise import group_of

    found = {}
    for line in lines:
        place, *rest = (*line.swept.values(), "") if line.swept else ("", "")
        sigma = noise.of(group_of(line.run)) if noise else None
        found[line.label] = Mark(place, "".join(rest), looks[line.label], sigma)
    return found


def _keys(lines: Sequence[Line], looks: Looks) -> "list[Line2D]":
    """Of a legend of what colours and line styles are: the values are below the final losses."""
    from matplotlib.lines import Line2D

    levels = [line.label for line in lines if not line.swept]
    keys = [Line2D([], [], label=name, **looks[name]) for name in levels]
    swept = next(line.swept for line in lines if line.swept)
    first, *others = swept
    values = _values(lines, 0)
    named = [values[0], values[-1]] if len(values) > 4 else values
    for value in named:
        look = next(looks[line.label] for line in lines if line.swept.get(first) == value)
        stroke: Any = "-" if others else look["linestyle"]
        keys.append(Line2D([], [], color=look["color"], linestyle=stroke, label=_set_to(first, value)))
    for name in others:
        keys += [
            Line2D([], [], color="0.3", linestyle=stroke, label=_set_to(name, value))
            for value, stroke in zip(_values(lines, 1), STROKES, strict=False)
        ]
    return keys


def _name_strokes(axes: "Axes", keys: "list[Line2D]", columns: int | None) -> None:
    """The legend: below the panel in so many columns, where there is room beside one of final losses."""
    if columns:
        curves.legend_below(axes, columns, handles=keys)
    else:  # curves may pass behind it: in a sweep, one goes through most corners
        axes.legend(handles=keys, loc="best", frameon=True, edgecolor="none", framealpha=0.55)


def _set_to(name: str, value: str) -> str:
    """'β3 = 0.999', but 'batch 64'."""
    return f"{name} = {value}" if len(name) <= 3 else f"{name} {value}"


def _draw_noise(axes: "Axes", rows: "pd.DataFrame", line: Line, noise: "Noise | None") -> None:
    """A band of ±2σ over seeds around the first line of a panel, where runs have one seed only."""
    from analysis.noise import group_of

    own = rows[rows["series"] == line.label].sort_values("x")
    sigma = noise.of(group_of(line.run)) if noise else None
    if sigma is not None and own["seed"].nunique() == 1:
        low, high = own["y"] - 2 * sigma, own["y"] + 2 * sigma
        axes.fill_between(own["x"], low, high, color="0.5", alpha=0.25, linewidth=0, label="± 2σ over seeds")
