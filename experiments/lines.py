"""Loss curves: the lines of a figure, each a run of the paper, and what they need and tabulate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ademamix.scale import Scale, refuse_collisions
from ademamix.spec import AdEMAMix, Need, RunSpec

if TYPE_CHECKING:
    import pandas as pd

    from analysis.results import Results

VALIDATION = "validation_loss"
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
            observe={VALIDATION: scale.validation_steps(scale.steps(line.until))},
            panel=line.panel,
        )
        for line in lines
        for seed in getattr(scale.seeds, line.seeds)
    ]


def steps_named(lines: Sequence[Line]) -> set[int]:
    """The lengths and warm-ups that a figure tells apart, in the paper's steps."""
    steps = {line.until for line in lines}
    for line in lines:
        if isinstance(line.run.optimizer, AdEMAMix):
            steps |= {line.run.optimizer.alpha_warmup or 0, line.run.optimizer.beta3_warmup or 0}
    return steps


def table(lines: Iterable[Line], results: "Results") -> "pd.DataFrame":
    """Long table: panel, series, seed, x (the scale's own steps), y (validation loss, nats)."""
    import pandas as pd

    rows = [
        (line.panel, line.label, seed, step, value)
        for line in lines
        if results.wants(line.panel)
        for seed in getattr(results.scale.seeds, line.seeds)
        for step, value in results.curve(
            results.scale.map(line.run, seed), VALIDATION, results.scale.steps(line.until)
        )
    ]
    return pd.DataFrame(rows, columns=["panel", "series", "seed", "x", "y"])
