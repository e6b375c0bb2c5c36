"""noise.csv: how much the final validation loss of a scale's runs varies over seeds."""

import csv
import io
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ademamix.describe import describe_all
from ademamix.errors import UserError, in_one_line
from ademamix.paper.runs import PaperRun
from ademamix.plan import Wanted
from ademamix.scale import Scale
from ademamix.spec import RunSpec
from ademamix.store import Store
from ademamix.values import Shared
from analysis.stats import alike, pooled_spread
from analysis.tables import AGAIN, beside, refuse_damaged, write_with_checksum


def group_of(paper: PaperRun) -> str:
    """Whose spread a run of the paper has: its set-up's and optimizer's, '110M AdEMAMix'.

    Without the fast EMA (β1 = 0) runs vary several times more: a group of their own.
    """
    optimizer = paper.spec.optimizer
    without_m1 = ", β1 = 0" if getattr(optimizer, "beta1", None) == 0 else ""
    return f"{paper.setup.name} {optimizer.TITLE}{without_m1}"


@dataclass(frozen=True)
class Noise(Shared):
    """Standard deviations over seeds of final losses.

    Attributes:
        by_group: of each group of runs (`group_of`) with several seeds.
        pooled: over all of them; None: nothing has several seeds.
    """

    by_group: Mapping[str, float]
    pooled: float | None

    def of(self, group: str) -> float | None:
        """Of a group; where it has no several seeds, the largest of its set-up, or that pooled over all.

        None: not known.
        """
        if not group:
            return None
        if group in self.by_group:
            return self.by_group[group]
        setup = group.partition(" ")[0]
        near = [spread for name, spread in self.by_group.items() if name.partition(" ")[0] == setup]
        return max(near, default=self.pooled)


UNKNOWN = Noise({}, None)


def write_noise(wanted: Iterable[Wanted], at: Scale, store: Store, path: Path) -> None:
    """Write one row for each run that was trained with several seeds, with the spread of its
    final validation loss; no file when there is none.

    Runs with another batch than their set-up's own are left out, since few large or many small
    batches spread more; so are searches, and runs that stand for none of the paper.
    """
    reported = at.seeds.reported
    groups: dict[RunSpec, list[float]] = defaultdict(list)
    whose: dict[RunSpec, str] = {}
    for w in wanted:
        paper = w.paper
        if paper is None or paper.spec.batch != paper.setup.batch or w.spec.seed not in reported:
            continue
        if (end := _final_loss(w.spec, at, store)) is not None:
            any_seed = w.spec.reseeded(0)
            groups[any_seed].append(end)
            whose[any_seed] = group_of(paper)
    several = {spec: values for spec, values in groups.items() if len(values) > 1}
    _, names = describe_all(list(several))
    rows = [
        (
            whose[spec],
            name,
            len(values),
            f"{statistics.mean(values):.7g}",
            f"{statistics.stdev(values):.7g}",
        )
        for (spec, values), name in zip(several.items(), names, strict=True)
    ]
    if rows:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([("group", "run", "seeds", "mean", "standard_deviation"), *sorted(rows)])
        write_with_checksum(path, text.getvalue().encode())


def _final_loss(spec: RunSpec, at: Scale, store: Store) -> float | None:
    """The last validation loss of a finished run, where it was observed at its end."""
    run = store.run(spec.id)
    outcome = run.outcome()
    if outcome is None or outcome.status != "finished":
        return None
    return run.complete()[1][-1].get(str(at.validation_loss))


def read_noise(path: Path) -> Noise:
    """The pooled spreads of a noise.csv; `UNKNOWN` when there is none. UserError where it is damaged.

    A run whose seeds differ far more than those of its group, such as one that falls astray with some seeds
    only, is listed, and left out of the pool: it says nothing about the others.
    """
    if not path.exists():
        if beside(path).exists():
            raise UserError(f"{path} is missing; {AGAIN}")
        return UNKNOWN
    refuse_damaged(path)
    groups: dict[str, list[tuple[int, float]]] = defaultdict(list)
    try:
        for row in csv.DictReader(io.StringIO(path.read_bytes().decode())):
            seeds, deviation = int(row["seeds"]), float(row["standard_deviation"])
            if not (seeds > 1 and 0 <= deviation < math.inf):
                raise ValueError("not a spread")
            groups[row["group"]].append((seeds, deviation))
    except (ValueError, KeyError, TypeError, csv.Error) as problem:
        raise UserError(f"{path} is damaged ({in_one_line(problem)}); {AGAIN}") from None
    if not groups:
        raise UserError(f"{path} is empty; {AGAIN}")
    usual = {group: alike(rows) for group, rows in groups.items()}
    by_group = {group: spread for group, rows in usual.items() if (spread := pooled_spread(rows))}
    return Noise(by_group, pooled_spread([row for rows in usual.values() for row in rows]))
