"""Figure 3b: AdEMAMix at a constant learning rate, and after linear decays (1.3B)."""

import math
from typing import TYPE_CHECKING

from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import SAME, Claim, Effect, final, ranking, run_of
from analysis.paired import Paired
from experiments import lines
from experiments.fig03_28_old_gradients.drawing import draw_decays
from experiments.fig03_28_old_gradients.runs import NAMES, TRUNKS, decay_lines, decay_name
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 3
TITLE = "A constant learning rate, and linear decays from it (1.3B)"

PANELS = "b"
LENGTH = 1_300_000
STARTS = (1_000_000, 1_300_000)  # where the decays begin; the paper's text could mean their ends
DECAY = 100_000

LINES = [
    *(Line("b", name, trunk, LENGTH, "few", beside=STARTS) for name, trunk in TRUNKS.items()),
    *(line for start in STARTS for line in decay_lines("b", start, DECAY)),
]


def needs(scale: Scale) -> list[Need]:
    return lines.needs(LINES, scale)


def table(results: "Results") -> "pd.DataFrame":
    return lines.table(LINES, results)


def draw(frame: "pd.DataFrame") -> "Figure":
    return draw_decays(frame, "(b) constant rate, decays of 100k")


def at(frame: "pd.DataFrame", name: str, share: float) -> Paired:
    """Seed → the loss of a constant run after that share of its length, mean over a twentieth around it."""
    end = frame[frame["series"].isin(NAMES)]["x"].max()
    rows = frame[frame["series"] == name]
    near = rows[(rows["x"] - share * end).abs() <= 0.025 * end]
    means = near.groupby("seed")["y"].mean().reindex(rows["seed"].unique(), fill_value=math.inf)
    values = dict(zip(means.index.tolist(), means.tolist(), strict=True))
    return Paired(values, {run_of(frame, "b", name, share): 1.0})


def gap(frame: "pd.DataFrame", name: str, share: float) -> Paired:
    adamw, mine = at(frame, NAMES[0], share), at(frame, name, share)
    return adamw - mine


def _grows(frame: "pd.DataFrame") -> list[Effect]:
    late, early = ({name: gap(frame, name, share) for name in NAMES[1:]} for share in (1 / 1.3, 0.1 / 1.3))
    return [Effect.of(f"{name}: gap at 1M − at 100k", late[name] - early[name]) for name in NAMES[1:]]


def _stays(frame: "pd.DataFrame") -> list[Effect]:
    found = []
    for name in NAMES[1:]:
        change = gap(frame, name, 0.975) - gap(frame, name, 1 / 1.3)
        found.append(Effect.of(f"{name}: {SAME} − |gap at 1.3M − at 1M|", SAME - abs(change)))
    return found


def _survives(frame: "pd.DataFrame") -> list[Effect]:
    found = []
    for start in STARTS:
        adamw = final(frame, "b", decay_name(NAMES[0], start, DECAY))
        for name in NAMES[1:]:
            mine = final(frame, "b", decay_name(name, start, DECAY))
            found.append(Effect.of(f"decay from {start // 1000:,}k: AdamW − {name}", adamw - mine))
    return found


CLAIMS = [
    Claim(
        name="gap-grows",
        statement="At a constant rate, the gap between AdamW and AdEMAMix grows at first,",
        statistic="AdamW − AdEMAMix, validation loss around 1M steps minus the same around 100k",
        measure=_grows,
    ),
    Claim(
        name="then-stays",
        statement="then stays about constant.",
        statistic=f"{SAME} nats minus the change of the gap between 1M and 1.3M steps",
        measure=_stays,
    ),
    Claim(
        name="survives-the-decay",
        statement="The gap survives the decay of the learning rate.",
        statistic="validation loss at the end of the decay, AdamW − AdEMAMix",
        measure=_survives,
        report=ranking("b", [line.label for line in LINES]),
    ),
]
