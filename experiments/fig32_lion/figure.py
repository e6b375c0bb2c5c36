"""Figure 32: Lion against AdamW, and the search for Lion's hyperparameters (Table 8)."""

from itertools import product
from typing import TYPE_CHECKING

from ademamix.paper.language import LionSearch, language_model
from ademamix.paper.runs import ADAMW, LION, run
from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.claims import Claim, Effect, final
from analysis.tables import tabulate
from experiments import lines
from experiments.dials import dial, thinned
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 32
TITLE = "Lion against AdamW (110M)"

PANELS = "ab"
SIZE = "110M"
HORIZON = 256_000
# A trial: the values of these, in this order, in the paper's units.
NAMES = {
    "lr": "learning rate",
    "weight_decay": "weight decay",
    "clipping": "clipping",
    "alpha": "α",
    "beta": "β",
}
GRID_POINTS = dial(__file__, "grid_points", default=None)
SEARCH = dial(__file__, "search", default="coordinates")
BEST = dial(__file__, "best", default={})
Trial = tuple[float, ...]
TITLES = {"a": "(a) AdamW and the best Lion", "b": "(b) every trial of Lion"}


def searched() -> LionSearch:
    """What the paper tried (Table 8)."""
    lion = language_model(SIZE).lion
    assert lion is not None
    return lion


def papers_best() -> Trial:
    return tuple(getattr(searched(), name).best for name in NAMES)


def best_at(scale: Scale) -> Trial:
    """The trial whose run is reported: the paper's best, with what the scale's own search found better."""
    best = dict(zip(NAMES, papers_best(), strict=True))
    return tuple({**best, **BEST(scale)}.values())


def trials(scale: Scale) -> list[Trial]:
    """All of Table 8, or one coordinate after the other.

    Each coordinate is searched from the paper's best, with what the scale found better in the earlier ones.
    """
    most = GRID_POINTS(scale)
    axes = [thinned(getattr(searched(), name).tried, most) for name in NAMES]
    if SEARCH(scale) == "grid":
        return list(product(*axes))
    at, best = papers_best(), best_at(scale)
    found = [at]
    for i, values in enumerate(axes):
        found += [(*at[:i], value, *at[i + 1 :]) for value in values if value != at[i]]
        at = (*at[:i], best[i], *at[i + 1 :])
    return found


def label(trial: Trial) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in zip(NAMES.values(), trial, strict=True))


def _lion(panel: str, name: str, trial: Trial, seeds: lines.SeedsOf) -> Line:
    values = dict(zip(NAMES, trial, strict=True))
    clipping = values.pop("clipping")
    return Line(panel, name, run(SIZE, LION, HORIZON, **values).changed(clipping=clipping), HORIZON, seeds)


def curves_at(scale: Scale) -> list[Line]:
    return [
        Line("a", "AdamW", run(SIZE, ADAMW, HORIZON), HORIZON, "headline"),
        _lion("a", "Lion", best_at(scale), "headline"),
    ]


def search_at(scale: Scale) -> list[Line]:
    return [_lion("b", label(trial), trial, "tuning") for trial in trials(scale)]


def needs(scale: Scale) -> list[Need]:
    return lines.needs([*curves_at(scale), *search_at(scale)], scale)


def table(results: "Results") -> "pd.DataFrame":
    """Panel a: curves. Panel b: a point for each trial: x its number, y the final validation loss."""
    import pandas as pd

    scale = results.scale
    found = lines.table(curves_at(scale), results)
    search = lines.table(search_at(scale), results)
    rows = [
        ("b", label(trial), seed, number, value)
        for number, trial in enumerate(trials(scale))
        if results.wants("b")
        for seed, value in final(search, "b", label(trial)).items()
    ]
    return pd.concat([found, tabulate(rows)], ignore_index=True)


def draw(frame: "pd.DataFrame") -> "Figure":
    from analysis import curves, style

    shown = curves.panels(frame)
    figure, axes = curves.grid(len(shown), below=0.35)
    for one, panel in zip(axes, shown, strict=True):
        rows = frame[frame["panel"] == panel]
        if panel == "a":
            looks = {name: {"color": style.colour(name)} for name in ("AdamW", "Lion")}
            curves.draw_panel(one, rows, looks, TITLES["a"], tail=0.15)
            one.set_ylabel(curves.LOSS)
            one.legend(loc="upper right")
            continue
        _draw_search(one, rows)
    return figure


def _draw_search(axes: "Axes", rows: "pd.DataFrame") -> None:
    """The trials by the last coordinate in which they differ from the paper's best; the lowest is marked."""
    from matplotlib import colormaps
    from matplotlib.ticker import MaxNLocator

    from analysis import curves

    start = label(papers_best()).split(", ")
    finite = rows[rows["y"] < float("inf")]
    top = float(finite["y"].max())
    groups: dict[str, list[tuple[float, float]]] = {}
    for name, x, y in zip(rows["series"], rows["x"], rows["y"], strict=True):
        changed = [mine for mine, its in zip(name.split(", "), start, strict=True) if mine != its]
        group = changed[-1].rpartition(" ")[0] if changed else "the paper's best"
        groups.setdefault(group, []).append((x, min(y, top)))
    for i, (group, points) in enumerate(groups.items()):
        x, y = zip(*points, strict=True)
        axes.plot(x, y, "o", markersize=3.5, color=colormaps["tab10"](i), label=group)
    lowest = finite[finite["y"] == finite["y"].min()]
    axes.plot(lowest["x"], lowest["y"], "o", markersize=8, fillstyle="none", color="k", label="lowest")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(title=TITLES["b"], xlabel="trial", ylabel="final loss, tuning seed (nats)")
    curves.legend_below(axes, columns=4)


def _lowest(frame: "pd.DataFrame") -> dict[str, str]:
    rows = frame[frame["panel"] == "b"]
    best = rows.iloc[int(rows["y"].argmin())]
    return {"trials": str(len(rows)), "lowest trial": f"{best['series']}: {best['y']:.4f}"}


CLAIMS = [
    Claim(
        name="lion-does-not-beat-adamw",
        statement="The best Lion does not beat tuned AdamW.",
        statistic="final validation loss, Lion − AdamW",
        measure=lambda frame: [
            Effect.of("Lion − AdamW", final(frame, "a", "Lion") - final(frame, "a", "AdamW"))
        ],
        report=_lowest,
    ),
]
