"""Figure 28: a longer decay from the constant learning rate (1.3B)."""

from typing import TYPE_CHECKING

from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import SAME, Claim, Effect, final, ranking
from analysis.paired import Paired
from experiments import lines
from experiments.fig03_28_old_gradients.drawing import draw_decays
from experiments.fig03_28_old_gradients.runs import NAMES, TRUNKS, decay_lines, decay_name
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 28
TITLE = "A longer decay from the constant learning rate (1.3B)"

PANELS = ""
END = 1_100_000
DECAYS = (200_000, 100_000)  # from 900k; Figure 3b's, from 1M, ends at the same step
STARTS = tuple(END - steps for steps in DECAYS)

LINES = [
    *(Line("", name, trunk, END, "few", beside=STARTS) for name, trunk in TRUNKS.items()),
    *(line for steps in DECAYS for line in decay_lines("", END - steps, steps)),
]


def needs(scale: Scale) -> list[Need]:
    return lines.needs(LINES, scale)


def table(results: "Results") -> "pd.DataFrame":
    return lines.table(LINES, results)


def draw(frame: "pd.DataFrame") -> "Figure":
    return draw_decays(frame, "decays of 200k and 100k", tail=0.5)


def _ends(frame: "pd.DataFrame", name: str, steps: int) -> Paired:
    return final(frame, "", decay_name(name, END - steps, steps))


def _longer_helps(frame: "pd.DataFrame") -> list[Effect]:
    long, short = DECAYS
    return [
        Effect.of(f"{name}: 100k − 200k", _ends(frame, name, short) - _ends(frame, name, long))
        for name in NAMES
    ]


def _gap_stays(frame: "pd.DataFrame") -> list[Effect]:
    """Below AdamW after the longer decay, and by as much as after the shorter one."""
    found = []
    for name in NAMES[1:]:
        long, short = (_ends(frame, NAMES[0], d) - _ends(frame, name, d) for d in DECAYS)
        found.append(Effect.of(f"AdamW − {name}", long))
        found.append(Effect.of(f"{name}: {SAME} − |gap after 200k − after 100k|", SAME - abs(long - short)))
    return found


CLAIMS = [
    Claim(
        name="longer-decay-helps",
        statement="A longer decay helps all optimizers.",
        statistic="validation loss at 1.1M steps: decay of 100k − decay of 200k",
        measure=_longer_helps,
        report=ranking("", [line.label for line in LINES]),
    ),
    Claim(
        name="gap-stays",
        statement="The gap to AdamW stays.",
        statistic="validation loss after the decay of 200k, AdamW − AdEMAMix; "
        f"and {SAME} nats minus how far that is from the same after 100k",
        measure=_gap_stays,
    ),
]
