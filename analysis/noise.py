"""noise.csv: how much the final validation loss of a scale's runs varies over seeds."""

import csv
import io
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ademamix.files import write_atomically
from ademamix.plan import Wanted
from ademamix.report import describe
from ademamix.scale import Scale
from ademamix.settings import language_model
from ademamix.spec import RunSpec
from ademamix.store import Store
from analysis.stats import pooled_spread


def without_m1(size: str) -> str:
    """Whose spread runs of `size` with β1 = 0 have: without the fast EMA they vary several times more."""
    return f"{size}, β1 = 0"


@dataclass(frozen=True)
class Noise:
    """The standard deviation over seeds, pooled for each of the paper's sizes and over all of them.

    A size has two spreads, its own and that of its runs with β1 = 0 (`without_m1`).
    """

    by_size: Mapping[str, float]
    pooled: float | None

    def of(self, size: str) -> float | None:
        """Of one size (or `without_m1` of it); of all where it has no several seeds. None: not measured."""
        return self.by_size.get(size, self.pooled)


UNKNOWN = Noise({}, None)


def write_noise(wanted: Iterable[Wanted], at: Scale, store: Store, path: Path) -> None:
    """Write one row for each run that was trained with several seeds, with the spread of its
    final validation loss; no file when there is none.

    Runs with another batch than their size's usual one are left out, since few large or many small
    batches spread more; so are searches.
    """
    reported = {*at.seeds.headline, *at.seeds.sweep}
    groups: dict[RunSpec, list[float]] = defaultdict(list)
    for w in wanted:
        run = store.run(w.spec.id)
        outcome = run.outcome()
        size = language_model(at.size_name(w.spec.model))
        usual = w.spec.batch == at.batch_size(size.batch, size) and w.spec.seed in reported
        if usual and outcome and outcome.status == "finished":
            last = run.metrics()[-1]
            if at.validation_loss in last:
                groups[w.spec.reseeded(0)].append(last[at.validation_loss])
    rows = [
        (
            _whose(spec, at),
            describe(spec).rpartition(", seed")[0],
            len(values),
            f"{statistics.mean(values):.7g}",
            f"{statistics.stdev(values):.7g}",
        )
        for spec, values in groups.items()
        if len(values) > 1
    ]
    if rows:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([("size", "run", "seeds", "mean", "standard_deviation"), *sorted(rows)])
        write_atomically(path, text.getvalue().encode())


def _whose(spec: RunSpec, at: Scale) -> str:
    size = at.size_name(spec.model)
    return without_m1(size) if getattr(spec.optimizer, "beta1", None) == 0 else size


def read_noise(path: Path) -> Noise:
    """The pooled spreads of a noise.csv; `UNKNOWN` when there is none."""
    if not path.exists():
        return UNKNOWN
    groups: dict[str, list[tuple[int, float]]] = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            groups[row["size"]].append((int(row["seeds"]), float(row["standard_deviation"])))
    by_size = {size: spread for size, rows in groups.items() if (spread := pooled_spread(rows))}
    return Noise(by_size, pooled_spread([row for rows in groups.values() for row in rows]))
