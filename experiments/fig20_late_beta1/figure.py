"""Figure 20: raising β1 of AdamW late in training."""

from typing import TYPE_CHECKING

from ademamix.paper.runs import ADAMW, run
from analysis.claims import SAME, Claim, Effect, lower, rankings
from experiments import lines
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd


NUMBER = 20
TITLE = "Raising β1 of AdamW late in training (110M)"

PANELS = "ab"
SIZE = "110M"
LENGTH = 500_000
SWITCH = 300_000
RAMPS = {"a": None, "b": 200_000}  # T_β1, counted from the switch
BETA1S = (0.99, 0.999, 0.9999, 0.99999)
TRUNK = run(SIZE, ADAMW, LENGTH)


def name_of(beta1: float) -> str:
    return f"β1 = {beta1:g} from {SWITCH // 1000}k"


def _raised(panel: str, beta1: float) -> Line:
    paper = TRUNK.branch(SWITCH, beta1=beta1, beta1_warmup=RAMPS[panel])
    return Line(panel, name_of(beta1), paper, LENGTH, swept={"β1": f"{beta1:g}"})


def _lines(panel: str) -> list[Line]:
    baseline = Line(panel, "AdamW", TRUNK, LENGTH, beside=(SWITCH,))
    return [baseline, *(_raised(panel, beta1) for beta1 in BETA1S)]


LINES = [line for panel in PANELS for line in _lines(panel)]
TITLES = {"a": "(a) at once", "b": "(b) over 200k steps"}


needs, table, draw = lines.figure(LINES, TITLES, columns=2, tail=0.55, zoomed=True)


def _no_gain(frame: "pd.DataFrame") -> list[Effect]:
    """How much higher than the baseline each ends."""
    return [effect for panel in PANELS for effect in lower(panel, "AdamW", list(map(name_of, BETA1S)))(frame)]


CLAIMS = [
    Claim(
        name="no-gain",
        statement="Raising β1 late in training, at once or with a ramp, gains nothing over the baseline.",
        statistic=f"final validation loss, raised β1 − AdamW; a gain is more than {SAME} nats",
        measure=_no_gain,
        threshold=-SAME,
        report=rankings({panel: [line.label for line in LINES if line.panel == panel] for panel in PANELS}),
    ),
]
