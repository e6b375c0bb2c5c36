"""Drawings of a sweep: a curve for each key, a heat map of two, parallel coordinates of more."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ademamix.sweeps.axes import Value, text
from analysis import style
from analysis.curves import legend_below
from analysis.draw import saved
from analysis.sweeps import Results, logarithmic, place

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSS = "final validation loss"
Names = Mapping[str, str]


def write_drawings(results: Results, folder: Path, names: Names, words: str, optimizer: str) -> list[Path]:
    """Every drawing that fits the sweep, as png, pdf and svg; `words` stand below each."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    paths: list[Path] = []
    with plt.rc_context(style.SETTINGS):
        for name, drawing in _drawings(results, names, optimizer):
            paths += saved(drawing, folder / name, words)
    return paths


def _drawings(results: Results, names: Names, optimizer: str) -> "Iterator[tuple[str, Figure]]":
    if results.varied:
        yield "curves", curves(results, names, style.colour(optimizer))
    if len(results.varied) == 2:
        yield "heat-map", heat_map(results, names)
    if len(results.varied) > 2:
        yield "parallel", parallel(results, names)


def curves(results: Results, names: Names, colour: str) -> "Figure":
    """For each key: every trial as a dot, and a line through those that differ from the best in it alone.

    Bars reach from the lowest to the highest seed. What diverged is a cross at the top.
    """
    from matplotlib import pyplot as plt

    columns = min(3, len(results.varied))
    rows = math.ceil(len(results.varied) / columns)
    size = (style.COLUMN if columns == 1 else style.WIDTH, rows * style.PANEL_HEIGHT + 0.2)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, sharey=True)
    low, high = _losses_shown(results)
    for i, axes in enumerate(grid.flat):
        if i >= len(results.varied):
            axes.set_visible(False)
            continue
        _curve(axes, results, results.varied[i], colour, top=high)
        axes.set(
            xlabel=names[results.varied[i]], ylim=(low - 0.08 * (high - low), high + 0.08 * (high - low))
        )
    for axes in grid[:, 0]:
        axes.set_ylabel(LOSS)
    grid[0, 0].legend(loc="best")
    return figure


def _curve(axes: "Axes", results: Results, key: str, colour: str, top: float) -> None:
    assert results.best is not None
    where = _place_on(axes, [tried.setting[key] for tried in results.tried])
    fine = [tried for tried in results.ranked if math.isfinite(tried.mean)]
    lost = [tried for tried in results.ranked if not math.isfinite(tried.mean)]
    axes.plot([where(t.setting[key]) for t in fine], [min(t.mean, top) for t in fine], ".", color="0.65",
              markersize=4, label="every setting")  # fmt: skip
    if lost:
        axes.plot(
            [where(t.setting[key]) for t in lost], [top] * len(lost), "x", color="0.4", label="diverged"
        )
    line = [tried for tried in results.line(key) if math.isfinite(tried.mean)]
    x, y = [where(t.setting[key]) for t in line], [t.mean for t in line]
    below = [t.mean - min(t.losses.values()) for t in line]
    above = [max(t.losses.values()) - t.mean for t in line]
    if len(line) > 1:
        axes.errorbar(x, y, yerr=(below, above), color=colour, marker="o", markersize=3, capsize=2,
                      label="all else as the best")  # fmt: skip
    axes.plot([where(results.best.setting[key])], [results.best.mean], "o", markersize=8, fillstyle="none",
              color="black", label="best")  # fmt: skip


def heat_map(results: Results, names: Names) -> "Figure":
    """The loss over two keys: cells where few values come back, else points in its colour."""
    from matplotlib import pyplot as plt

    across, up = results.varied
    figure, axes = plt.subplots(figsize=(style.COLUMN * 1.25, style.PANEL_HEIGHT * 1.2))
    assert results.best is not None
    fine = [tried for tried in results.ranked if math.isfinite(tried.mean)]
    low, high = _losses_shown(results)
    shown: dict[str, Any] = {"vmin": low, "vmax": high, "cmap": "viridis"}
    columns, rows = (_in_order(tried.setting[key] for tried in results.tried) for key in (across, up))
    if len(columns) * len(rows) <= 2 * len(results.tried):
        drawn = _cells(axes, results, (columns, rows), shown)
    else:
        x = _place_on(axes, [tried.setting[across] for tried in results.tried])
        y = _place_on(axes, [tried.setting[up] for tried in results.tried], "y")
        places = [x(t.setting[across]) for t in fine], [y(t.setting[up]) for t in fine]
        drawn = axes.scatter(*places, c=[t.mean for t in fine], s=18, **shown)
        axes.plot(places[0][:1], places[1][:1], "o", markersize=8, fillstyle="none", color="black")
    axes.set(xlabel=names[across], ylabel=names[up])
    figure.colorbar(drawn, ax=axes, label=LOSS, extend="max")
    return figure


