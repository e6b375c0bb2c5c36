"""Figure 15: sensitivity to gradient clipping and to β1."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ademamix.paper.runs import ADAMW, ADEMAMIX, PaperRun, run
from analysis.claims import LITTLE, SAME, Claim, Effect, final, lowest, ranking, rougher
from analysis.paired import largest, smallest
from experiments import lines
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd


NUMBER = 15
TITLE = "Sensitivity of AdEMAMix to gradient clipping and β1 (110M)"

PANELS = "ab"
SIZE = "110M"
HORIZON = 256_000
CLIPPINGS, ALPHAS = (0.1, 1, 5), (8, 2)  # panel a
BETA1S = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)  # panel b
ALPHA_OF_B = 10
OFTEN = 4  # times as many observations, to see spikes


def clip_name(clipping: float, alpha: float) -> str:
    return f"clip {clipping:g}, α = {alpha}"


def beta1_name(beta1: float) -> str:
    return f"β1 = {beta1:g}"


def _line(panel: str, label: str, paper: PaperRun, swept: Mapping[str, str]) -> Line:
    return Line(panel, label, paper, HORIZON, "headline", often=OFTEN, swept=swept)


def _clipped(clipping: float, alpha: float) -> Line:
    paper = run(SIZE, ADEMAMIX, HORIZON, alpha=alpha).changed(clipping=clipping)
    return _line("a", clip_name(clipping, alpha), paper, {"clip": f"{clipping:g}", "α": f"{alpha:g}"})


def _with_beta1(beta1: float) -> Line:
    paper = run(SIZE, ADEMAMIX, HORIZON, alpha=ALPHA_OF_B, beta1=beta1)
    return _line("b", beta1_name(beta1), paper, {"β1": f"{beta1:g}"})


LINES = [
    _line("a", "AdamW", run(SIZE, ADAMW, HORIZON), {}),
    *(_clipped(clipping, alpha) for alpha in ALPHAS for clipping in CLIPPINGS),
    _line("b", "AdamW", run(SIZE, ADAMW, HORIZON), {}),
    *map(_with_beta1, BETA1S),
]
TITLES = {"a": "(a) gradient clipping", "b": f"(b) α = {ALPHA_OF_B}, β1 varies"}


needs, table, draw = lines.figure(LINES, TITLES)


def _range_over_clipping(frame: "pd.DataFrame") -> list[Effect]:
    """`LITTLE` minus the range of the ends over clipping."""
    ends = {alpha: [final(frame, "a", clip_name(c, alpha)) for c in CLIPPINGS] for alpha in ALPHAS}
    return [
        Effect.of(f"α = {a}: {LITTLE} − range", LITTLE - (largest(of) - smallest(of)))
        for a, of in ends.items()
    ]


def _same_end(frame: "pd.DataFrame") -> list[Effect]:
    """`SAME` minus how far from the end of β1 = 0.9 each smaller one is."""
    usual = final(frame, "b", beta1_name(0.9))
    return [
        Effect.of(
            f"{SAME} − |{beta1_name(b)} − β1 = 0.9|", SAME - abs(final(frame, "b", beta1_name(b)) - usual)
        )
        for b in BETA1S
        if b < 0.9
    ]


def _best_03(frame: "pd.DataFrame") -> list[Effect]:
    best = final(frame, "b", beta1_name(0.3))
    return [
        Effect.of(f"{beta1_name(b)} − β1 = 0.3", final(frame, "b", beta1_name(b)) - best)
        for b in BETA1S
        if b != 0.3
    ]


def _rougher_unclipped(frame: "pd.DataFrame") -> list[Effect]:
    """The curve with the weakest clipping against that with the strongest."""
    strong, *_, weak = CLIPPINGS
    pairs = [(clip_name(strong, alpha), clip_name(weak, alpha)) for alpha in ALPHAS]
    return [effect for smooth, rough in pairs for effect in rougher("a", smooth, [rough])(frame)]


CLAIMS = [
    Claim(
        name="clipping-smooths",
        statement="Clipping makes the curves smoother.",
        statistic="sum of all rises of the validation loss after the first quarter of the training, "
        f"clip {CLIPPINGS[-1]} − clip {CLIPPINGS[0]}",
        measure=_rougher_unclipped,
    ),
    Claim(
        name="clipping-matters-little",
        statement="Clipping changes the end little.",
        statistic=f"{LITTLE} nats minus the range of the final validation losses over clipping",
        measure=_range_over_clipping,
        report=ranking("a", [line.label for line in LINES if line.panel == "a"]),
    ),
    Claim(
        name="small-beta1-spikes",
        statement="A small β1 gives spikes.",
        statistic="sum of all rises of the validation loss after the first quarter, β1 ≤ 0.3 − β1 = 0.9",
        measure=rougher("b", beta1_name(0.9), [beta1_name(b) for b in BETA1S if b <= 0.3]),
    ),
    Claim(
        name="small-beta1-same-end",
        statement="A small β1 ends about where 0.9 does.",
        statistic=f"{SAME} nats minus the distance between the final validation losses",
        measure=_same_end,
        report=ranking("b", [line.label for line in LINES if line.panel == "b"]),
    ),
    Claim(
        name="beta1-best-0.3",
        statement="β1 = 0.3 is slightly best.",
        statistic="final validation loss of every other β1, minus that of 0.3",
        measure=_best_03,
        number=("best β1 0.3", lowest("b", {beta1_name(beta1): f"{beta1:g}" for beta1 in BETA1S})),
    ),
]
