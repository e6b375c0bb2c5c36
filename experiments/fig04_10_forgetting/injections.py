"""What Figures 4 and 10 share: batches held out, trained on once at t_B, and what is left of them.

Each batch B is of the reserve split. The reference never trains on it; a branch that leaves the
reference just before update t_B makes that one update with B, and all others as the reference does. What
is followed is the loss on B of both. Small scales take several batches, one branch each.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from ademamix.paper.runs import ADAMW, ADEMAMIX, PaperRun
from ademamix.quantities import ReserveLoss
from ademamix.scale import Scale, refuse_collisions
from ademamix.spec import Need
from analysis.claims import Claim, Effect
from analysis.curves import thousands
from analysis.series import Series
from experiments.dials import dial

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

SIZE = "110M"
NAMES = {ADAMW: "AdamW", ADEMAMIX: "AdEMAMix"}
BATCHES = dial(__file__, "injected_batches", default=1)  # batches B, a branch each, for the paper's one
EVERY = 3_000  # steps of the paper between looks at the loss on B
PEAK = 8  # updates after which the drop is measured: m1 has then brought most of B in, at any scale
LATER = 10_000  # steps of the paper after which it is asked how much of the drop is left


@dataclass(frozen=True)
class Forgetting:
    """A figure's references and when their branches train on B, with the paper's steps.

    Attributes:
        references: optimizer → the run that never trains on B.
        at: panel → t_B.
        since: where the curves begin.
        until: the last step.
    """

    references: dict[str, PaperRun]
    at: dict[str, int]
    since: int
    until: int

    def steps(self, scale: Scale, panel: str) -> frozenset[int]:
        """When the loss on B is looked at: evenly, and closely after t_B."""
        first, last, every = (scale.steps(n) for n in (self.since, self.until, EVERY))
        before = scale.steps(self.at[panel]) - 1
        close = {before} | {before + 2**i for i in range((2 * every).bit_length())}
        close |= {before + PEAK, before + scale.steps(LATER)}
        return frozenset(t for t in {*range(first, last, every), last, *close} if first <= t <= last)

    def pairs(self, scale: Scale, panel: str) -> "Iterable[Pair]":
        """Each optimizer's reference and branch, for each seed and batch."""
        for optimizer, reference in self.references.items():
            for seed, number in product(scale.seeds.sweep, range(BATCHES(scale))):
                papers = (reference, injected(reference, self.at[panel], number))
                yield Pair(
                    NAMES[optimizer],
                    number,
                    *(
                        Need(
                            scale.map(paper, seed),
                            scale.steps(self.until),
                            observe={ReserveLoss(batch=number): self.steps(scale, panel)},
                            panel=panel,
                            paper=paper,
                        )
                        for paper in papers
                    ),
                )

    def needs(self, scale: Scale) -> list[Need]:
        refuse_collisions(scale, [*self.at.values(), self.since, self.until])
        return [
            need
            for panel in self.at
            for pair in self.pairs(scale, panel)
            for need in (pair.reference, pair.branch)
        ]

    def table(self, results: "Results") -> "pd.DataFrame":
        """x: the scale's own steps, y: loss on B (nats per token). Column `seed` is the number of B."""
        from analysis.tables import tabulate

        scale, rows = results.scale, []
        for panel in filter(results.wants, self.at):
            for pair in self.pairs(scale, panel):
                for series, need, first in (
                    (reference_name(pair.optimizer), pair.reference, 0),
                    (branch_name(pair.optimizer), pair.branch, pair.branch.run.first_step),
                ):
                    ((quantity, steps),) = need.observe.items()
                    rows += [
                        (panel, series, pair.number, x, y)
                        for x, y in results.curve(need.run, quantity, need.until)
                        if (x >= first and x in steps) or y == math.inf
                    ]
        return tabulate(rows)


@dataclass(frozen=True)
class Pair:
    """What is needed of a reference and of its branch, and the number of the batch B that the branch gets."""

    optimizer: str
    number: int
    reference: Need
    branch: Need


def injected(reference: PaperRun, at: int, number: int) -> PaperRun:
    """`reference`, but update `at` trains on batch `number` of the reserve split."""
    trunk = reference
    while trunk.fork and at - 1 <= trunk.fork.step:
        trunk = trunk.fork.trunk
    return trunk.branch(at - 1, inject=number, schedule=reference.spec.schedule)


def reference_name(optimizer: str) -> str:
    return f"{optimizer}, never on B"


def branch_name(optimizer: str) -> str:
    return f"{optimizer}, once on B"


def losses(frame: "pd.DataFrame", panel: str, series: str) -> "pd.DataFrame":
    """The losses of a series: a row for each step, a column for each batch; means over training seeds.

    From the step where a run diverged its loss is infinite.
    """
    rows = Series.found(frame).rows(panel, series)
    found = rows.pivot_table(index="x", columns="seed", values="y").sort_index()
    return found.mask(found.eq(math.inf).cummax(), math.inf)


def gaps(frame: "pd.DataFrame", panel: str, optimizer: str) -> "pd.DataFrame":
    """How much lower the branch's loss on B is than the reference's; index: updates since the fork."""
    branch = losses(frame, panel, branch_name(optimizer))
    reference = losses(frame, panel, reference_name(optimizer)).reindex(branch.index, method="ffill")
    gap = reference - branch
    gap.index = gap.index - gap.index.min()
    return gap


