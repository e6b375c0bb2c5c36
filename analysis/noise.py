"""noise.csv: how much the final validation loss of a scale's runs varies over seeds."""

import csv
import io
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ademamix.describe import describe
from ademamix.files import write_atomically
from ademamix.paper.runs import PaperRun
from ademamix.plan import Wanted
from ademamix.scale import Scale
from ademamix.spec import RunSpec
from ademamix.store import Store
from analysis.stats import pooled_spread


def without_m1(setup: str) -> str:
    """Whose spread runs of a set-up with β1 = 0 have: without the fast EMA they vary several times more."""
    return f"{setup}, β1 = 0"


@dataclass(frozen=True)
class Noise:
    """The standard deviation over seeds, pooled for each of the paper's set-ups and over all of them.

    A set-up has two spreads, its own and that of its runs with β1 = 0 (`without_m1`).
    """

    by_setup: Mapping[str, float]
    pooled: float | None

    def of(self, setup: str) -> float | None:
        """Of one set-up (or `without_m1` of it); of all where it has no several seeds. None: not measured."""
        return self.by_setup.get(setup, self.pooled)


UNKNOWN = Noise({}, None)


def write_noise(wanted: Iterable[Wanted], at: Scale, store: Store, path: Path) -> None:
    """Write one row for each run that was trained with several seeds, with the spread of its
    final validation loss; no file when there is none.

    Runs with another batch than their set-up's own are left out, since few large or many small
    batches spread more; so are searches, and runs that stand for none of the paper.
    """
    reported = {*at.seeds.headline, *at.seeds.sweep}
    groups: dict[RunSpec, list[float]] = defaultdict(list)
    whose: dict[RunSpec, str] = {}
    for w in wanted:
        paper = w.paper
        if paper is None or paper.spec.batch != paper.setup.batch or w.spec.seed not in reported:
            continue
        if (end := _final_loss(w.spec, at, store)) is not None:
            any_seed = w.spec.reseeded(0)
            groups[any_seed].append(end)
            whose[any_seed] = _whose(paper)
    rows = [
        (
            whose[spec],
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


def _final_loss(spec: RunSpec, at: Scale, store: Store) -> float | None:
    """The last validation loss of a finished run, where it was observed at its end."""
    run = store.run(spec.id)
    outcome = run.outcome()
    if outcome is None or outcome.status != "finished":
        return None
    return run.metrics()[-1].get(str(at.validation_loss))


def _whose(paper: PaperRun) -> str:
    name = paper.setup.name
    return without_m1(name) if getattr(paper.spec.optimizer, "beta1", None) == 0 else name


def read_noise(path: Path) -> Noise:
    """The pooled spreads of a noise.csv; `UNKNOWN` when there is none."""
    if not path.exists():
        return UNKNOWN
    groups: dict[str, list[tuple[int, float]]] = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            groups[row["size"]].append((int(row["seeds"]), float(row["standard_deviation"])))
    by_setup = {setup: spread for setup, rows in groups.items() if (spread := pooled_spread(rows))}
    return Noise(by_setup, pooled_spread([row for rows in groups.values() for row in rows]))
