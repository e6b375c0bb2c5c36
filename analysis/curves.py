"""Panels of loss curves."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ademamix.paper.setups import PAPER_HORIZON
from analysis import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSS = "validation loss (nats per token)"
STEPS = "iterations"
PAPERS = "the paper's iterations"


def thousands(x: float, _: float = 0) -> str:
    """A tick label: 50000 → '50k'."""
    return f"{x / 1000:g}k" if x else "0"


def name_steps(axes: "Axes", rows: "pd.DataFrame", above: bool = True) -> None:
    """The x axis in iterations of this scale; on top, where they differ, in the paper's.

    The scale comes with the table (`frame.attrs`); a table without one is in the paper's own steps.
    """
    axes.set_xlabel(STEPS)
    axes.xaxis.set_major_formatter(thousands)
    scale = rows.attrs.get("scale")
    if above and scale is not None and scale.horizon != PAPER_HORIZON:
        factor = PAPER_HORIZON / scale.horizon
        top = axes.secondary_xaxis("top", functions=(lambda x: x * factor, lambda x: x / factor))
        top.xaxis.set_major_formatter(thousands)
        top.set_xlabel(PAPERS, fontsize="small", color="0.4")
        top.tick_params(labelsize="x-small", colors="0.4", length=2)


def panels(frame: "pd.DataFrame") -> list[str]:
    """The panels a table holds, in order."""
    return sorted(frame["panel"].unique())


def grid(count: int, below: float = 0.0) -> tuple["Figure", list["Axes"]]:
    """A row of panels across the text width; one panel alone is a column wide.

    `below`: inches for legends under the panels.
    """
    from matplotlib import pyplot as plt

    width = style.COLUMN if count == 1 else style.WIDTH
    figure, axes = plt.subplots(1, count, figsize=(width, style.PANEL_HEIGHT + below), squeeze=False)
    return figure, list(axes[0])


def draw_series(axes: "Axes", rows: "pd.DataFrame", **look: Any) -> None:
    """The mean over seeds, with a band from the lowest to the highest seed."""
    by_step = rows.groupby("x")["y"]
    mean = by_step.mean()
    axes.plot(mean.index, mean.to_numpy(), **look)
    if rows["seed"].nunique() > 1:
        low, high = by_step.min(), by_step.max()
        axes.fill_between(mean.index, low, high, color=look.get("color"), alpha=0.2, linewidth=0)


def draw_panel(
    axes: "Axes",
    rows: "pd.DataFrame",
    looks: Mapping[str, Mapping[str, Any]],
    title: str,
    tail: float = 0.25,
    include: Sequence[float] = (),
    beyond: Collection[str] = (),
    above: bool = True,
) -> None:
    """Curves of one panel, in the order and the looks of `looks` (series → line properties).

    The loss axis shows what happens after the first `tail` of the longest curve: the fall before it
    would flatten every difference. It reaches down to the values of `include`; the series `beyond`, which end
    far above the rest, do not stretch it. `above`: with the paper's steps on top.
    """
    for name, look in looks.items():
        series = rows[rows["series"] == name]
        if not series.empty:
            draw_series(axes, series, **{"label": name, **look})
    close = rows[~rows["series"].isin(beyond) & (rows["y"] < float("inf"))]
    late = close[close["x"] >= tail * rows["x"].max()]["y"]
    if len(late):
        low, high = min([float(late.min()), *include]), float(late.quantile(0.98))
        axes.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    axes.set_title(title)
    name_steps(axes, rows, above)


LINE, PADDING = 1.25, 6.0  # the height of a line of type, relative; what is between them, in points


def legend_below(axes: "Axes", columns: int = 2, **more: Any) -> None:
    """The legend under the panel and the name of its x axis, where it covers nothing at any size of type.

    `columns`: of its entries, or as many as there is room for in the panel's share of the width.
    """
    from matplotlib.transforms import ScaledTranslation

    figure, name, grid = axes.figure, axes.xaxis.label, axes.get_subplotspec()
    above = [*([name] if name.get_text() else []), *axes.get_xticklabels()[:1]]
    down = PADDING + LINE * sum(float(text.get_fontsize()) for text in above)
    place = axes.transAxes + ScaledTranslation(0, -down / 72, figure.dpi_scale_trans)
    room = figure.bbox.width / (grid.get_gridspec().ncols if grid else 1)
    more = {"columnspacing": 1.0, "loc": "upper center", "bbox_to_anchor": (0.5, 0.0), **more}
    for fewer in range(columns, 0, -1):
        if axes.legend(bbox_transform=place, ncols=fewer, **more).get_window_extent().width <= room:
            break


def name_loss_axis(axes: Sequence["Axes"]) -> None:
    """The name of the y axis, which panels share, on the first of them."""
    axes[0].set_ylabel(LOSS)
