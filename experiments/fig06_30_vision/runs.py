"""What Figures 6 and 30 share: every AdamW and AdEMAMix run of the three settings of ViTs, and their losses.

All trials have the scale's tuning seed. AdamW's best and one AdEMAMix have the reported seeds, too.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from statistics import stdev
from typing import TYPE_CHECKING, NamedTuple

from ademamix.paper.runs import ADAMW, ADEMAMIX, PaperRun, run
from ademamix.paper.vision import VisionSetup, vision, vision_setups
from ademamix.quantities import Quantity
from ademamix.scale import Scale, refuse_collisions
from ademamix.spec import Need
from ademamix.tasks.vision import CleanTrainingLoss, TestLoss, Top1, Top5
from analysis.stats import pooled_spread
from experiments.dials import dial, thinned

if TYPE_CHECKING:
    import pandas as pd

    from analysis.results import Results

IMAGES = dial(__file__, "images", default=50_000)
GRID_POINTS = dial(__file__, "grid_points", default=None)
SEARCH = dial(__file__, "search", default="coordinates")
BEST = dial(__file__, "best", default={})
SETTINGS: dict[str, VisionSetup] = dict(zip("abc", vision_setups(), strict=True))
TITLES = {panel: f"({panel}) {setup.setting.title}" for panel, setup in SETTINGS.items()}
LITTLE_DATA = "c"  # where the best model is taken, at the minimum of the test loss
MIDDLE = {"alpha": 10.0, "beta3": 0.9999}  # of AdEMAMix's grid
OFTEN = 2  # times the usual number of observations, to find that minimum


@dataclass(frozen=True)
class Trial:
    """A run of a panel; `best`: it has the reported seeds, too."""

    panel: str
    label: str
    run: PaperRun
    best: bool

    def seeds(self, scale: Scale) -> list[int]:
        """The tuning seed first."""
        more = scale.seeds.few if self.best else ()
        return list(dict.fromkeys((*scale.seeds.tuning, *more)))


def adamw_label(values: dict[str, float]) -> str:
    return "AdamW, lr {lr:g}, λ {weight_decay:g}, β1 {beta1:g}".format(**values)


def ademamix_label(alpha: float, beta3: float) -> str:
    return f"AdEMAMix, β3 = {beta3:g}, α = {alpha:g}"


def papers_best(panel: str) -> dict[str, float]:
    """AdamW's best setting in Table 6."""
    of = SETTINGS[panel].setting
    return {"lr": of.lr.best, "weight_decay": of.weight_decay.best, "beta1": 0.9}


def adamw_best(panel: str, scale: Scale) -> dict[str, float]:
    """AdamW's setting that is reported, and that AdEMAMix keeps: the paper's best, or the scale's own."""
    return {**papers_best(panel), **BEST(scale).get(panel, {}).get(ADAMW, {})}


def adamw_trials(panel: str, scale: Scale) -> list[dict[str, float]]:
    """What the paper tried (Table 6): all combinations, or one coordinate at a time from its best."""
    of, most, centre = SETTINGS[panel].setting, GRID_POINTS(scale), papers_best(panel)
    axes = {"lr": of.lr.tried, "weight_decay": of.weight_decay.tried, "beta1": vision().tried.beta1}
    axes = {name: thinned(values, most) for name, values in axes.items()}
    if SEARCH(scale) == "grid":
        found = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    else:
        others = [{**centre, name: v} for name, values in axes.items() for v in values if v != centre[name]]
        found = [centre, *others]
    reported = adamw_best(panel, scale)
    return found if reported in found else [reported, *found]


