"""Figure 4: forgetting of one batch during training."""

from itertools import pairwise
from typing import TYPE_CHECKING

from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import Claim, Effect
from analysis.curves import thousands
from experiments.fig04_10_forgetting import injections
from experiments.fig04_10_forgetting.injections import NAMES, SIZE, Forgetting, paired, retained

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 4
TITLE = "Forgetting of one batch during training (110M)"

PANELS = "abcd"
HORIZON = 256_000
AT = {"a": 90_000, "b": 170_000, "c": 190_000, "d": 230_000}
FORGETTING = Forgetting(
    references={optimizer: run(SIZE, optimizer, HORIZON).at_shared_rate() for optimizer in (ADAMW, ADEMAMIX)},
    at=AT,
    since=70_000,
    until=HORIZON,
)


def needs(scale: Scale) -> list[Need]:
    return FORGETTING.needs(scale)


def table(results: "Results") -> "pd.DataFrame":
    return FORGETTING.table(results)


def draw(frame: "pd.DataFrame") -> "Figure":
    return injections.draw(frame, AT, HORIZON)


def _remembers(frame: "pd.DataFrame") -> list[Effect]:
    return [
        paired(f"t_B = {thousands(t)}", retained(frame, panel, "AdEMAMix") - retained(frame, panel, "AdamW"))
        for panel, t in AT.items()
    ]


def _later_better(frame: "pd.DataFrame") -> list[Effect]:
    """What is kept of each batch, minus what is kept of the one before it."""
    return [
        paired(
            f"{name}: {thousands(AT[after])} − {thousands(AT[before])}",
            retained(frame, after, name) - retained(frame, before, name),
        )
        for name in NAMES.values()
        for before, after in pairwise(AT)
    ]


def _reversals(frame: "pd.DataFrame") -> dict[str, str]:
    """Between which t_B the order is the other way round."""
    found = [e.what for e in _later_better(frame) if sum(e.values) < 0]
    return {"reversed": "; ".join(found) or "nowhere"}


CLAIMS = [
    *injections.after_the_batch(AT, HORIZON),
    Claim(
        name="ademamix-remembers",
        statement="At the end of training, AdEMAMix has kept more of B than AdamW.",
        statistic="loss on B at the end, reference − branch: AdEMAMix − AdamW, paired by batch",
        measure=_remembers,
        report=injections.summary(AT),
    ),
    Claim(
        name="later-batches-better",
        statement="Later batches are remembered better.",
        statistic="loss on B at the end, reference − branch: of each t_B − of the one before it",
        measure=_later_better,
        report=_reversals,
    ),
]
