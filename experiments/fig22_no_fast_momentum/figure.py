"""Figure 22: AdEMAMix with β1 = 0 at 1.3B."""

from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from analysis import style
from analysis.claims import Claim, beats, lower, ranking
from experiments import lines
from experiments.lines import Line

NUMBER = 22
TITLE = "AdEMAMix with β1 = 0 (1.3B, 101B tokens)"

PANELS = ""
SIZE = "1.3B"
HORIZON = 770_000
WITH, WITHOUT = "AdEMAMix, β1 = 0.9", "AdEMAMix, β1 = 0"
LINES = [
    Line("", "AdamW", run(SIZE, ADAMW, HORIZON), HORIZON, "headline"),
    Line("", WITH, run(SIZE, ADEMAMIX, HORIZON), HORIZON, "headline"),
    Line("", WITHOUT, run(SIZE, ADEMAMIX, HORIZON, beta1=0.0), HORIZON, "headline"),
]


def looks() -> lines.Looks:
    return {WITH: {"color": style.colour(WITH)}, WITHOUT: {"color": style.LIGHTER, "linestyle": "-."}}


needs, table, draw = lines.figure(LINES, {"": f"{SIZE}, T = 770k"}, looks, columns=2)


CLAIMS = [
    Claim(
        name="beta1-0-slightly-better",
        statement="β1 = 0 ends slightly lower than β1 = 0.9.",
        statistic="final validation loss, β1 = 0.9 − β1 = 0",
        measure=lower("", WITHOUT, WITH),
        report=ranking("", [line.label for line in LINES]),
    ),
    Claim(
        name="both-beat-adamw",
        statement="Both end lower than AdamW.",
        statistic="final validation loss, AdamW − AdEMAMix",
        measure=beats("", "AdamW", [WITH, WITHOUT]),
    ),
]
