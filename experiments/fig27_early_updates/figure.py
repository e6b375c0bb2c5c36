"""Figure 27: early updates without warm-ups of α and β3."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from ademamix.quantities import Displacement, Quantity
from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import Claim, Effect, lower, ranking
from analysis.tables import tabulate
from experiments import lines
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 27
TITLE = "Early updates without warm-ups (110M, batch 32, no weight decay)"

PANELS = "ab"
SIZE = "110M"
HORIZON = 256_000
BATCH = 32
ALPHAS = (0.1, 0.3, 0.6, 0.9)
LAG = 1_000  # steps of the paper, over which panel a measures how far the weights move


def name_of(alpha: float) -> str:
    return f"α = {alpha}"


def _line(label: str, optimizer: str, **changes: float | None) -> Line:
    paper = run(SIZE, optimizer, HORIZON, weight_decay=0.0, **changes).changed(batch=BATCH)
    return Line("b", label, paper.at_shared_rate(), HORIZON, "headline")


LINES = [
    _line("AdamW", ADAMW),
    *(_line(name_of(alpha), ADEMAMIX, alpha=alpha, alpha_warmup=None, beta3_warmup=None) for alpha in ALPHAS),
]
TITLES = {"a": "(a) how far the weights move", "b": "(b) loss"}


def displacement(scale: Scale) -> tuple[Quantity, frozenset[int]]:
    """The quantity of panel a, and its steps: as often as the validation loss, after one lag at least."""
    lag, until = scale.steps(LAG), scale.steps(HORIZON)
    first = frozenset(range(lag, 4 * lag + 1, lag))  # closely at the start, where the updates explode
    return Displacement(lag=lag), first | {t for t in scale.validation_steps(until) if t >= lag}


def needs(scale: Scale) -> list[Need]:
    quantity, steps = displacement(scale)
    loss = lines.needs(LINES, scale)
    return [*loss, *(replace(need, panel="a", observe={quantity: steps}) for need in loss)]


def table(results: "Results") -> "pd.DataFrame":
    """Panel a: x the step at which the displacement begins, y its norm. Panel b: validation loss."""
    import pandas as pd

    scale = results.scale
    quantity, _ = displacement(scale)
    rows = [
        ("a", line.label, seed, step - scale.steps(LAG), value)
        for line, seed, need in lines.cases(LINES, scale)
        if results.wants("a")
        for step, value in results.curve(need.run, quantity, need.until)
    ]
    return pd.concat([tabulate(rows), lines.table(LINES, results)], ignore_index=True)


def draw(frame: "pd.DataFrame") -> "Figure":
    from analysis import curves, style

    shown = curves.panels(frame)
    figure, axes = curves.grid(len(shown))
    ramp = style.ramp(ALPHAS)
    looks: dict[str, dict[str, object]] = {"AdamW": {"color": style.colour("AdamW"), "linestyle": "--"}}
    looks |= {name_of(alpha): {"color": ramp[alpha], "linewidth": 1.1} for alpha in ALPHAS}
    for one, panel in zip(axes, shown, strict=True):
        rows = frame[frame["panel"] == panel]
        if panel == "b":
            curves.draw_panel(one, rows, looks, TITLES[panel], tail=0.1)
            one.set_ylabel(curves.LOSS)
        else:
            for name, look in looks.items():
                curves.draw_series(one, rows[rows["series"] == name], label=name, **look)
            one.set(title=TITLES[panel], yscale="log")
            curves.name_steps(one, rows)
            one.set_ylabel("‖θ(t + 1000) − θ(t)‖ (paper's steps)")
        one.legend(loc="upper right" if panel == "b" else "lower left")
    return figure


def _explode(frame: "pd.DataFrame") -> list[Effect]:
    """The largest displacement of each α divided by AdamW's largest, by seed; infinite if none is finite."""
    import numpy as np

    rows = frame[(frame["panel"] == "a") & (frame["y"] < float("inf"))]
    top = rows.groupby(["series", "seed"])["y"].max().unstack()
    adamw, *others = top.reindex(["AdamW", *map(name_of, ALPHAS)]).to_numpy()
    ratios = [np.nan_to_num(of, nan=math.inf) / adamw for of in others]
    return [Effect(f"{name_of(a)} / AdamW", tuple(of)) for a, of in zip(ALPHAS, ratios, strict=True)]


CLAIMS = [
    Claim(
        name="early-updates-explode",
        statement="Without schedules, the early updates of AdEMAMix explode.",
        statistic="largest displacement over 1,000 of the paper's steps, relative to AdamW's",
        measure=_explode,
        threshold=2.0,
    ),
    Claim(
        name="never-recovers",
        statement="The runs diverge or never recover: they end higher than AdamW.",
        statistic="final validation loss, AdEMAMix − AdamW; infinite where it diverges",
        measure=lower("b", "AdamW", list(map(name_of, ALPHAS))),
        report=ranking("b", ["AdamW", *map(name_of, ALPHAS)]),
    ),
]
