"""Loss curves: the lines of a figure, each a run of the paper, and what they need and tabulate."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ademamix.errors import UserError
from ademamix.paper.runs import PaperRun
from ademamix.scale import Scale, refuse_collisions
from ademamix.spec import Need

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

SeedsOf = Literal["headline", "few", "sweep", "tuning"]


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
        swept: what it varies, name → value; the first is its colour and its place among the final losses,
            the second its line style. Empty: a level to compare with.
    """

    panel: str
    label: str
    run: PaperRun
    until: int
    seeds: SeedsOf = "sweep"
    beside: tuple[int, ...] = ()
    often: int = 1
    swept: Mapping[str, str] = field(default_factory=dict, hash=False)

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


def refuse_namesakes(lines: Iterable[Line]) -> None:
    """Raise UserError where two lines of a panel have one label: they would become one curve."""
    for (panel, label), count in Counter((line.panel, line.label) for line in lines).items():
        if count > 1:
            raise UserError(f"two lines of panel {panel} are called '{label}'; give each a label of its own")


def needs(lines: Iterable[Line], scale: Scale) -> list[Need]:
    """Every line's run at `scale`, once for each of its seeds, with its validation curve."""
    lines = list(lines)
    refuse_namesakes(lines)
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
    from experiments import line_drawing

    return (
        lambda scale: needs(lines, scale),
        lambda results: table(lines, results),
        lambda frame: line_drawing.draw(frame, lines, titles, looks(), **look),
    )


def beside_trunk(frame: "pd.DataFrame", panel: str, branch: str, trunk: str) -> list[list[float]]:
    """A branch's loss minus its trunk's at the steps that both have, from the fork on; a list for each seed.

    Both train on the same data from the same weights: small differences mean something.
    """
    rows = frame[frame["panel"] == panel]
    loss = rows.set_index(["series", "seed", "x"])["y"].sort_index()
    apart = (loss[branch] - loss[trunk]).dropna()
    return [of.to_list() for _, of in apart.groupby(level="seed")]


def steps_named(lines: Iterable[Line]) -> set[int]:
    """Every step that a figure's runs name, and their lengths; the paper's steps."""
    found: set[int] = set()
    for line in lines:
        found |= {line.until} | line.run.steps_named()
    return found
