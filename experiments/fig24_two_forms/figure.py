"""Figure 24: learning rate and α in two forms of the update."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING, Any

from ademamix.paper.runs import ADAMW, ADEMAMIX, CONVEX, run
from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import Claim, Effect, Measure, Share, final
from analysis.paired import Paired, smallest
from experiments import lines
from experiments.dials import dial, thinned
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 24
TITLE = "Learning rate and α in two forms of the update (6-layer model)"

PANELS = "ab"
SIZE = "6-layer"
HORIZON = 128_000  # not given; half of the other figures'
LRS = (4e-4, 6e-4, 8e-4, 1e-3, 1.2e-3, 1.4e-3, 1.6e-3)
ALPHAS = {"a": (2, 4, 6, 8, 10, 12, 14), "b": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)}
GRID_POINTS = dial(__file__, "grid_points", default=None)
FORMS = {"a": ADEMAMIX, "b": CONVEX}
TITLES = {"a": "(a) m1 + α·m2", "b": "(b) (1 − α)·m1 + α·m2"}


def adamw_name(lr: float) -> str:
    return f"AdamW, lr = {lr:g}"


def cell_name(alpha: float, lr: float) -> str:
    return f"α = {alpha:g}, lr = {lr:g}"


def lines_at(scale: Scale) -> list[Line]:
    """The grids, thinned where the scale says so; AdamW at every rate beside each."""
    most = GRID_POINTS(scale)
    rates = thinned(LRS, most)
    found = []
    for panel, form in FORMS.items():
        found += [Line(panel, adamw_name(lr), run(SIZE, ADAMW, HORIZON, lr=lr), HORIZON) for lr in rates]
        for alpha in thinned(ALPHAS[panel], most):
            for lr in rates:
                paper = run(SIZE, form, HORIZON, lr=lr, alpha=alpha)
                found.append(Line(panel, cell_name(alpha, lr), paper, HORIZON))
    return found


def needs(scale: Scale) -> list[Need]:
    return lines.needs(lines_at(scale), scale)


def table(results: "Results") -> "pd.DataFrame":
    """Whole curves: x the scale's own steps, y validation loss. The maps are of the last values."""
    return lines.table(lines_at(results.scale), results)


def cells(frame: "pd.DataFrame", panel: str) -> dict[tuple[float, float], Paired]:
    """(α, lr) → final loss by seed."""
    names = {cell_name(alpha, lr): (alpha, lr) for alpha in ALPHAS[panel] for lr in LRS}
    there = frame[frame["panel"] == panel]["series"].unique()
    return {at: final(frame, panel, name) for name, at in names.items() if name in there}


def best_adamw(frame: "pd.DataFrame", panel: str) -> Paired:
    """The lowest final loss of AdamW over the learning rates, by seed."""
    there = set(frame[frame["panel"] == panel]["series"])
    names = [adamw_name(lr) for lr in LRS if adamw_name(lr) in there]
    return smallest([final(frame, panel, name) for name in names])


