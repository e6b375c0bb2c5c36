"""Figure 11: switching from AdEMAMix back to AdamW."""

from typing import TYPE_CHECKING

from ademamix.paper.runs import ADAMW, ADEMAMIX, PaperRun, run
from analysis import style
from analysis.claims import Claim, Effect, beats, lower, ranking
from experiments import lines
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd


NUMBER = 11
TITLE = "From AdEMAMix back to AdamW (110M, batch 32)"

PANELS = ""
SIZE = "110M"
HORIZON = 256_000
BATCH = 32
SWITCH = 128_000
ALPHA = 10
RAMPS = (256_000, 90_000)


def name_of(ramp: int) -> str:
    return f"AdEMAMix, T = {ramp // 1000}k"


def switched_name(ramp: int) -> str:
    return f"T = {ramp // 1000}k, AdamW from {SWITCH // 1000}k"


ADAMW_RUN = run(SIZE, ADAMW, HORIZON).changed(batch=BATCH).at_shared_rate()


def _trunk(ramp: int) -> PaperRun:
    ramps = {"alpha_warmup": ramp, "beta3_warmup": ramp}
    return run(SIZE, ADEMAMIX, HORIZON, alpha=ALPHA, **ramps).changed(batch=BATCH).at_shared_rate()


def _back(ramp: int) -> PaperRun:
    return _trunk(ramp).branch(SWITCH, to=ADAMW)


LINES = [
    Line("", "AdamW", ADAMW_RUN, HORIZON, "headline"),
    *(Line("", name_of(t), _trunk(t), HORIZON, "headline", beside=(SWITCH,)) for t in RAMPS),
    *(Line("", switched_name(t), _back(t), HORIZON, "headline") for t in RAMPS),
]


def looks() -> lines.Looks:
    """A colour for each ramp, dotted after the switch."""
    return {
        label: {"color": colour, "linestyle": stroke, "linewidth": 1.1}
        for ramp, colour in zip(RAMPS, (style.colour("AdEMAMix"), style.LIGHTER), strict=True)
        for label, stroke in ((name_of(ramp), "-"), (switched_name(ramp), ":"))
    }


TITLES = {"": f"switched at {SWITCH // 1000}k"}
needs, table, draw = lines.figure(LINES, TITLES, looks, columns=1, tail=0.3, zoomed=True)


def _drop_and_rise(frame: "pd.DataFrame") -> list[Effect]:
    """How far the loss falls below the trunk's just after the switch, and how far it then rises."""
    found = []
    for ramp in RAMPS:
        above = lines.beside_trunk(frame, "", switched_name(ramp), name_of(ramp))
        lowest = [min(of[: lines.CLOSE_LOOKS + 1]) for of in above]
        rises = [max(of[of.index(low) :]) - low for of, low in zip(above, lowest, strict=True)]
        found.append(Effect(f"{switched_name(ramp)}: drop", tuple(-low for low in lowest)))
        found.append(Effect(f"{switched_name(ramp)}: rise", tuple(rises)))
    return found


def _between(frame: "pd.DataFrame") -> list[Effect]:
    found: list[Effect] = []
    for ramp in RAMPS:
        found += beats("", "AdamW", [switched_name(ramp)])(frame)
        found += lower("", name_of(ramp), switched_name(ramp))(frame)
    return found


CLAIMS = [
    Claim(
        name="drops-then-rises",
        statement="Right after the switch the loss drops, then it rises.",
        statistic="validation loss below that of the run that goes on with AdEMAMix, at the same step: the "
        "largest in the first interval between observations; how far it rises from there",
        measure=_drop_and_rise,
        threshold=0.01,
    ),
    Claim(
        name="ends-between",
        statement="It ends between AdamW and AdEMAMix.",
        statistic="final validation loss, AdamW − switched and switched − AdEMAMix",
        measure=_between,
        report=ranking("", [line.label for line in LINES]),
    ),
]
