"""Figure 8: what 1.3B models know along their training, as accuracy on multiple-choice tasks."""

import math
from collections.abc import Mapping
from statistics import mean
from typing import TYPE_CHECKING

from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import Claim, Effect
from experiments.fig08_table7_evaluation.tasks import (
    LENGTH,
    LOCAL,
    OPTIMIZERS,
    PAPERS,
    Task,
    is_local,
    quantity,
    seeded,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 8
TITLE = "Accuracy on tasks along the training (1.3B)"

PANELS = "abcd"
LOOKS = 9  # evenly spaced, the last at the end: from 15B to 131B tokens
SHOWN = ("mmlu_continuation", "reward_bench", "arc_challenge", "arc_easy")
MEAN = ", mean"  # of a series that is no task's
FEW = 0.25  # of the points may lie the other way: "all but a few"


def panels(scale: Scale) -> Mapping[str, list[Task]]:
    """Panel → the tasks that it shows: at the paper's scale one each, elsewhere three and their mean."""
    if is_local(scale):
        return dict(zip(PANELS, [*([task] for task in LOCAL), LOCAL], strict=True))
    by_name = {task.name: task for task in PAPERS}
    return {panel: [by_name[name]] for panel, name in zip(PANELS, SHOWN, strict=True)}


def steps(scale: Scale) -> list[int]:
    return [scale.steps(LENGTH * i // LOOKS) for i in range(1, LOOKS + 1)]


def needs(scale: Scale) -> list[Need]:
    looks = frozenset(steps(scale))
    return [
        Need(
            run=scale.map(paper, seed),
            until=max(looks),
            observe={quantity(task, scale): looks for task in tasks},
            panel=panel,
            series=name,
            paper=paper,
        )
        for panel, tasks in panels(scale).items()
        for name, paper, seed in seeded(scale)
    ]


def table(results: "Results") -> "pd.DataFrame":
    """x: tokens trained on; y: the share of right answers, −infinity from where a run diverged on."""
    from analysis.tables import tabulate

    scale, rows = results.scale, []
    for panel, tasks in panels(scale).items():
        if not results.wants(panel):
            continue
        for name, paper, seed in seeded(scale):
            spec = scale.map(paper, seed)
            curves = [dict(results.curve(spec, quantity(task, scale), max(steps(scale)))) for task in tasks]
            for step in steps(scale):
                values = [curve.get(step, math.inf) for curve in curves]
                y = mean(values) if all(map(math.isfinite, values)) else -math.inf
                series = name if len(tasks) == 1 else name + MEAN
                rows.append((panel, series, seed, step * spec.units_per_step, y))
    return tabulate(rows)


def draw(frame: "pd.DataFrame") -> "Figure":
    from matplotlib.ticker import EngFormatter

    from analysis import curves, style

    scale = frame.attrs.get("scale")
    titles = {panel: tasks[0].title for panel, tasks in panels(scale).items()} if scale else {}
    shown = curves.panels(frame)
    figure, axes = curves.grid(len(shown))
    for one, panel in zip(axes, shown, strict=True):
        rows = frame[(frame["panel"] == panel) & (frame["y"] > -math.inf)]
        averaged = bool(frame[frame["panel"] == panel]["series"].str.endswith(MEAN).any())
        for name in OPTIMIZERS:
            series = rows[rows["series"] == name + MEAN * averaged]
            if not series.empty:
                curves.draw_series(one, series, color=style.colour(name), label=name, marker=".")
        title = "mean of the three" if averaged else titles.get(panel, "")
        one.set_title(f"({panel}) {title}", fontsize="small")
        one.xaxis.set_major_formatter(EngFormatter(sep=""))
        one.set_xlabel("tokens")
    axes[0].set_ylabel("accuracy")
    axes[0].legend()
    return figure


def points(frame: "pd.DataFrame") -> "dict[int, pd.DataFrame]":
    """Seed → a point for each task and step: accuracies by optimizer. The mean of others is no point."""
    rows = frame[frame["series"].isin(list(OPTIMIZERS))]
    wide = rows.pivot_table(index=["seed", "panel", "x"], columns="series", values="y", aggfunc="first")
    return {int(str(seed)): part for seed, part in wide.groupby(level="seed")}


def _above(frame: "pd.DataFrame") -> list[Effect]:
    shares = [float((part["AdEMAMix"] > part["AdamW"]).mean()) for part in points(frame).values()]
    return [Effect(f"share of points − {1 - FEW:g}", tuple(share - (1 - FEW) for share in shares))]


def _report(frame: "pd.DataFrame") -> dict[str, str]:
    gaps = [part["AdEMAMix"] - part["AdamW"] for part in points(frame).values()]
    count = sum(map(len, gaps))
    above = sum(int((gap > 0).sum()) for gap in gaps)
    finite = [float(x) for gap in gaps for x in gap if math.isfinite(x)]
    average = f"{mean(finite):+.4f}" if finite else "none"
    return {"points above": f"{above} of {count}, all seeds", "mean difference": average}


CLAIMS = [
    Claim(
        name="above-but-for-a-few-points",
        statement="AdEMAMix is above AdamW along the training, but for a few points.",
        statistic=f"share of the points (tasks × {LOOKS} checkpoints) at which AdEMAMix's accuracy is "
        f"higher, minus {1 - FEW:g}",
        measure=_above,
        report=_report,
    ),
]
