"""Figure 17: fewer steps with larger batches, two values of β3."""

from typing import TYPE_CHECKING

from ademamix.paper.runs import ADAMW, ADEMAMIX
from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import Claim, Effect
from experiments.fig16_17_batch_size import runs
from experiments.fig16_17_batch_size.runs import curves_of, ends

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 17
TITLE = "17B tokens in fewer steps, β3 = 0.9999 and 0.999 (110M)"

PANELS = "abc"
SLOW, SLOWER = "AdEMAMix, β3 = 0.999", "AdEMAMix, β3 = 0.9999"
CURVES = [*curves_of("a", ADEMAMIX, beta3=0.9999), *curves_of("b", ADEMAMIX, beta3=0.999)]
OPTIMIZERS = {
    "AdamW": curves_of("c", ADAMW),
    SLOWER: [line for line in CURVES if line.panel == "a"],
    SLOW: [line for line in CURVES if line.panel == "b"],
}
TITLES = {"a": f"(a) {SLOWER}", "b": f"(b) {SLOW}", "c": "(c) final loss"}


def needs(scale: Scale) -> list[Need]:
    return runs.needs(CURVES, OPTIMIZERS, scale)


def table(results: "Results") -> "pd.DataFrame":
    return runs.table(CURVES, OPTIMIZERS, results)


def draw(frame: "pd.DataFrame") -> "Figure":
    from analysis import style

    looks = {
        "AdamW": {"color": style.colour("AdamW")},
        SLOWER: {"color": style.colour("AdEMAMix")},
        SLOW: {"color": style.LIGHTER},
    }
    return runs.draw(frame, CURVES, TITLES, looks)


def _crossing(frame: "pd.DataFrame") -> list[Effect]:
    slow, slower = ends(frame, SLOW), ends(frame, SLOWER)
    short = [Effect.of(f"{n // 1000}k: 0.9999 − 0.999", slower[n] - slow[n]) for n in (32_000, 64_000)]
    long = [Effect.of(f"{n // 1000}k: 0.999 − 0.9999", slow[n] - slower[n]) for n in (128_000, 256_000)]
    return short + long


CLAIMS = [
    Claim(
        name="smaller-beta3-for-fewer-steps",
        statement="β3 = 0.999 is better at 32k and 64k steps, 0.9999 at 128k and 256k.",
        statistic="final validation loss of the other β3 minus that of the one said to be better",
        measure=_crossing,
    ),
]
