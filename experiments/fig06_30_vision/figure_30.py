"""Figure 30: training loss, test loss and accuracy of ViTs over the training."""

import math
from typing import TYPE_CHECKING

from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import Claim, Share
from experiments.fig06_30_vision import runs
from experiments.fig06_30_vision.runs import SETTINGS, TITLES, Trial

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 30
TITLE = "Training loss, test loss and accuracy over the training (ViT)"

PANELS = "abcdefghi"
ROWS = {"train": "training loss,\nno augmentation", "test": "test loss", "top1": "top-1 accuracy"}
TAIL = 0.15  # axes show what happens after this share of the training


def panel_of(setting: str, row: str) -> str:
    """The panel of a row in the column of a setting: 'a' to 'i', row by row."""
    return PANELS[len(SETTINGS) * list(ROWS).index(row) + list(SETTINGS).index(setting)]


def _panels(trial: Trial) -> list[str]:
    return [panel_of(trial.panel, row) for row in ROWS]


def needs(scale: Scale) -> list[Need]:
    return runs.needs(scale, _panels, best_only=True)


def table(results: "Results") -> "pd.DataFrame":
    """Curves: x the scale's own steps; y loss in nats, infinite where a run diverged, or accuracy."""
    from analysis.tables import tabulate

    scale, at = results.scale, runs.measures(results.scale)
    found = []
    for trial in runs.shown(scale, best_only=True):
        if not any(map(results.wants, _panels(trial))):
            continue
        for seed in trial.seeds(scale):
            of = runs.curves(results, trial, seed)
            found += [
                (panel_of(trial.panel, row), trial.label, seed, step, value)
                for row in ROWS
                if results.wants(panel_of(trial.panel, row))
                for step, value in of[getattr(at, row)]
                if value < math.inf or row != "top1"
            ]
    return tabulate(found)


def draw(frame: "pd.DataFrame") -> "Figure":
    """Rows of quantities, columns of settings; a panel asked for alone is drawn alone."""
    from matplotlib import pyplot as plt

    from analysis import curves, style

    shown = curves.panels(frame)
    alone = len(shown) == 1
    shape = (1, 1) if alone else (len(ROWS), len(SETTINGS))
    size = (style.COLUMN, style.PANEL_HEIGHT + 0.3) if alone else (style.WIDTH, 0.8 * style.PANEL_HEIGHT * 3)
    figure, grid = plt.subplots(*shape, figsize=size, squeeze=False, sharex="col")
    places = list(grid.flat)
    for panel in shown:
        axes = places[0 if alone else PANELS.index(panel)]
        row, column = divmod(PANELS.index(panel), len(SETTINGS))
        setting = list(SETTINGS)[column]
        looks, rows = _looks(frame, panel), frame[frame["panel"] == panel]
        curves.draw_panel(axes, rows, looks, "", tail=TAIL, above=alone or not row)
        axes.set_title(TITLES[setting][4:] if alone or not row else "")
        axes.set_ylabel(list(ROWS.values())[row] if alone or not column else "")
        _whole_range(axes, rows)
        if not alone and row + 1 < len(ROWS):
            axes.set_xlabel("")
    handles, labels = places[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, columnspacing=1.0)
    return figure


def _looks(frame: "pd.DataFrame", panel: str) -> dict[str, dict[str, object]]:
    """AdamW in its colour; of AdEMAMix two families of shades, one for each β3, darker with α."""
    from matplotlib import colormaps

    from analysis import style

    names = frame[frame["panel"] == panel]["series"].unique().tolist()
    looks: dict[str, dict[str, object]] = {}
    for prefix, shades in (("AdEMAMix, β3 = 0.999,", "Greens"), ("AdEMAMix, β3 = 0.9999,", "Blues")):
        family = [name for name in names if name.startswith(prefix)]
        for i, name in enumerate(family):
            shade = colormaps[shades](0.4 + 0.5 * i / max(1, len(family) - 1))
            looks[name] = {"color": shade, "linewidth": 1.0}
    adamw = {"color": style.colour("AdamW"), "linestyle": "--", "linewidth": 1.6}
    shown = {name: {**adamw, "label": "AdamW, best"} for name in names if name.startswith("AdamW,")}
    return shown | {name: {**look, "label": name.removeprefix("AdEMAMix, ")} for name, look in looks.items()}


def _whole_range(axes: "Axes", rows: "pd.DataFrame") -> None:
    """Unlike in other figures the tops of curves matter: accuracies end there, and overfitting rises."""
    late = rows[(rows["x"] >= TAIL * rows["x"].max()) & (rows["y"] < math.inf)]["y"]
    if len(late):
        low, high = float(late.min()), float(late.max())
        axes.set_ylim(low - 0.05 * (high - low) - 1e-9, high + 0.05 * (high - low) + 1e-9)


def share_lower(frame: "pd.DataFrame", setting: str, row: str, least: float) -> Share:
    """The share of AdEMAMix's runs whose last loss is below AdamW's."""
    panel = panel_of(setting, row)
    ends = (
        frame[frame["panel"] == panel]
        .sort_values("x")
        .groupby(["series", "seed"], as_index=False)["y"]
        .last()
    )
    ends = ends.assign(panel=panel)
    (level,) = runs.of_the_search(ends, panel, "AdamW")["y"].tolist()
    found = runs.of_the_search(ends, panel, "AdEMAMix")["y"].tolist()
    below = sum(value < level for value in found)
    what = f"({setting}) {below} of {len(found)} below {level:.4f}"
    return Share(what, tuple(found), level, least, sigma=runs.spread(runs.reported(ends, panel), "y"))


CLAIMS = [
    Claim(
        name="training-loss-always-lower",
        statement="AdEMAMix's training loss is lower in every setting.",
        statistic="share of AdEMAMix's runs whose last training loss is below the best AdamW's, minus 0.98",
        measure=lambda frame: [share_lower(frame, setting, "train", 0.98) for setting in SETTINGS],
    ),
    Claim(
        name="test-loss-follows",
        statement="The test loss follows where training and test loss go together (a, b).",
        statistic="share of AdEMAMix's runs whose last test loss is below the best AdamW's, minus one half",
        measure=lambda frame: [share_lower(frame, setting, "test", 0.5) for setting in "ab"],
    ),
]