def retained(frame: "pd.DataFrame", panel: str, optimizer: str) -> "pd.Series[float]":
    """The gap at the end of training, of each batch."""
    return gaps(frame, panel, optimizer).iloc[-1]


def look(gap: "pd.DataFrame", updates: float) -> "pd.Series[float]":
    """The gap of each batch at the look nearest to so many updates after the fork."""
    since = gap.index.tolist()
    return gap.iloc[min(range(len(since)), key=lambda i: abs(since[i] - updates))]


def peak(frame: "pd.DataFrame", panel: str, optimizer: str) -> "pd.Series[float]":
    """The gap `PEAK` updates after the fork, of each batch."""
    return look(gaps(frame, panel, optimizer), PEAK)


def paired(what: str, values: "pd.Series[float]") -> Effect:
    """An effect with a value for each batch; a single batch decides nothing."""
    return Effect(what, tuple(values), over="batches")


def lost(frame: "pd.DataFrame", panel: str, optimizer: str, until: int) -> "pd.Series[float]":
    """The part of the drop that is gone `LATER`, of each batch, as a share of its own drop.

    `until`: the figure's last step, of the paper.
    """
    gap = gaps(frame, panel, optimizer)
    first, then = look(gap, PEAK), look(gap, frame["x"].max() * LATER / until)
    return (first - then) / first


def after_the_batch(at: dict[str, int], until: int) -> list[Claim]:
    """The claims on what happens just after t_B."""

    def sharper(frame: "pd.DataFrame") -> list[Effect]:
        return [
            paired(f"t_B = {thousands(t)}", peak(frame, panel, "AdamW") - peak(frame, panel, "AdEMAMix"))
            for panel, t in at.items()
        ]

    def faster(frame: "pd.DataFrame") -> list[Effect]:
        return [
            paired(
                f"t_B = {thousands(t)}",
                lost(frame, panel, "AdamW", until) - lost(frame, panel, "AdEMAMix", until),
            )
            for panel, t in at.items()
        ]

    return [
        Claim(
            name="adamw-drops-more",
            statement="The loss on B drops more sharply with AdamW.",
            statistic=f"loss on B, reference − branch, {PEAK} updates after the fork: AdamW − AdEMAMix",
            measure=sharper,
        ),
        Claim(
            name="adamw-regains-faster",
            statement="It rises back faster with AdamW.",
            statistic=f"share of that drop that is gone {thousands(LATER)} steps later: AdamW − AdEMAMix",
            measure=faster,
        ),
    ]


def summary(at: dict[str, int]) -> "Callable[[pd.DataFrame], dict[str, str]]":
    """The mean gap of each optimizer just after t_B and at the end."""

    def report(frame: "pd.DataFrame") -> dict[str, str]:
        return {
            f"{name}, mean gap {when}": ", ".join(
                f"{thousands(t)}: {float(gap(frame, panel, name).mean()):.4f}" for panel, t in at.items()
            )
            for name in NAMES.values()
            for when, gap in ((f"after {PEAK} updates", peak), ("at the end", retained))
        }

    return report


def draw(frame: "pd.DataFrame", at: dict[str, int], until: int, decay_from: int | None = None) -> "Figure":
    """A row for each optimizer, a column for each t_B: means over batches, and each batch thin.

    A single batch is drawn as its own gap below the mean of the references, so that batches which are
    harder or easier than others lie together. `decay_from`: marks where the learning rate starts to fall.
    """
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D

    from analysis import curves, style

    shown = curves.panels(frame)
    figure, grid = plt.subplots(
        len(NAMES), len(shown), sharex=True, sharey="row", squeeze=False,
        figsize=(style.WIDTH if len(shown) > 1 else style.COLUMN, 1.65 * style.PANEL_HEIGHT),
    )  # fmt: skip
    per_step = float(frame["x"].max()) / until
    for row, name in zip(grid, NAMES.values(), strict=True):
        for axes, panel in zip(row, shown, strict=True):
            whole = losses(frame, panel, reference_name(name)).mean(axis=1)
            branch = losses(frame, panel, branch_name(name))
            below = losses(frame, panel, reference_name(name)).reindex(branch.index, method="ffill") - branch
            colour = style.colour(name)
            for number in below:
                single = whole.reindex(branch.index, method="ffill") - below[number]
                axes.plot(single.index, single, color=colour, alpha=0.25, linewidth=0.5)
            axes.plot(whole.index, whole, color="0.25", linestyle="--", linewidth=1, label="never on B")
            axes.plot(branch.index, branch.mean(axis=1), color=colour, label=branch_name(name))
            axes.axvline(at[panel] * per_step, color="0.5", linewidth=0.6, linestyle=":")
            if decay_from:
                axes.axvspan(decay_from * per_step, frame["x"].max(), color="0.9", zorder=0, linewidth=0)
        row[0].set_ylabel(f"{name}\nloss on B (nats)")
    for axes, panel in zip(grid[0], shown, strict=True):
        axes.set_title(f"({panel}) t_B = {thousands(at[panel])}")
    for axes in grid[0]:
        curves.name_steps(axes, frame)
        axes.set_xlabel("")
    for axes in grid[-1]:
        curves.name_steps(axes, frame, above=False)
    keys = {
        label: line for row in grid for line, label in zip(*row[0].get_legend_handles_labels(), strict=True)
    }
    keys["a single batch"] = Line2D([], [], color="0.5", alpha=0.6, linewidth=0.5)
    figure.legend(keys.values(), keys, loc="outside upper center", ncols=len(keys))
    return figure
