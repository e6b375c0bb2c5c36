"""What a drawing is of, in a line: scale, models, data, seeds, and what stands for the paper's 256k steps."""

from collections.abc import Iterable, Sequence

from ademamix.paper.setups import PAPER_HORIZON
from ademamix.scale import Scale
from ademamix.spec import override_known
from analysis.artifacts import Figure


def caption(
    figure: Figure, scale: Scale, settings: Sequence[str] = (), shown: Iterable[int] | None = None
) -> str:
    """The line of a figure at a scale, from what it needs there.

    Args:
        settings: overrides of every run.
        shown: the numbers in the table's column `seed`, if they are known: fewer seeds than are needed may
            have been trained. Where the column counts something else, the seeds needed are named.
    """
    runs = [(need, override_known(need.run, settings)) for need in figure.needs(scale)]
    models = {need.paper.setup.name: run.model.parameters() for need, run in runs if need.paper}
    data = {run.data.label for _, run in runs}
    needed = {run.seed for _, run in runs}
    there = set(needed if shown is None else shown)
    seeds = sorted(there if there <= needed else needed)
    parts = [f"scale {scale.name}"]
    parts += [", ".join(f"{name}: {_short(count)} parameters" for name, count in models.items())]
    parts += [", ".join(sorted(data))]
    parts += [f"seed{'s' * (len(seeds) > 1)} {_ranges(seeds)}"] if seeds else []
    parts += [f"{PAPER_HORIZON // 1000}k of the paper = {scale.horizon:,} updates"]
    parts += [f"changed: {' '.join(settings)}"] if settings else []
    return " · ".join(part for part in parts if part)


def _short(count: int) -> str:
    """70,800 → '71k'."""
    for unit, size in (("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(count)


def _ranges(numbers: Iterable[int]) -> str:
    """0, 1, 2, 100 → '0–2, 100'."""
    runs: list[list[int]] = []
    for n in sorted(numbers):
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