def draw(frame: "pd.DataFrame") -> "Figure":
    """A map of the final loss for each form, AdamW's row below, one colour scale, the level of its best."""
    import numpy as np

    from analysis import curves

    shown = curves.panels(frame)
    figure, axes = curves.grid(len(shown), below=0.2)
    found = {panel: {at: mean(cell.values()) for at, cell in cells(frame, panel).items()} for panel in shown}
    levels = {panel: mean(best_adamw(frame, panel).values()) for panel in shown}
    finite = [loss for of in found.values() for loss in of.values() if loss < float("inf")]
    values = finite or [levels[shown[0]]]
    for one, panel in zip(axes, shown, strict=True):
        alphas, rates = (sorted({at[i] for at in found[panel]}) for i in (0, 1))
        loss = np.array([[found[panel][alpha, lr] for lr in rates] for alpha in alphas])
        loss = np.where(np.isfinite(loss), loss, np.nan)
        limits: dict[str, Any] = {
            "vmin": min(values),
            "vmax": float(np.quantile(values, 0.95)),
            "cmap": "viridis",
        }
        image = one.imshow(loss, origin="lower", aspect="auto", **limits)
        _draw_adamw(one, frame, panel, rates, limits)
        level, there = levels[panel], loss[np.isfinite(loss)]
        if min(loss.shape) > 1 and there.size and there.min() < level < there.max():
            one.contour(loss, levels=[level], colors=["#D55E00"], linewidths=1.5)
        one.set_xticks(range(len(rates)), [f"{lr * 1e3:g}" for lr in rates])
        one.set_yticks([ADAMW_ROW, *range(len(alphas))], ["AdamW", *(f"{alpha:g}" for alpha in alphas)])
        one.set_ylim(ADAMW_ROW - 0.6, len(alphas) - 0.5)
        beaten = np.nansum(loss < level)
        one.set_title(f"{TITLES[panel]}: {beaten:.0f} of {loss.size} beat the best AdamW", fontsize="medium")
        one.set(xlabel="learning rate of the paper (1e-3)", ylabel="α")
        one.grid(visible=False)
    scale = frame.attrs.get("scale")
    if scale is not None and SIZE in scale.models:  # what stands for the six layers
        layers = scale.models[SIZE].layers
        figure.suptitle(f"a model of {layers} layer{'s' * (layers > 1)}", fontsize="medium")
    bar = figure.colorbar(image, ax=axes, label=f"final {curves.LOSS}", extend="max")
    bar.ax.axhline(levels[shown[0]], color="#D55E00", linewidth=1.5)
    return figure


ADAMW_ROW = -1.3  # below the rows of α


def _draw_adamw(
    axes: "Axes", frame: "pd.DataFrame", panel: str, rates: Sequence[float], limits: Mapping[str, Any]
) -> None:
    """AdamW's final loss at every rate, a row of its own."""
    ends = [mean(final(frame, panel, adamw_name(lr)).values()) for lr in rates]
    row = [[end if end < float("inf") else float("nan") for end in ends]]
    edges = (-0.5, len(rates) - 0.5, ADAMW_ROW - 0.5, ADAMW_ROW + 0.5)
    axes.imshow(row, extent=edges, origin="lower", aspect="auto", **limits)


def _share(panel: str, least: float) -> Measure:
    def measure(frame: "pd.DataFrame") -> list[Share]:
        losses = [mean(cell.values()) for cell in cells(frame, panel).values()]
        best = best_adamw(frame, panel)
        level = mean(best.values())
        what = f"{sum(loss < level for loss in losses)} of {len(losses)} pairs, best AdamW {level:.4f}"
        (run,) = best.terms
        return [Share(what, tuple(losses), level, least, run.group)]

    return measure


def _gains(frame: "pd.DataFrame") -> list[Effect]:
    """The best gain over the best AdamW, of the first form minus that of the second."""
    best = {panel: best_adamw(frame, panel) - smallest(list(cells(frame, panel).values())) for panel in FORMS}
    what = " − ".join(f"{mean(gain.values()):.4f}" for gain in best.values())
    return [Effect.of(f"best gain {what}", best["a"] - best["b"])]


CLAIMS = [
    Claim(
        name="all-beat-adamw",
        statement="With m1 + α·m2, every pair of learning rate and α beats the best AdamW.",
        statistic="share of the pairs that end below the best AdamW over the learning rates, minus 0.98",
        measure=_share("a", 0.98),
        number=("all pairs", lambda frame: _share("a", 0.98)(frame)[0].what.partition(",")[0]),
    ),
    Claim(
        name="most-beat-adamw",
        statement="With (1 − α)·m1 + α·m2, most do.",
        statistic="share of the pairs that end below the best AdamW, minus one half",
        measure=_share("b", 0.5),
    ),
    Claim(
        name="by-less",
        statement="In the second form they win by less.",
        statistic="best gain over the best AdamW in the first form minus that in the second",
        measure=_gains,
    ),
]
