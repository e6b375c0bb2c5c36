"""Loss curves: the lines of a figure, each a run of the paper, and what they need and tabulate."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ademamix.paper.runs import PaperRun
from ademamix.scale import Scale, refuse_collisions
from ademamix.spec import Need

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
        run: the run of the paper.
        until: its last step, the paper's.
        seeds: which of the scale's lists of seeds it gets.
        beside: forks of other lines, steps of the paper, after which it is observed as often as they are.
        often: times the scale's usual number of observations, where single spikes are looked for.
    """

    panel: str
    label: str
    run: PaperRun
    until: int
    seeds: SeedsOf = "sweep"
    beside: tuple[int, ...] = ()
    often: int = 1

    def first_step(self, scale: Scale) -> int:
        """Where its curve begins: at 0, or at the fork, where a branch is still its trunk."""
        return scale.fork_step(self.run.fork) if self.run.fork else 0

    def steps(self, scale: Scale) -> frozenset[int]:
        """When its validation loss is observed; more often just after a fork."""
        first, until = self.first_step(scale), scale.steps(self.until)
        forks = [scale.steps(step) for step in self.beside] + [first] * (first > 0)
        found = scale.validation_steps(until, self.often).union(
            *(after_a_fork(scale, fork, until) for fork in forks)
        )
        return frozenset(step for step in found if step >= first)

    def need(self, scale: Scale, seed: int) -> Need:
        """Its run at `scale` with one seed, and its validation curve."""
        return Need(
            run=scale.map(self.run, seed),
            until=scale.steps(self.until),
            observe={scale.validation_loss: self.steps(scale)},
            panel=self.panel,
            series=self.label,
            paper=self.run,
        )


CLOSE_LOOKS = 8  # in the first of the usual intervals between observations


def after_a_fork(scale: Scale, fork: int, until: int) -> frozenset[int]:
    """The fork's own step, and steps close after it."""
    close = (fork + round(scale.validation_every * i / CLOSE_LOOKS) for i in range(CLOSE_LOOKS + 1))
    return frozenset(step for step in close if step <= until)


class Case(NamedTuple):
    """A line with one of its seeds, and what that needs."""

    line: Line
    seed: int
    need: Need


def cases(lines: Iterable[Line], scale: Scale) -> Iterator[Case]:
    """Every line with every one of its seeds."""
    for line in lines:
        for seed in getattr(scale.seeds, line.seeds):
            yield Case(line, seed, line.need(scale, seed))


def needs(lines: Iterable[Line], scale: Scale) -> list[Need]:
    """Every line's run at `scale`, once for each of its seeds, with its validation curve."""
    lines = list(lines)
    refuse_collisions(scale, steps_named(lines))
    return [case.need for case in cases(lines, scale)]


def table(lines: Iterable[Line], results: "Results") -> "pd.DataFrame":
    """Long table: panel, series, seed, x (the scale's own steps), y (validation loss, nats, or infinity).

    The curve of a branch begins at its fork, with its trunk's loss there.
    """
    from analysis.tables import tabulate

    quantity = results.scale.validation_loss
    return tabulate(
        (line.panel, line.label, seed, step, value)
        for line, seed, need in cases(lines, results.scale)
        if results.wants(line.panel)
        for step, value in results.curve(need.run, quantity, need.until)
        if step in need.observe[quantity] or value == math.inf
    )


Looks = Mapping[str, Mapping[str, Any]]  # label → line properties
Needs = Callable[[Scale], list[Need]]
Tabulate = Callable[["Results"], "pd.DataFrame"]
Draw = Callable[["pd.DataFrame"], "Figure"]


def figure(
    lines: Sequence[Line],
    titles: Mapping[str, str],
    looks: Callable[[], Looks] = dict,
    **look: Any,
) -> tuple[Needs, Tabulate, Draw]:
    """`needs`, `table` and `draw` of a figure that is its lines.

    `looks`: makes the line properties, when the figure is drawn; `look`: further arguments of `draw`.
    """
    return (
        lambda scale: needs(lines, scale),
        lambda results: table(lines, results),
        lambda frame: draw(frame, lines, titles, looks(), **look),
    )


def draw(
    frame: "pd.DataFrame",
    lines: Sequence[Line],
    titles: Mapping[str, str],
    looks: Looks | None = None,
    columns: int = 3,
    tail: float = 0.15,
    zoomed: bool = False,
) -> "Figure":
    """A panel for each letter the frame holds: AdamW dashed in its own colour, the rest a ramp in order.

    Args:
        frame: the figure's table.
        lines: all of the figure's, in the order of the legends.
        titles: panel → title.
        looks: label → line properties, in place of the ramp's.
        columns: of the legends.
        tail: the loss axis shows what happens after this share of the longest curve.
        zoomed: whether the steps before are left out altogether.
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
        curves.draw_panel(one, rows, found, titles[panel], tail=tail)
        if zoomed:
            one.set_xlim(left=tail * rows["x"].max())
        _draw_noise(one, rows, next(line for line in lines if line.panel == panel), frame.attrs.get("noise"))
        one.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=columns, columnspacing=1.0)
    curves.name_loss_axis(axes)
    return figure


def _draw_noise(axes: "Axes", rows: "pd.DataFrame", line: Line, noise: "Noise | None") -> None:
    """A band of ±2σ over seeds around the first line of a panel, where runs have one seed only."""
    from analysis.noise import group_of

    own = rows[rows["series"] == line.label].sort_values("x")
    sigma = noise.of(group_of(line.run)) if noise else None
    if sigma is not None and own["seed"].nunique() == 1:
        low, high = own["y"] - 2 * sigma, own["y"] + 2 * sigma
        axes.fill_between(own["x"], low, high, color="0.5", alpha=0.25, linewidth=0, label="± 2σ over seeds")


def beside_trunk(frame: "pd.DataFrame", panel: str, branch: str, trunk: str) -> "pd.Series[float]":
    """A branch's loss minus its trunk's at the steps that both have, from the fork on; means over seeds.

    Both train on the same data from the same weights: small differences mean something.
    """
    rows = frame[frame["panel"] == panel]
    loss = rows.groupby(["series", "x"])["y"].mean()
    return (loss[branch] - loss[trunk]).dropna()


def steps_named(lines: Iterable[Line]) -> set[int]:
    """Every step that a figure's runs name, and their lengths; the paper's steps."""
    found: set[int] = set()
    for line in lines:
        found |= {line.until} | line.run.steps_named()
    return found
