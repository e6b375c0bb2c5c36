"""Figure 9: the loss on training batches, followed from just before they are trained on."""

import math
from collections.abc import Iterable, Iterator, Mapping
from statistics import mean
from typing import TYPE_CHECKING

from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from ademamix.quantities import BatchLoss, Quantity
from ademamix.scale import Scale, refuse_collisions
from ademamix.spec import Need
from analysis.claims import Claim, Effect
from analysis.paired import Paired
from experiments.dials import dial

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 9
TITLE = "Loss on training batches after they were seen (110M)"

PANELS = "ab"
SIZE = "110M"
HORIZON = 256_000
OPTIMIZERS = {"a": ADAMW, "b": ADEMAMIX}
TITLES = {"a": "(a) AdamW", "b": "(b) AdEMAMix"}
TAUS = range(30_000, 250_001, 10_000)
WINDOW = 10_000  # steps of the paper after τ; to the end of the training for the last ones
UNIT = 50  # steps of the paper after which the loss is normalised to −1
LEAST_UNIT = 10  # updates: sooner, m1 has not yet brought most of the batch in
FOLLOWED = dial(__file__, "followed_batches", default=1)
LOOKS = 12  # evenly over the window
LATE = 180_000  # "τ > 180k"
RUNS = {panel: run(SIZE, optimizer, HORIZON) for panel, optimizer in OPTIMIZERS.items()}  # Figure 1's


def name_of(tau: int) -> str:
    return f"τ = {tau // 1000}k"


def unit(scale: Scale) -> int:
    """Updates after which the curves are −1."""
    return max(scale.steps(UNIT), min(LEAST_UNIT, scale.steps(WINDOW)))


def lags(scale: Scale, tau: int) -> list[int]:
    """Updates since just before τ at which the loss on its batch is looked at."""
    window = scale.steps(min(tau + WINDOW, HORIZON)) - scale.steps(tau)
    even = {round(window * i / LOOKS) for i in range(LOOKS + 1)}
    close = {1, 2, 4, unit(scale)}
    return sorted(lag for lag in even | close if lag <= window)


def followed(scale: Scale, tau: int) -> range:
    """The updates whose batches are followed: that of τ and, where a scale says so, the ones after it."""
    return range(scale.steps(tau), scale.steps(tau) + FOLLOWED(scale))


def observations(scale: Scale) -> dict[Quantity, frozenset[int]]:
    last = scale.steps(HORIZON)
    return {
        BatchLoss(update=t): frozenset(t - 1 + lag for lag in lags(scale, tau) if t - 1 + lag <= last)
        for tau in TAUS
        for t in followed(scale, tau)
    }


def needs(scale: Scale) -> list[Need]:
    refuse_collisions(scale, [*TAUS, HORIZON])
    return [need for _, need in cases(scale)]


def cases(scale: Scale) -> Iterator[tuple[int, Need]]:
    """(seed, what is needed of its run), for both optimizers."""
    observe, until = observations(scale), scale.steps(HORIZON)
    for panel, paper in RUNS.items():
        for seed in scale.seeds.headline:
            yield seed, Need(scale.map(paper, seed), until, observe=observe, panel=panel, paper=paper)


def table(results: "Results") -> "pd.DataFrame":
    """x: updates since just before τ; y: loss on its batch (nats), mean over the batches followed."""
    from analysis.tables import tabulate

    scale, rows = results.scale, []
    for seed, need in cases(scale):
        for tau in TAUS if results.wants(need.panel) else ():
            curves = [
                {
                    step - (t - 1): loss
                    for step, loss in results.curve(need.run, BatchLoss(update=t), need.until)
                }
                for t in followed(scale, tau)
            ]
            for lag in lags(scale, tau):
                seen = [look for curve in curves if (look := _look(curve, lag)) is not None]
                # The last batches of a window that the training cuts short lack its last looks.
                if len(seen) == len(curves):
                    rows.append((need.panel, name_of(tau), seed, lag, mean(seen)))
    return tabulate(rows)


def _look(curve: Mapping[int, float], lag: int) -> float | None:
    """The loss after `lag` updates; infinity from where the run diverged; None beyond its end."""
    return curve.get(lag, math.inf if math.inf in curve.values() else None)


def losses(frame: "pd.DataFrame", panel: str) -> "pd.DataFrame":
    """The loss on each batch (nats): a row for each lag, a column for each (seed, τ's name)."""
    return frame[frame["panel"] == panel].pivot(index="x", columns=["seed", "series"], values="y")


def change(loss: "pd.Series[float]") -> "pd.Series[float]":
    """A loss minus that just before τ, by lag, as long as the window is."""
    seen = loss.dropna()
    return seen - seen[0]


def at_unit(of: "pd.Series[float]", window: float) -> float:
    """The change at the look that `unit` asked for; the length of the table's windows tells which it is."""
    wanted = max(UNIT * window / WINDOW, min(LEAST_UNIT, window))
    return float(of[min(of.index[1:], key=lambda lag: abs(lag - wanted))])


