"""What Figures 16 and 17 share: 17B tokens in fewer steps with larger batches (110M)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import final, run_of
from analysis.paired import Paired
from experiments import lines
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from analysis.results import Results

SIZE = "110M"
BATCHES = {256_000: 64, 128_000: 128, 64_000: 256, 32_000: 512}  # steps → sequences: 17B tokens each
ENDS = "c"  # the panel of final losses against steps
Ends = Mapping[int, Paired]  # steps of the paper → final validation loss by seed


def name_of(steps: int) -> str:
    return f"{steps // 1000}k steps, batch {BATCHES[steps]}"


def curves_of(panel: str, optimizer: str, **changes: float) -> list[Line]:
    """A run for each number of steps; AdEMAMix's α and β3 warm up over all of them."""
    assert optimizer in (ADAMW, ADEMAMIX)
    return [
        Line(
            panel,
            name_of(steps),
            run(SIZE, optimizer, steps, **changes).changed(batch=batch),
            steps,
            "headline",
        )
        for steps, batch in BATCHES.items()
    ]


def in_panel_of_ends(curves: Sequence[Line], optimizer: str) -> list[Line]:
    """The runs of one optimizer for the panel of final losses: it needs them too when asked for alone."""
    return [replace(line, panel=ENDS, label=end_name(optimizer, line.until)) for line in curves]


def end_name(optimizer: str, steps: int) -> str:
    """How an end is called in panel c."""
    return f"{optimizer}, {steps // 1000}k"


def needs(curves: Sequence[Line], optimizers: Mapping[str, Sequence[Line]], scale: Scale) -> list[Need]:
    """The curves, and the ends of each optimizer."""
    ends_of = [line for name, of in optimizers.items() for line in in_panel_of_ends(of, name)]
    return lines.needs([*curves, *ends_of], scale)


def table(curves: Sequence[Line], optimizers: Mapping[str, Sequence[Line]], results: "Results") -> Any:
    """The curves, and in panel c the ends of each optimizer's: x the paper's steps, y final loss."""
    import pandas as pd

    from analysis.tables import tabulate

    found = lines.table(curves, results)
    if not results.wants(ENDS):
        return found
    rows = []
    for name, of in optimizers.items():
        whole = lines.table(in_panel_of_ends(of, name), results)
        for line in of:
            for seed, value in final(whole, ENDS, end_name(name, line.until)).items():
                rows.append((ENDS, name, seed, line.until, value))
    return pd.concat([found, tabulate(rows)], ignore_index=True) if len(found) else tabulate(rows)


def ends(frame: "pd.DataFrame", optimizer: str) -> Ends:
    """The points of one optimizer in panel c."""
    rows = frame[(frame["panel"] == ENDS) & (frame["series"] == optimizer)]
    found = {int(n): rows[rows["x"] == n] for n in rows["x"].unique().tolist()}
    return {
        n: Paired(
            dict(zip(of["seed"].tolist(), of["y"].tolist(), strict=True)),
            {run_of(frame, ENDS, end_name(optimizer, n)): 1.0},
        )
        for n, of in found.items()
    }


def slope(of: Ends) -> Paired:
    """The least-squares slope of the final loss against log2 of the number of steps, by seed."""
    doublings = {n: math.log2(n) for n in of}
    middle = sum(doublings.values()) / len(of)
    total = sum((d - middle) ** 2 for d in doublings.values())
    (first, *others) = [((doublings[n] - middle) / total) * end for n, end in of.items()]
    return sum(others, start=first)


def draw_ends(axes: "Axes", frame: "pd.DataFrame", looks: Mapping[str, Mapping[str, Any]]) -> None:
    """Final loss against steps: the mean over seeds, and each seed as a dot. `looks`: by optimizer."""
    from statistics import mean

    from analysis.curves import legend_below

    for name, look in looks.items():
        found = ends(frame, name)
        axes.plot(list(found), [mean(by.values()) for by in found.values()], label=name, **look)
        for steps, by_seed in found.items():
            axes.plot([steps] * len(by_seed), list(by_seed.values()), ".", markersize=4, color=look["color"])
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(BATCHES), [f"{steps // 1000}k" for steps in BATCHES])
    axes.minorticks_off()
    axes.set_xlabel("the paper's steps")
    legend_below(axes, columns=1)


def draw(
    frame: "pd.DataFrame",
    curves: Sequence[Line],
    titles: Mapping[str, str],
    looks: Mapping[str, Mapping[str, Any]],
) -> Any:
    """Curves in panels a and b, ends in c."""
    from analysis import curves as drawing
    from analysis import style

    shown = drawing.panels(frame)
    figure, grid = drawing.grid(len(shown), below=0.7)
    ramp = style.ramp([name_of(steps) for steps in BATCHES])
    for axes, panel in zip(grid, shown, strict=True):
        if panel == ENDS:
            draw_ends(axes, frame, looks)
            axes.set_title(titles[panel])
            continue
        found = {line.label: {"color": ramp[line.label]} for line in curves if line.panel == panel}
        drawing.draw_panel(axes, frame[frame["panel"] == panel], found, titles[panel], tail=0.1)
        drawing.legend_below(axes, columns=1)
    curved = [axes for axes, panel in zip(grid, shown, strict=True) if panel != ENDS]
    limits = [axes.get_ylim() for axes in curved]
    for axes in curved:  # one scale, to compare them by eye
        axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    drawing.name_loss_axis(grid)
    return figure