def _cells(
    axes: "Axes", results: Results, values: tuple[list[Value], list[Value]], shown: Mapping[str, Any]
) -> Any:
    """A cell for each pair of values, with its loss; a frame around the best."""
    from matplotlib.patches import Rectangle

    columns, rows = values
    across, up = results.varied
    mean = {(t.setting[across], t.setting[up]): t.mean for t in results.ranked}
    cells = [[mean.get((x, y), math.nan) for x in columns] for y in rows]
    drawn = axes.imshow(cells, origin="lower", aspect="auto", **shown)
    middle = (shown["vmin"] + shown["vmax"]) / 2
    for (x, y), value in mean.items():
        word = f"{value:.3f}" if math.isfinite(value) else "div."
        axes.text(columns.index(x), rows.index(y), word, ha="center", va="center", fontsize="x-small",
                  color="white" if value < middle else "black")  # fmt: skip
    best = columns.index(results.ranked[0].setting[across]), rows.index(results.ranked[0].setting[up])
    axes.add_patch(Rectangle((best[0] - 0.47, best[1] - 0.47), 0.94, 0.94, fill=False, edgecolor="#D55E00",
                             linewidth=1.8))  # fmt: skip
    axes.grid(False)
    axes.set_xticks(range(len(columns)), list(map(_short, columns)))
    axes.set_yticks(range(len(rows)), list(map(_short, rows)))
    return drawn


def parallel(results: Results, names: Names) -> "Figure":
    """One upright axis for each key, a line for each setting in the colour of its loss, the best on top."""
    from matplotlib import cm, colormaps, colors
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(style.WIDTH, style.PANEL_HEIGHT * 1.2))
    low, high = _losses_shown(results)
    norm = colors.Normalize(low, high)
    heights = {key: _heights([tried.setting[key] for tried in results.tried]) for key in results.varied}
    places = range(len(results.varied))
    for tried in reversed(results.ranked):
        if math.isfinite(tried.mean):
            y = [heights[key][tried.setting[key]] for key in results.varied]
            best = tried is results.best
            look: dict[str, Any] = {"color": "black", "linewidth": 2, "label": "best"} if best else {
                "color": colormaps["viridis"](norm(tried.mean)), "linewidth": 0.8, "alpha": 0.8}  # fmt: skip
            axes.plot(places, y, **look)
    for x, key in zip(places, results.varied, strict=True):
        axes.axvline(x, color="0.7", linewidth=0.6, zorder=0)
        for value, height in _apart(heights[key]):
            axes.text(x + 0.02, height, _short(value), fontsize="x-small", va="center")
    axes.set_xticks(list(places), [names[key] for key in results.varied])
    axes.set(yticks=[], xlim=(-0.1, len(results.varied) - 0.7))
    axes.spines["left"].set_visible(False)
    axes.grid(False)
    legend_below(axes, columns=1)
    figure.colorbar(cm.ScalarMappable(norm, "viridis"), ax=axes, label=LOSS, extend="max")
    return figure


def _losses_shown(results: Results) -> tuple[float, float]:
    """The losses that drawings show: without the worst tenth and what diverged, which would hide the rest."""
    finite = [tried.mean for tried in results.ranked if math.isfinite(tried.mean)]
    lows = [min(tried.losses.values()) for tried in results.ranked[:1]]
    high = finite[min(len(finite) - 1, math.ceil(0.9 * len(finite)))]
    low = min([*lows, finite[0]])
    return low, high if high > low else low + 1e-3


def _place_on(axes: "Axes", values: Sequence[Value], which: str = "x") -> Any:
    """Value → place on an axis, which gets the scale and the ticks that the values want."""
    numbers = [place(value) for value in values if isinstance(value, float | int)]
    whole = _in_order(values)
    if len(numbers) == len(values) and not any(isinstance(value, bool) for value in values):
        if logarithmic(numbers):
            getattr(axes, f"set_{which}scale")("log")
        return place
    getattr(axes, f"set_{which}ticks")(range(len(whole)), list(map(_short, whole)))
    return whole.index


def _heights(values: Sequence[Value]) -> dict[Value, float]:
    """Value → height in [0, 1], in its logarithm where that suits; words and `null` evenly."""
    whole = _in_order(values)
    numbers = [float(value) for value in whole if isinstance(value, float | int)]
    if len(numbers) < len(whole):
        return {value: i / max(1, len(whole) - 1) for i, value in enumerate(whole)}
    at = [math.log(number) for number in numbers] if logarithmic(numbers) else numbers
    span = (at[-1] - at[0]) or 1.0
    return {value: (x - at[0]) / span for value, x in zip(whole, at, strict=True)}


def _apart(heights: Mapping[Value, float]) -> Iterator[tuple[Value, float]]:
    """The values that can be written beside an axis without one over the other, from below."""
    last = -math.inf
    for value, height in heights.items():
        if height - last > 0.06:
            last = height
            yield value, height


def _in_order(values: Any) -> list[Value]:
    """Each value once: numbers, then words, then `null`."""
    return sorted(
        set(values), key=lambda value: (value is None, isinstance(value, str), place(value), str(value))
    )


def _short(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else text(value)
