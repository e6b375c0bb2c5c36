"""Loss curves: the lines of a figure, each a run of the paper, and what they need and tabulate."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ademamix.scale import Scale, refuse_collisions, size_of
from ademamix.spec import Need, RunSpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analysis.noise import Noise
    from analysis.results import Results

SeedsOf = Literal["headline", "sweep", "tuning"]


@dataclass(frozen=True)
class Line:
    """One curve of validation loss.

    Attributes:
        panel: the panel it is drawn in.
        label: its name in the legend and in the table.
        run: the run, with the paper's numbers.
        until: its last step, the paper's.
        seeds: which of the scale's lists of seeds it gets.
    """

    panel: str
    label: str
    run: RunSpec
    until: int
    seeds: SeedsOf = "sweep"


def needs(lines: Iterable[Line], scale: Scale) -> list[Need]:
    """Every line's run at `scale`, once for each of its seeds, with its validation curve."""
    lines = list(lines)
    refuse_collisions(scale, steps_named(lines))
    return [
        Need(
            run=scale.map(line.run, seed),
            until=scale.steps(line.until),
            observe={scale.validation_loss: scale.validation_steps(scale.steps(line.until))},
            panel=line.panel,
        )
        for line in lines
        for seed in getattr(scale.seeds, line.seeds)
    ]


def draw(
    frame: "pd.DataFrame",
    lines: Sequence[Line],
    titles: Mapping[str, str],
    looks: Mapping[str, Mapping[str, Any]] | None = None,
    columns: int = 3,
) -> "Figure":
    """A panel for each letter the frame holds: AdamW dashed in its own colour, the rest a ramp in order.

    Args:
        frame: the figure's table.
        lines: all of the figure's, in the order of the legends.
        titles: panel → title.
        looks: label → line properties, in place of the ramp's.
        columns: of the legends.
    """
    from analysis import curves, style

    shown = curves.panels(frame)
    # Legends go below the panels: somewhere in a sweep, a curve passes through every corner.
    entries = 1 + max(sum(line.panel == panel for line in lines) for panel in shown)
    figure, axes = curves.grid(len(shown), below=0.1 + 0.14 * math.ceil(entries / columns))
    for one, panel in zip(axes, shown, strict=True):
        names = [line.label for line in lines if line.panel == panel]
        swept = [name for name in names if name != "AdamW"]
        ramp = style.ramp(swept)
        found: dict[str, Mapping[str, Any]] = {n: {"color": ramp[n], "linewidth": 1.1} for n in swept}
        if "AdamW" in names:
            found["AdamW"] = {"color": style.colour("AdamW"), "linestyle": "--"}
        found |= {name: look for name, look in (looks or {}).items() if name in names}
        rows = frame[frame["panel"] == panel]
        curves.draw_panel(one, rows, found, titles[panel], tail=0.15)
        _draw_noise(one, rows, next(line for line in lines if line.panel == panel), frame.attrs.get("noise"))
        one.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=columns, columnspacing=1.0)
    curves.name_loss_axis(axes)
    return figure


def _draw_noise(axes: "Axes", rows: "pd.DataFrame", line: Line, noise: "Noise | None") -> None:
    """A band of ±2σ over seeds around the first line of a panel, where runs have one seed only."""
    own = rows[rows["series"] == line.label].sort_values("x")
    sigma = noise.of(size_of(line.run.model).name) if noise else None
    if sigma is not None and own["seed"].nunique() == 1:
        low, high = own["y"] - 2 * sigma, own["y"] + 2 * sigma
        axes.fill_between(own["x"], low, high, color="0.5", alpha=0.25, linewidth=0, label="± 2σ over seeds")


def steps_named(lines: Sequence[Line]) -> set[int]:
    """Every step that a figure's runs name: lengths, warm-ups, forks, decays; the paper's steps."""
    steps = {line.until for line in lines}
    for line in lines:
        run: RunSpec | None = line.run
        while run:
            named = {**dict(run.schedule), **dict(run.optimizer)}
            fields = ("warmup", "horizon", "start", "end", "alpha_warmup", "beta3_warmup")
            steps |= {named[field] or 0 for field in fields if field in named}
            steps |= {run.fork.step} if run.fork else set()
            run = run.fork.parent if run.fork else None
    return steps


def table(lines: Iterable[Line], results: "Results") -> "pd.DataFrame":
    """Long table: panel, series, seed, x (the scale's own steps), y (validation loss, nats)."""
    from analysis.tables import tabulate

    return tabulate(
        (line.panel, line.label, seed, step, value)
        for line in lines
        if results.wants(line.panel)
        for seed in getattr(results.scale.seeds, line.seeds)
        for step, value in results.curve(
            results.scale.map(line.run, seed),
            results.scale.validation_loss,
            results.scale.steps(line.until),
        )
    )
