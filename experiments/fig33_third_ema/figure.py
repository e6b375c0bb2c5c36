"""Figure 33: a third EMA."""

from typing import TYPE_CHECKING

from ademamix.paper.runs import ADAMW, ADEMAMIX, THREE_EMAS, run
from analysis import style
from analysis.claims import SAME, Claim, Effect, final, ranking
from experiments import lines
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd


NUMBER = 33
TITLE = "A third EMA (110M)"

PANELS = ""
SIZE = "110M"
HORIZON = 256_000
ALPHA = 4
BETAS = ((0.9999, 0.99999), (0.999, 0.99999), (0.999, 0.9999), (0.99, 0.9999), (0.99, 0.99999))  # β3, β4
TWO = f"AdEMAMix, α = {ALPHA}"


def name_of(beta3: float, beta4: float) -> str:
    return f"β3 = {beta3}, β4 = {beta4}"


def _three(beta3: float, beta4: float) -> Line:
    paper = run(SIZE, THREE_EMAS, HORIZON, alpha=ALPHA, beta3=beta3, beta4=beta4)
    swept = {"β3": str(beta3), "β4": str(beta4)}
    return Line("", name_of(beta3, beta4), paper, HORIZON, "headline", swept=swept)


LINES = [
    Line("", "AdamW", run(SIZE, ADAMW, HORIZON), HORIZON, "headline"),
    Line("", TWO, run(SIZE, ADEMAMIX, HORIZON, alpha=ALPHA), HORIZON, "headline"),
    *(_three(*betas) for betas in BETAS),
]


def looks() -> lines.Looks:
    return {TWO: {"color": style.colour("AdEMAMix"), "linewidth": 2.0}}


needs, table, draw = lines.figure(LINES, {"": f"Ad3EMAMix, α = {ALPHA}"}, looks)


def _no_gain(frame: "pd.DataFrame") -> list[Effect]:
    """How much higher each third EMA ends than AdEMAMix, plus `SAME`."""
    two = final(frame, "", TWO)
    return [
        Effect.of(
            f"{name_of(*betas)}: end − AdEMAMix's + {SAME}",
            final(frame, "", name_of(*betas)) - two + SAME,
        )
        for betas in BETAS
    ]


CLAIMS = [
    Claim(
        name="third-ema-gives-nothing",
        statement="A third EMA gives nothing: none ends lower than AdEMAMix.",
        statistic=f"final validation loss of Ad3EMAMix − AdEMAMix, plus {SAME} nats of tolerance",
        measure=_no_gain,
        report=ranking("", [line.label for line in LINES]),
    ),
]