def trials(scale: Scale) -> Iterator[Trial]:
    """Every run of all three settings."""
    for panel, setup in SETTINGS.items():
        best = adamw_best(panel, scale)
        for values in adamw_trials(panel, scale):
            paper = run(setup.name, ADAMW, vision().steps, **values)
            yield Trial(panel, adamw_label(values), paper, values == best)
        chosen = {**MIDDLE, **BEST(scale).get(panel, {}).get(ADEMAMIX, {})}
        tried, most = vision().tried, GRID_POINTS(scale)
        grid = {(chosen["alpha"], chosen["beta3"])} | set(product(thinned(tried.alpha, most), tried.beta3))
        for alpha, beta3 in sorted(grid, key=lambda at: (at[1], at[0])):
            paper = run(setup.name, ADEMAMIX, vision().steps, **best, alpha=alpha, beta3=beta3)
            at_best = (alpha, beta3) == (chosen["alpha"], chosen["beta3"])
            yield Trial(panel, ademamix_label(alpha, beta3), paper, at_best)


class Measures(NamedTuple):
    """What is observed of every run."""

    train: Quantity
    test: Quantity
    top1: Quantity
    top5: Quantity


def measures(scale: Scale) -> Measures:
    n = IMAGES(scale)
    return Measures(CleanTrainingLoss(images=n), TestLoss(images=n), Top1(images=n), Top5(images=n))


def own_panel(trial: Trial) -> list[str]:
    return [trial.panel]


Panels = Callable[[Trial], list[str]]


def needs(scale: Scale, panels_of: Panels = own_panel, best_only: bool = False) -> list[Need]:
    """Every trial with its seeds, in each of the panels of a figure that show it (`panels_of`)."""
    until = scale.steps(vision().steps)
    steps = scale.validation_steps(until, OFTEN)
    found = list(shown(scale, best_only))
    refuse_collisions(scale, {vision().steps}.union(*(trial.run.steps_named() for trial in found)))
    return [
        Need(
            run=scale.map(trial.run, seed),
            until=until,
            observe=dict.fromkeys(measures(scale), steps),
            panel=panel,
            series=trial.label,
            paper=trial.run,
        )
        for trial in found
        for panel in panels_of(trial)
        for seed in trial.seeds(scale)
    ]


def shown(scale: Scale, best_only: bool) -> Iterator[Trial]:
    """All trials, or of AdamW's the best alone."""
    for trial in trials(scale):
        if trial.best or not best_only or trial.run.spec.optimizer.kind != ADAMW:
            yield trial


Curve = list[tuple[int, float]]


def curves(results: "Results", trial: Trial, seed: int) -> dict[Quantity, Curve]:
    """What was observed of a run, by quantity."""
    scale = results.scale
    until = scale.steps(vision().steps)
    spec = scale.map(trial.run, seed)
    return {quantity: results.curve(spec, quantity, until) for quantity in measures(scale)}


def end(of: dict[Quantity, Curve], panel: str, at: Measures) -> tuple[float, float]:
    """(training loss, test loss) of a run's last model; with little data, of that with the lowest test loss.

    Infinite where the run diverged.
    """
    train, test = dict(of[at.train]), dict(of[at.test])
    last = max(test)
    if panel == LITTLE_DATA and test[last] < math.inf:
        last = min(test, key=test.__getitem__)
    return train[last], test[last]


def of_the_search(frame: "pd.DataFrame", panel: str, optimizer: str) -> "pd.DataFrame":
    """The trials of an optimizer in a panel, with the seed that all trials have."""
    rows = frame[(frame["panel"] == panel) & frame["series"].str.startswith(f"{optimizer},")]
    return rows[rows["seed"] == search_seed(frame, panel)]


def search_seed(frame: "pd.DataFrame", panel: str) -> int:
    rows = frame[frame["panel"] == panel]
    seeds: list[int] = rows["seed"].unique().tolist()
    return max(seeds, key=lambda seed: rows[rows["seed"] == seed]["series"].nunique())


def reported(frame: "pd.DataFrame", panel: str) -> "pd.DataFrame":
    """The rows with other seeds than the search's."""
    rows = frame[frame["panel"] == panel]
    return rows[rows["seed"] != search_seed(frame, panel)]


def spread(rows: "pd.DataFrame", column: str) -> float | None:
    """The standard deviation over seeds, pooled over series; None where none has several finite ones."""
    groups = [group.tolist() for _, group in rows.groupby("series")[column]]
    finite = [(len(of), stdev(of)) for of in groups if len(of) > 1 and all(map(math.isfinite, of))]
    return pooled_spread(finite)
