"""Figure 16: fewer steps with larger batches, AdamW and AdEMAMix."""

from typing import TYPE_CHECKING

from ademamix.paper.runs import ADAMW, ADEMAMIX
from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import Claim, Effect
from experiments.fig16_17_batch_size import runs
from experiments.fig16_17_batch_size.runs import curves_of, ends, slope

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 16
TITLE = "17B tokens in fewer steps with larger batches (110M)"

PANELS = "abc"
OPTIMIZERS = {"AdamW": curves_of("a", ADAMW), "AdEMAMix": curves_of("b", ADEMAMIX, beta3=0.9999)}
CURVES = [line for of in OPTIMIZERS.values() for line in of]
TITLES = {"a": "(a) AdamW", "b": "(b) AdEMAMix, β3 = 0.9999", "c": "(c) final loss"}


def needs(scale: Scale) -> list[Need]:
    return runs.needs(CURVES, OPTIMIZERS, scale)


def table(results: "Results") -> "pd.DataFrame":
    return runs.table(CURVES, OPTIMIZERS, results)


def draw(frame: "pd.DataFrame") -> "Figure":
    from analysis import style

    looks = {name: {"color": style.colour(name)} for name in OPTIMIZERS}
    return runs.draw(frame, CURVES, TITLES, looks)


def _fewer_hurt(frame: "pd.DataFrame") -> list[Effect]:
    """How much the loss rises when the steps are halved, for each optimizer."""
    slopes = {name: slope(ends(frame, name)) for name in OPTIMIZERS}
    return [Effect.of(f"{name}: rise per halving", -of) for name, of in slopes.items()]


def _ademamix_more(frame: "pd.DataFrame") -> list[Effect]:
    adamw, ademamix = (slope(ends(frame, name)) for name in OPTIMIZERS)
    return [Effect.of("rise per halving, AdEMAMix − AdamW", adamw - ademamix)]


def _stays_below(frame: "pd.DataFrame") -> list[Effect]:
    adamw, ademamix = (ends(frame, name) for name in OPTIMIZERS)
    return [Effect.of(f"{n // 1000}k: AdamW − AdEMAMix", adamw[n] - ademamix[n]) for n in adamw]


CLAIMS = [
    Claim(
        name="fewer-steps-hurt",
        statement="At fixed tokens, fewer steps with larger batches end worse with both optimizers.",
        statistic="minus the slope of the final validation loss against log2 of the steps",
        measure=_fewer_hurt,
    ),
    Claim(
        name="hurt-ademamix-more",
        statement="AdEMAMix loses more than AdamW.",
        statistic="slope of the final loss against log2 of the steps, AdamW − AdEMAMix",
        measure=_ademamix_more,
    ),
    Claim(
        name="stays-below",
        statement="AdEMAMix stays below AdamW at every number of steps.",
        statistic="final validation loss, AdamW − AdEMAMix",
        measure=_stays_below,
    ),
]
