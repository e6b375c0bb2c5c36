"""Figure 21: batch size and β1 = 0."""

from typing import TYPE_CHECKING

from ademamix.paper.runs import ADEMAMIX, run
from analysis.claims import SAME, Claim, Effect, final, lower, ranking, rougher
from experiments import lines
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd


NUMBER = 21
TITLE = "Batch sizes with β1 = 0 and β1 = 0.9 (110M)"

PANELS = ""
SIZE = "110M"
HORIZON = 256_000
BATCHES = (4, 8, 16, 32, 64, 128)
BETA1S = (0.9, 0.0)


def name_of(batch: int, beta1: float) -> str:
    return f"batch {batch}, β1 = {beta1:g}"


SMALL, LARGE = (4, 8, 16, 32), (64, 128)
OFTEN = 4  # times as many observations, to see spikes


def _line(batch: int, beta1: float) -> Line:
    paper = run(SIZE, ADEMAMIX, HORIZON, beta1=beta1).changed(batch=batch)
    # Several seeds: the pooled spread is of neither small batches nor β1 = 0.
    often = OFTEN if batch in LARGE else 1
    swept = {"batch": str(batch), "β1": f"{beta1:g}"}
    return Line("", name_of(batch, beta1), paper, HORIZON, "headline", often=often, swept=swept)


LINES = [_line(batch, beta1) for batch in BATCHES for beta1 in BETA1S]


needs, table, draw = lines.figure(LINES, {"": "110M, α = 8"})


def _small(frame: "pd.DataFrame") -> list[Effect]:
    return [e for b in SMALL for e in lower("", name_of(b, 0.9), name_of(b, 0.0))(frame)]


def _spikes(frame: "pd.DataFrame") -> list[Effect]:
    return [e for b in LARGE for e in rougher("", name_of(b, 0.9), [name_of(b, 0.0)])(frame)]


def _large(frame: "pd.DataFrame") -> list[Effect]:
    """`SAME` minus how much higher β1 = 0 ends, at large batches."""
    found = []
    for batch in LARGE:
        higher = final(frame, "", name_of(batch, 0.0)) - final(frame, "", name_of(batch, 0.9))
        found.append(Effect.of(f"{SAME} − ({name_of(batch, 0.0)} − {name_of(batch, 0.9)})", SAME - higher))
    return found


CLAIMS = [
    Claim(
        name="small-batch-needs-beta1",
        statement="At small batches (4 to 32), β1 = 0.9 ends slightly lower than β1 = 0.",
        statistic="final validation loss, β1 = 0 − β1 = 0.9",
        measure=_small,
        report=ranking("", [line.label for line in LINES]),
    ),
    Claim(
        name="large-batch-spikes",
        statement="At large batches (64, 128), β1 = 0 gives spikes.",
        statistic="sum of all rises of the validation loss after the first quarter, β1 = 0 − β1 = 0.9",
        measure=_spikes,
    ),
    Claim(
        name="large-batch-same-end",
        statement="At large batches (64, 128), both end the same.",
        statistic=f"{SAME} minus how much higher β1 = 0 ends",
        measure=_large,
    ),
]
