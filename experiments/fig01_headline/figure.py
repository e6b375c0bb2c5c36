"""Figure 1: AdamW and AdEMAMix at three sizes and every length of training."""

from collections.abc import Callable
from statistics import mean
from typing import TYPE_CHECKING

from ademamix.optimizers import OptimizerConfig
from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import Claim, Effect, final
from analysis.paired import Paired
from analysis.stats import steps_to_reach
from experiments import lines
from experiments.lines import Line, SeedsOf

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 1
TITLE = "AdEMAMix against AdamW at 110M, 330M and 1.3B parameters"

PANELS = "abc"
SIZES = {"a": "110M", "b": "330M", "c": "1.3B"}
HORIZONS = {
    "a": (256_000, 400_000, 500_000),
    "b": (256_000, 400_000, 500_000),
    "c": (256_000, 770_000, 1_000_000),
}
STROKES = {"256k": ":", "400k": "--", "500k": "-", "770k": "--", "1M": "-"}
LONGEST_ADAMW = 1_500_000  # 1.3B only, drawn as a horizontal line


def label(optimizer: str, horizon: int) -> str:
    """'AdamW 256k', the paper's steps: how a line is called at every scale."""
    name = OptimizerConfig.member(optimizer).TITLE
    return f"{name} {horizon // 1000}k" if horizon % 1_000_000 else f"{name} {horizon // 1_000_000}M"


def _line(panel: str, optimizer: str, horizon: int) -> Line:
    # The smallest size is the headline comparison and gets all seeds; so does the shortest training of
    # the others, since the spread over seeds differs between sizes and claims rest on it.
    paper = run(SIZES[panel], optimizer, horizon)
    seeds: SeedsOf = "headline" if panel == "a" or horizon == HORIZONS[panel][0] else "sweep"
    return Line(panel, label(optimizer, horizon), paper, horizon, seeds)


LINES = [
    _line(panel, optimizer, horizon)
    for panel, horizons in HORIZONS.items()
    for optimizer in (ADAMW, ADEMAMIX)
    for horizon in horizons
]
LONGEST = Line("c", "AdamW 1500k", run("1.3B", ADAMW, LONGEST_ADAMW), LONGEST_ADAMW)


def needs(scale: Scale) -> list[Need]:
    return lines.needs([*LINES, LONGEST], scale)


def table(results: "Results") -> "pd.DataFrame":
    return lines.table([*LINES, LONGEST], results)


def draw(frame: "pd.DataFrame") -> "Figure":
    from analysis import curves, style

    shown = curves.panels(frame)
    figure, axes = curves.grid(len(shown), below=0.55)
    for one, panel in zip(axes, shown, strict=True):
        names = [line.label for line in LINES if line.panel == panel]
        looks = {name: {"color": style.colour(name), "linestyle": STROKES[name.split()[1]]} for name in names}
        rows = frame[(frame["panel"] == panel) & (frame["series"] != LONGEST.label)]
        longest = final(frame, panel, LONGEST.label) if panel == LONGEST.panel else {}
        curves.draw_panel(one, rows, looks, f"({panel}) {SIZES[panel]}", include=list(longest.values()))
        if longest:
            level = one.axhline(mean(longest.values()), label="AdamW 1.5M, end")
            level.set(color=style.colour(LONGEST.label), linewidth=0.9, dashes=(6, 2, 1, 2))
        curves.legend_below(one)
    curves.name_loss_axis(axes)
    return figure


def gap(frame: "pd.DataFrame", panel: str, horizon: int) -> Paired:
    """How much lower AdEMAMix ends than AdamW, by seed."""
    return final(frame, panel, label(ADAMW, horizon)) - final(frame, panel, label(ADEMAMIX, horizon))


def gaps(frame: "pd.DataFrame", panels: str = PANELS) -> list[Effect]:
    """AdamW − AdEMAMix at every length of the sizes in `panels`."""
    return [
        Effect.of(f"{SIZES[panel]}, {horizon // 1000}k: AdamW − AdEMAMix", gap(frame, panel, horizon))
        for panel in panels
        for horizon in HORIZONS[panel]
    ]


def doubling(panel: str, short: int, long: str) -> "Callable[[pd.DataFrame], list[Effect]]":
    """AdEMAMix's gain at `short`, minus nine tenths of what AdamW gains by training until `long`."""

    def measure(frame: "pd.DataFrame") -> list[Effect]:
        start = final(frame, panel, label(ADAMW, short))
        end = final(frame, panel, long)
        mine = final(frame, panel, label(ADEMAMIX, short))
        what = f"{SIZES[panel]}: gain at {short // 1000}k − 0.9 × AdamW's gain by {long}"
        return [Effect.of(what, (start - mine) - 0.9 * (start - end))]

    return measure


def equivalent_length(panel: str, short: int) -> "Callable[[pd.DataFrame], str]":
    """How much longer AdamW must train to end where AdEMAMix ends after `short` (the paper's +95%)."""

    def find(frame: "pd.DataFrame") -> str:
        lengths = [*HORIZONS[panel], *([LONGEST_ADAMW] if panel == LONGEST.panel else [])]
        names = [LONGEST.label if n == LONGEST_ADAMW else label(ADAMW, n) for n in lengths]
        ends = [mean(final(frame, panel, name).values()) for name in names]
        target = mean(final(frame, panel, label(ADEMAMIX, short)).values())
        steps, bound = steps_to_reach(target, lengths, ends)
        return f"{bound}{steps / short - 1:+.0%}"

    return find


def _longer(panel: str, short: int) -> "Callable[[pd.DataFrame], dict[str, str]]":
    what = f"AdamW steps for AdEMAMix's loss at {short // 1000}k"
    return lambda frame: {what: equivalent_length(panel, short)(frame)}


def _growth(frame: "pd.DataFrame") -> list[Effect]:
    """The gap at the longest training minus the gap at the shortest, for each size."""
    return [
        Effect.of(
            f"{SIZES[panel]}: gap at {horizons[-1] // 1000}k − gap at {horizons[0] // 1000}k",
            gap(frame, panel, horizons[-1]) - gap(frame, panel, horizons[0]),
        )
        for panel, horizons in HORIZONS.items()
    ]


CLAIMS = [
    Claim(
        name="lower-everywhere",
        statement="AdEMAMix ends lower than AdamW at every size and every length of training.",
        statistic="final validation loss, AdamW − AdEMAMix",
        measure=gaps,
    ),
    Claim(
        name="110M-halves-the-steps",
        statement="110M: AdEMAMix after 256k steps is about as good as AdamW after 500k.",
        statistic="AdEMAMix's gain over AdamW at 256k, minus 0.9 of AdamW's own gain from 256k to 500k",
        measure=doubling("a", 256_000, label(ADAMW, 500_000)),
        report=_longer("a", 256_000),
        number=("+95%", equivalent_length("a", 256_000)),
    ),
    Claim(
        name="1.3B-halves-the-tokens",
        statement="1.3B: AdEMAMix after 770k steps (101B tokens) is about as good as AdamW after "
        "1.5M (197B), that is with 95% more.",
        statistic="AdEMAMix's gain over AdamW at 770k, minus 0.9 of AdamW's own gain from 770k to 1.5M",
        measure=doubling("c", 770_000, LONGEST.label),
        report=_longer("c", 770_000),
        number=("+95%", equivalent_length("c", 770_000)),
    ),
    Claim(
        name="gap-grows",
        statement="The gap between AdamW and AdEMAMix grows with the length of training.",
        statistic="(AdamW − AdEMAMix) at the longest training minus the same at the shortest",
        measure=_growth,
    ),
]
