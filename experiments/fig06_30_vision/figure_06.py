"""Figure 6: test loss against training loss of every run, ViTs with much and with little data."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import Claim, Effect, Share, ShareGap
from analysis.paired import Paired
from experiments.fig06_30_vision import runs
from experiments.fig06_30_vision.runs import LITTLE_DATA, TITLES, of_the_search, reported, spread

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 6
TITLE = "Test loss against training loss (ViT)"

PANELS = "abc"
OPTIMIZERS = ("AdamW", "AdEMAMix")
ALL, MOST = 0.98, 0.5  # what the paper's words mean of a share of runs, here as in Figure 24
COLUMN = {"training": "x", "test": "y"}


def needs(scale: Scale) -> list[Need]:
    return runs.needs(scale)


def table(results: "Results") -> "pd.DataFrame":
    """A row for each run: x its training loss without augmentation, y its test loss."""
    from analysis.tables import tabulate

    scale, at = results.scale, runs.measures(results.scale)
    return tabulate(
        (trial.panel, trial.label, seed, *runs.end(runs.curves(results, trial, seed), trial.panel, at))
        for trial in runs.trials(scale)
        if results.wants(trial.panel)
        for seed in trial.seeds(scale)
    )


def draw(frame: "pd.DataFrame") -> "Figure":
    from analysis import curves, style

    shown = curves.panels(frame)
    figure, axes = curves.grid(len(shown), below=0.3)
    looks = {
        "AdamW": {"color": style.colour("AdamW"), "marker": "o"},
        "AdEMAMix, β3 = 0.999": {"color": style.LIGHTER, "marker": "^"},
        "AdEMAMix, β3 = 0.9999": {"color": style.colour("AdEMAMix"), "marker": "s"},
    }
    for one, panel in zip(axes, shown, strict=True):
        _draw_panel(one, frame, panel, looks)
    axes[0].set_ylabel("test loss (nats)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=6, columnspacing=1.0)
    return figure


def _draw_panel(axes: "Axes", frame: "pd.DataFrame", panel: str, looks: dict[str, dict[str, Any]]) -> None:
    """Dots; the best AdamW ringed; shaded, what is better in both losses; the line of equal improvement."""
    everyone = frame[frame["panel"] == panel]
    for name, look in looks.items():
        rows = everyone[everyone["series"].str.startswith(f"{name},")]
        search = rows[rows["seed"] == runs.search_seed(frame, panel)]
        axes.plot(search["x"], search["y"], linestyle="none", markersize=4, label=name, **look)
        others = rows.drop(search.index)
        axes.plot(
            others["x"], others["y"], linestyle="none", markersize=3, fillstyle="none", alpha=0.6, **look
        )
    finite = everyone[(everyone["x"] < math.inf) & (everyone["y"] < math.inf)]
    axes.set_title(TITLES[panel])
    axes.set_xlabel("training loss, no augmentation")
    if finite.empty:
        return
    limits = [_limits(finite[column].tolist()) for column in "xy"]
    outside = len(everyone) - sum(
        limits[0][0] <= x <= limits[0][1] and limits[1][0] <= y <= limits[1][1]
        for x, y in zip(finite["x"], finite["y"], strict=True)
    )
    if outside:
        axes.text(
            0.98, 0.98, f"{outside} outside", transform=axes.transAxes, ha="right", va="top", fontsize="small"
        )
    _, train, test = lowest(frame, panel, "AdamW")
    if train < math.inf:
        axes.plot([train], [test], "o", markersize=9, fillstyle="none", color="k", label="best AdamW")
        axes.fill_between([limits[0][0], train], limits[1][0], test, color="0.5", alpha=0.18, linewidth=0,
                          label="better in both losses")  # fmt: skip
        axes.axline(
            (train, test), slope=1, color="0.4", linewidth=0.8, linestyle=":", label="equal improvement"
        )
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])


def _limits(values: list[float]) -> tuple[float, float]:
    """From the lowest value to the most that is not far beyond the others, with a margin."""
    ranked = sorted(values)
    low, middle = ranked[0], ranked[len(ranked) // 2]
    high = max(v for v in ranked if v <= middle + 3 * (middle - low) + 1e-9)
    margin = 0.1 * (high - low) or 0.1
    return low - margin, high + margin


class Lowest(NamedTuple):
    """A run and its losses."""

    series: str
    train: float
    test: float


def lowest(frame: "pd.DataFrame", panel: str, optimizer: str) -> Lowest:
    """The trial of an optimizer with the lowest test loss."""
    rows = of_the_search(frame, panel, optimizer)
    columns = (rows[name].tolist() for name in ("series", "x", "y"))
    return min((Lowest(*row) for row in zip(*columns, strict=True)), key=lambda found: found.test)


def share_better(frame: "pd.DataFrame", panel: str, loss: str, least: float) -> Share:
    """The share of AdEMAMix's runs that are below the best AdamW."""
    found = of_the_search(frame, panel, "AdEMAMix")[COLUMN[loss]].tolist()
    best = lowest(frame, panel, "AdamW")
    level = best.train if loss == "training" else best.test
    better = sum(value < level for value in found)
    what = f"({panel}) {loss} loss: {better} of {len(found)} below {level:.4f}"
    sigma = spread(reported(frame, panel), COLUMN[loss])
    return Share(what, tuple(found), level, least, sigma=sigma)


