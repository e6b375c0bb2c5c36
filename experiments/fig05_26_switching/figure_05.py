"""Figure 5, b and c: switching from AdamW to AdEMAMix in the middle of a training."""

from statistics import mean
from typing import TYPE_CHECKING

from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import Claim, Effect, beats, final, lower, rankings
from analysis.curves import thousands
from experiments import line_drawing, lines
from experiments.fig05_26_switching.runs import LENGTH, SIZE, switched
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 5
TITLE = "Switching from AdamW to AdEMAMix (110M and 1.3B)"

PANELS = "bc"
SIZES = {"b": SIZE, "c": "1.3B"}
LENGTHS = {"b": LENGTH, "c": 770_000}
SWITCHES = {"b": (300_000, 330_000, 360_000, 390_000), "c": (500_000, 600_000)}
ALPHAS = {"b": 2, "c": 1}  # after a switch; not the 8 and 5 of the runs from scratch
FROM_SCRATCH = "AdEMAMix from 0"  # Figure 1's: with schedules, and its own α
# The level of a longer AdamW run, in panel c.
LONGER = Line("c", "AdamW 1M, its end", run("1.3B", ADAMW, 1_000_000), 1_000_000)


def name_of(step: int) -> str:
    return f"AdEMAMix from {thousands(step)}"


def _switched(panel: str, step: int) -> Line:
    paper = switched(run(SIZES[panel], ADAMW, LENGTHS[panel]), step, ALPHAS[panel])
    swept = {"switched at": thousands(step)}
    return Line(panel, name_of(step), paper, LENGTHS[panel], "headline", swept=swept)


def _lines(panel: str) -> list[Line]:
    size, length, steps = SIZES[panel], LENGTHS[panel], SWITCHES[panel]
    return [
        Line(panel, "AdamW", run(size, ADAMW, length), length, "headline", beside=steps),
        Line(panel, FROM_SCRATCH, run(size, ADEMAMIX, length), length, "headline"),
        *(_switched(panel, step) for step in steps),
    ]


LINES = [line for panel in PANELS for line in _lines(panel)]
TITLES = {panel: f"({panel}) {SIZES[panel]}, α = {ALPHAS[panel]} after a switch" for panel in PANELS}


def needs(scale: Scale) -> list[Need]:
    return lines.needs([*LINES, LONGER], scale)


def table(results: "Results") -> "pd.DataFrame":
    return lines.table([*LINES, LONGER], results)


def draw(frame: "pd.DataFrame") -> "Figure":
    from analysis import curves, style

    curved = frame[frame["series"] != LONGER.label]
    looks = {FROM_SCRATCH: {"color": style.colour("AdEMAMix"), "linewidth": 1.1}}
    figure = line_drawing.draw(curved, LINES, TITLES, looks, columns=2, tail=0.5, zoomed=True)
    for axes, panel in zip(figure.axes, curves.panels(frame), strict=False):  # the curves' come first
        if panel == LONGER.panel:
            level = mean(final(frame, panel, LONGER.label).values())
            axes.axhline(level, color=style.colour("AdamW"), linewidth=0.9, dashes=(6, 2, 1, 2))
            axes.set_ylim(bottom=min(axes.get_ylim()[0], level - 0.01))
            axes.annotate(LONGER.label, (0.02, level), xycoords=("axes fraction", "data"), fontsize=6.5,
                          xytext=(0, 2), textcoords="offset points")  # fmt: skip
    return figure


def _below(frame: "pd.DataFrame") -> list[Effect]:
    return [
        effect
        for panel in PANELS
        for effect in beats(panel, "AdamW", list(map(name_of, SWITCHES[panel])))(frame)
    ]


def _earlier(frame: "pd.DataFrame") -> list[Effect]:
    """The latest switch against the earliest, and the earliest against AdEMAMix from the start."""
    found: list[Effect] = []
    for panel, steps in SWITCHES.items():
        first, last = name_of(steps[0]), name_of(steps[-1])
        found += lower(panel, first, last)(frame)
        found += lower(panel, FROM_SCRATCH, first)(frame)
    return found


def _rise(frame: "pd.DataFrame") -> list[Effect]:
    found = []
    for panel, steps in SWITCHES.items():
        for t in steps:
            above = lines.beside_trunk(frame, panel, name_of(t), "AdamW")
            rises = [max(of[: lines.CLOSE_LOOKS + 1]) for of in above]
            found.append(Effect(f"{SIZES[panel]}, {thousands(t)}", tuple(rises)))
    return found


def _below_longer(frame: "pd.DataFrame") -> list[Effect]:
    """AdEMAMix from the start against the longer AdamW run."""
    ends = {name: final(frame, LONGER.panel, name) for name in (LONGER.label, FROM_SCRATCH)}
    return [Effect.of("1.3B: AdamW 1M − AdEMAMix 770k", ends[LONGER.label] - ends[FROM_SCRATCH])]


CLAIMS = [
    Claim(
        name="rises-first",
        statement="Just after the switch the loss rises a little.",
        statistic="largest validation loss above that of the AdamW run at the same step, in the first "
        "interval between observations (nats, same data)",
        measure=_rise,
        threshold=0.005,
    ),
    Claim(
        name="then-below-adamw",
        statement="Then it falls below AdamW's.",
        statistic="final validation loss, AdamW − switched",
        measure=_below,
        report=rankings({panel: [line.label for line in LINES if line.panel == panel] for panel in PANELS}),
    ),
    Claim(
        name="below-longer-adamw",
        statement="1.3B: AdEMAMix from the start ends after 770k steps below AdamW after 1M.",
        statistic="final validation loss, AdamW 1M − AdEMAMix 770k",
        measure=_below_longer,
    ),
    Claim(
        name="earlier-is-better",
        statement="The earlier the switch, the lower the end.",
        statistic="final validation loss: latest switch − earliest, and earliest − AdEMAMix from the start",
        measure=_earlier,
    ),
]
