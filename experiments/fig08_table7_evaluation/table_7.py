"""Table 7: accuracy on tasks after 131B tokens (1.3B)."""

import math
from collections.abc import Sequence
from statistics import NormalDist, mean
from typing import TYPE_CHECKING

from ademamix.evaluation.choices import Evaluation, accuracy, paired_difference, standard_error
from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import Claim, Effect
from analysis.typeset import Cell, PaperTable, Value
from experiments.fig08_table7_evaluation.tasks import (
    LENGTH,
    LOCAL,
    OPTIMIZERS,
    PAPERS,
    Task,
    asked,
    quantity,
    seeded,
)

if TYPE_CHECKING:
    import pandas as pd

    from analysis.results import Results

NUMBER = 7
TITLE = "Accuracy on tasks after 131B tokens (1.3B)."

ERROR, GAP = "standard error", "AdEMAMix − AdamW"


def needs(scale: Scale) -> list[Need]:
    """The last checkpoint stays where there is one: further tasks can be asked of it (`ademamix eval`)."""
    end = scale.steps(LENGTH)
    observe = {quantity(task, scale): frozenset({end}) for task in asked(scale)}
    return [
        Need(
            run=scale.map(paper, seed),
            until=end,
            spare=frozenset({end}),
            observe=observe,
            series=name,
            paper=paper,
        )
        for name, paper, seed in seeded(scale)
    ]


def values(results: "Results") -> "pd.DataFrame":
    """panel: the task; x: the last step; y: accuracies, their standard errors, and differences of models.

    A difference and its standard error are paired by question. A run that diverged has −infinity alone.
    """
    from analysis.tables import tabulate

    scale = results.scale
    end, rows = scale.steps(LENGTH), []
    for task in asked(scale):
        found: dict[tuple[str, int], Evaluation] = {}
        for name, paper, seed in seeded(scale):
            evidence = results.evidence(scale.map(paper, seed), quantity(task, scale), end)
            if evidence is None:
                rows.append((task.name, name, seed, end, -math.inf))
                continue
            one = found[name, seed] = Evaluation.from_json(evidence)
            for metric, right in ((name, one.right), (f"{name}, acc_norm", one.right_norm)):
                if right:
                    rows.append((task.name, metric, seed, end, accuracy(right)))
                    rows.append((task.name, f"{metric}, {ERROR}", seed, end, standard_error(right)))
        for seed in scale.seeds.few:
            pair = [found.get((name, seed)) for name in OPTIMIZERS]
            if pair[0] and pair[1]:
                gap, error = paired_difference(pair[0], pair[1])
                rows += [(task.name, GAP, seed, end, gap), (task.name, f"{GAP}, {ERROR}", seed, end, error)]
    return tabulate(rows)


def table(scale: Scale | None, frame: "pd.DataFrame | None") -> PaperTable:
    ours = [task for task in LOCAL if frame is not None and task.name in set(frame["panel"])]
    columns = list(OPTIMIZERS)
    if scale:
        columns += [*(f"{name}, {scale.name}" for name in OPTIMIZERS), f"{GAP}, {scale.name}"]
    rows = {
        task.title: [*_papers(task), *(_own(frame, task) if frame is not None else [])]
        for task in [*PAPERS, *ours]
    }
    note = "Bold: better."
    if scale:
        note += " Ours: acc, mean over seeds ± its standard error over questions; the difference is paired by"
        note += " question."
        note += " The last three tasks are made from the held-out part of pysource; chance is 0.25." * bool(
            ours
        )
    return PaperTable(NUMBER, TITLE, columns, rows, note)


def _papers(task: Task) -> list[Cell]:
    if task.paper is None:
        return [(), ()]
    return [[Value(f"{x:.3f}", best=x == max(task.paper) > min(task.paper))] for x in task.paper]


def _own(frame: "pd.DataFrame", task: Task) -> list[Cell]:
    """Accuracies with standard errors, and the paired difference with its own."""
    means = [_mean(frame, task.name, name) for name in OPTIMIZERS]
    if None in means:
        return [(), (), ()]
    cells: list[Cell] = []
    for name, middle in zip(OPTIMIZERS, means, strict=True):
        error = _mean(frame, task.name, f"{name}, {ERROR}")
        best = middle == max(m for m in means if m is not None) and means[0] != means[1]
        text = "diverged" if error is None else f"{middle:.3f} ± {error:.3f}"
        cells.append([Value(text, best)])
    gap, error = _mean(frame, task.name, GAP), _mean(frame, task.name, f"{GAP}, {ERROR}")
    return [*cells, () if gap is None else [Value(f"{gap:+.3f} ± {error:.3f}".replace("-", "−"))]]


def _mean(frame: "pd.DataFrame", task: str, series: str) -> float | None:
    rows = frame[(frame["panel"] == task) & (frame["series"] == series)]["y"]
    return None if rows.empty else float(rows.mean())


def gaps(frame: "pd.DataFrame") -> dict[int, list[tuple[float, float]]]:
    """Seed → (AdEMAMix − AdamW, its standard error) of every task; infinite where one of them diverged."""
    found: dict[int, list[tuple[float, float]]] = {}
    for _, rows in frame.groupby(["panel", "seed"], sort=False):
        y, seed = dict(zip(rows["series"], rows["y"], strict=True)), int(rows["seed"].iloc[0])
        gap = y.get(GAP, math.inf if y["AdamW"] < y["AdEMAMix"] else -math.inf)
        found.setdefault(seed, []).append((gap, y.get(f"{GAP}, {ERROR}", 0.0)))
    return found


def _most(frame: "pd.DataFrame") -> list[Effect]:
    by_seed = list(gaps(frame).values())
    shares = tuple(mean(gap > 0 for gap, _ in tasks) - 0.5 for tasks in by_seed)
    return [Effect("share of tasks − 0.5", shares, errors=tuple(map(_error_of_share, by_seed)))]


def _error_of_share(tasks: Sequence[tuple[float, float]]) -> float:
    """How much a share of tasks would vary with other questions."""
    odds = [NormalDist().cdf(gap / error) if error else float(gap > 0) for gap, error in tasks]
    return math.sqrt(sum(p * (1 - p) for p in odds)) / len(odds)


def _average(frame: "pd.DataFrame") -> list[Effect]:
    by_seed = list(gaps(frame).values())
    errors = tuple(math.sqrt(sum(error**2 for _, error in tasks)) / len(tasks) for tasks in by_seed)
    means = tuple(sum(gap for gap, _ in tasks) / len(tasks) for tasks in by_seed)
    return [Effect(f"{GAP}, mean over tasks", means, errors=errors)]


CLAIMS = [
    Claim(
        name="better-on-most-tasks",
        statement="AdEMAMix is better on most tasks.",
        statistic="share of the tasks on which AdEMAMix's accuracy is higher, minus a half",
        measure=_most,
    ),
    Claim(
        name="better-on-average",
        statement="AdEMAMix is better on average.",
        statistic="accuracy, AdEMAMix − AdamW, mean over tasks",
        measure=_average,
    ),
]
