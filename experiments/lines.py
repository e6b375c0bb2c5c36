"""Loss curves: the lines of a figure, each a run of the paper, and what they need and tabulate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ademamix.scale import Scale, refuse_collisions
from ademamix.spec import Need, RunSpec

if TYPE_CHECKING:
    import pandas as pd

    from analysis.results import Results

SeedsOf = Literal["headline", "sweep"]


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