def _not_better(frame: "pd.DataFrame") -> list[Share]:
    """The share that is not better: as `share_better`, with every sign turned."""
    of = share_better(frame, LITTLE_DATA, "test", 0.0)
    return [Share(of.what, tuple(-value for value in of.losses), -of.level, ALL, sigma=of.sigma)]


def _order(frame: "pd.DataFrame") -> list[ShareGap]:
    shares = {panel: share_better(frame, panel, "test", 0.0) for panel in PANELS}
    return [ShareGap(f"({a}) − ({b})", shares[a], shares[b]) for a, b in ("ab", "bc", "ac")]


def _gains(frame: "pd.DataFrame") -> list[Effect]:
    """Test loss of the reported AdamW minus that of the reported AdEMAMix, paired by seed."""
    found = []
    for panel in "ab":
        rows = reported(frame, panel)
        rows = rows if len(rows) else frame[frame["panel"] == panel]
        adamw, ademamix = reported_names(frame, panel)
        gain = _by_seed(rows, adamw) - _by_seed(rows, ademamix)
        found.append(Effect.of(f"({panel}) {adamw} − {ademamix}", gain))
    return found


def reported_names(frame: "pd.DataFrame", panel: str) -> list[str]:
    """The series of AdamW and of AdEMAMix that have the reported seeds; without any, the best of each."""
    names: list[str] = reported(frame, panel)["series"].unique().tolist()
    if not names:
        return [lowest(frame, panel, optimizer).series for optimizer in OPTIMIZERS]
    return [next(name for name in names if name.startswith(f"{of},")) for of in OPTIMIZERS]


def _by_seed(rows: "pd.DataFrame", series: str) -> Paired:
    of = rows[rows["series"] == series]
    return Paired(dict(zip(of["seed"].tolist(), of["y"].tolist(), strict=True)), {})


def _lowest(frame: "pd.DataFrame") -> dict[str, str]:
    """The lowest of each search: what the reported seeds are for."""
    return {
        f"({panel}) lowest test loss, {optimizer}": f"{best.series}: {best.test:.4f}"
        for panel in PANELS
        for optimizer in OPTIMIZERS
        for best in [lowest(frame, panel, optimizer)]
    }


CLAIMS = [
    Claim(
        name="all-better-with-much-data",
        statement="With a small model and much data (a), all AdEMAMix runs beat the best AdamW in test loss.",
        statistic="share of AdEMAMix's runs below the best AdamW's test loss, minus 0.98",
        measure=lambda frame: [share_better(frame, "a", "test", ALL)],
        report=_lowest,
    ),
    Claim(
        name="most-better-with-a-large-model",
        statement="With a large model and much data (b), most do.",
        statistic="share of AdEMAMix's runs below the best AdamW's test loss, minus one half",
        measure=lambda frame: [share_better(frame, "b", "test", MOST)],
    ),
    Claim(
        name="none-better-with-little-data",
        statement="With a large model and little data (c), none does.",
        statistic="share of AdEMAMix's runs above the best AdamW's lowest test loss, minus 0.98",
        measure=_not_better,
    ),
    Claim(
        name="training-loss-lower-with-little-data",
        statement="There (c), AdEMAMix's training losses are lower nevertheless.",
        statistic="share of AdEMAMix's runs below the best AdamW's training loss, minus 0.98",
        measure=lambda frame: [share_better(frame, LITTLE_DATA, "training", ALL)],
    ),
    Claim(
        name="order-of-the-settings",
        statement="The more data there is for the model, the more AdEMAMix runs beat AdamW: (a) ≥ (b) ≥ (c).",
        statistic="difference of the shares below the best AdamW's test loss",
        measure=_order,
        at_least=2,
    ),
    Claim(
        name="best-beats-best",
        statement="With much data (a, b), AdEMAMix ends with the lower test loss.",
        statistic="test loss, AdamW − AdEMAMix, of the two that have the reported seeds",
        measure=_gains,
    ),
]