def normalised(frame: "pd.DataFrame", panel: str) -> "dict[int, pd.Series[float]]":
    """τ → the change, mean over seeds, in units of the drop: 0 just before τ, −1 at the paper's τ + 50."""
    means = losses(frame, panel).T.groupby(level="series").mean().T
    changes = {tau: change(means[name_of(tau)]) for tau in TAUS}
    return {tau: found / -at_unit(found, float(frame["x"].max())) for tau, found in changes.items()}


def draw(frame: "pd.DataFrame") -> "Figure":
    """A curve for each τ, in the order of τ's colour."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    from analysis import curves, style

    shown = curves.panels(frame)
    figure, axes = curves.grid(len(shown), below=0.2)
    colours = ScalarMappable(Normalize(TAUS[0] / 1000, TAUS[-1] / 1000), "viridis")
    ramp = style.ramp(TAUS)
    for one, panel in zip(axes, shown, strict=True):
        for tau, curve in normalised(frame, panel).items():
            one.plot(curve.index, curve, color=ramp[tau], linewidth=0.9)
        one.axhline(-1, color="0.3", linewidth=0.7, linestyle="--")
        one.set(title=TITLES[panel], xlabel="updates since just before τ")
    lowest, highest = min(a.get_ylim()[0] for a in axes), max(a.get_ylim()[1] for a in axes)
    for one in axes:  # one scale, to compare them by eye; a curve whose drop is next to nothing leaves it
        one.set_ylim(max(lowest, -6), min(highest, 3))
    axes[0].set_ylabel("loss on B_τ, normalised")
    figure.colorbar(colours, ax=axes, label="τ (thousands of the paper's steps)")
    return figure


def ends(frame: "pd.DataFrame", panel: str, taus: Iterable[int]) -> Paired:
    """Seed → the change at the end of the window in units of the drop, both means over `taus`.

    Means are taken before the division: the drop of a single small batch can be next to nothing.
    """
    taus, window = list(taus), float(frame["x"].max())
    loss, found = losses(frame, panel), {}
    for seed in map(int, loss.columns.unique("seed")):
        changes = [change(loss[seed, name_of(tau)]) for tau in taus]
        found[seed] = sum(float(c.iloc[-1]) for c in changes) / -sum(at_unit(c, window) for c in changes)
    return Paired(found, {})  # the spread of final losses is not that of these


EARLY_TAUS = [tau for tau in TAUS if tau <= LATE]
LATE_TAUS = [tau for tau in TAUS if tau > LATE]


def _adamw_higher(frame: "pd.DataFrame") -> list[Effect]:
    adamw, ademamix = (ends(frame, panel, LATE_TAUS) for panel in PANELS)
    return [Effect.of("τ > 180k: AdamW − AdEMAMix", adamw - ademamix)]


def _largest_late(frame: "pd.DataFrame") -> list[Effect]:
    late, early = (ends(frame, "a", taus) - ends(frame, "b", taus) for taus in (LATE_TAUS, EARLY_TAUS))
    return [Effect.of("AdamW − AdEMAMix: τ > 180k − τ ≤ 180k", late - early)]


def _forgets_or_improves(frame: "pd.DataFrame") -> list[Effect]:
    adamw, ademamix = (ends(frame, panel, TAUS) for panel in PANELS)
    return [
        Effect.of("all τ: AdamW above −1", adamw + 1.0),
        Effect.of("all τ: AdEMAMix below −1", -1.0 - ademamix),
    ]


def _less_at_the_end(frame: "pd.DataFrame") -> list[Effect]:
    return [
        Effect.of(
            f"{TITLES[panel]}: τ ≤ 180k − τ > 180k",
            ends(frame, panel, EARLY_TAUS) - ends(frame, panel, LATE_TAUS),
        )
        for panel in PANELS
    ]


def _report(frame: "pd.DataFrame") -> dict[str, str]:
    return {
        TITLES[panel]: ", ".join(
            f"{name_of(tau)}: {curve.iloc[-1]:.2f}" for tau, curve in normalised(frame, panel).items()
        )
        for panel in PANELS
    }


CLAIMS = [
    Claim(
        name="adamw-above-ademamix-late",
        statement="After the window, AdEMAMix's loss on a batch that it trained on late is below AdamW's.",
        statistic="normalised loss at the end of the window, of the mean over τ > 180k: AdamW − AdEMAMix",
        measure=_adamw_higher,
        report=_report,
    ),
    Claim(
        name="largest-late",
        statement="The difference between the two is largest for τ > 180k.",
        statistic="normalised loss at the end of the window, AdamW − AdEMAMix: of the mean over τ > 180k − "
        "of the mean over the others",
        measure=_largest_late,
    ),
    Claim(
        name="ademamix-improves-adamw-forgets",
        statement="AdEMAMix keeps improving on its training batches, AdamW forgets them.",
        statistic="normalised loss at the end of the window, of the mean over all τ, against −1: its value "
        "just after training on the batch",
        measure=_forgets_or_improves,
    ),
    Claim(
        name="less-at-the-end",
        statement="Both forget less towards the end of training.",
        statistic="normalised loss at the end of the window: mean over τ ≤ 180k − mean over τ > 180k",
        measure=_less_at_the_end,
    ),
]
