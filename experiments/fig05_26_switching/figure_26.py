"""Figure 26: warm-ups of α and β3 after a switch to AdEMAMix."""

import math
from typing import TYPE_CHECKING

from ademamix.paper.runs import ADAMW, run
from analysis.claims import SAME, Claim, Effect, beats, final, ranking, run_of
from analysis.curves import thousands
from analysis.paired import Paired
from experiments import lines
from experiments.fig05_26_switching.runs import LENGTH, SIZE, switched
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd


NUMBER = 26
TITLE = "Warm-ups of α and β3 after a switch to AdEMAMix (110M)"

PANELS = ""
SWITCH = 300_000
ALPHA = 2
WARMUPS = (0, 25_000, 50_000, 100_000)
TRUNK = run(SIZE, ADAMW, LENGTH)


def name_of(warmup: int) -> str:
    return f"warm-ups of {thousands(warmup)}" if warmup else "no warm-up"


def _line(warmup: int) -> Line:
    paper = switched(TRUNK, SWITCH, ALPHA, warmup or None)
    return Line("", name_of(warmup), paper, LENGTH, "headline", swept={"warm-ups": thousands(warmup)})


LINES = [Line("", "AdamW", TRUNK, LENGTH, "headline", beside=(SWITCH,)), *map(_line, WARMUPS)]


TITLES = {"": f"AdEMAMix from {thousands(SWITCH)}, α = {ALPHA}"}
needs, table, draw = lines.figure(LINES, TITLES, columns=2, tail=0.55, zoomed=True)


def _same_end(frame: "pd.DataFrame") -> list[Effect]:
    """`SAME` minus how far from the end without a warm-up each other one is."""
    plain = final(frame, "", name_of(0))
    return [
        Effect.of(
            f"{SAME} − |{name_of(warmup)} − none|", SAME - abs(final(frame, "", name_of(warmup)) - plain)
        )
        for warmup in WARMUPS[1:]
    ]


def _slower(frame: "pd.DataFrame") -> list[Effect]:
    """The mean loss over the longest warm-up: of that one, minus that without any."""
    first = frame[frame["series"] == name_of(0)]["x"].min()
    last = first + (frame["x"].max() - first) * WARMUPS[-1] / (LENGTH - SWITCH)
    rows = frame[(frame["x"] > first) & (frame["x"] <= last)]
    names = [name_of(warmup) for warmup in WARMUPS]
    means = rows.groupby(["series", "seed"])["y"].mean().unstack()
    seeds = frame["seed"].unique()
    means = means.reindex(index=names, columns=seeds, fill_value=math.inf).T  # diverged before
    whole = {
        name: Paired(means[name].to_dict(), {run_of(frame, "", name): 1.0})  # as uncertain as their ends
        for name in names
    }
    return [Effect.of(f"{name} − none", whole[name] - whole[name_of(0)]) for name in names[1:]]


CLAIMS = [
    Claim(
        name="same-end",
        statement="Longer warm-ups end at the same loss.",
        statistic=f"{SAME} nats minus the distance between the final validation losses",
        measure=_same_end,
        report=ranking("", [line.label for line in LINES]),
    ),
    Claim(
        name="only-slower",
        statement="Longer warm-ups only slow the switch down.",
        statistic="mean validation loss over the 100k steps after the switch, with a warm-up − without",
        measure=_slower,
    ),
    Claim(
        name="all-below-adamw",
        statement="With or without a warm-up, the switch ends below AdamW.",
        statistic="final validation loss, AdamW − switched",
        measure=beats("", "AdamW", list(map(name_of, WARMUPS))),
    ),
]
