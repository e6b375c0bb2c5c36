"""noise.csv: how much the final validation loss of a scale's runs varies over seeds."""

import csv
import io
import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from ademamix.files import write_atomically
from ademamix.plan import Wanted
from ademamix.report import describe
from ademamix.spec import RunSpec
from ademamix.store import Store
from analysis.stats import pooled_spread


def write_noise(wanted: Iterable[Wanted], store: Store, quantity: str, path: Path) -> None:
    """Write one row for each run that was trained with several seeds, with the spread of its
    final `quantity`; no file when there is none."""
    groups: dict[RunSpec, list[float]] = defaultdict(list)
    for w in wanted:
        run = store.run(w.spec.id)
        outcome = run.outcome()
        if outcome and outcome.status == "finished":
            last = run.metrics()[-1]
            if quantity in last:
                groups[w.spec.reseeded(0)].append(last[quantity])
    rows = [
        (describe(spec).rpartition(", seed")[0], len(values), *map(_short, spread(values)))
        for spec, values in groups.items()
        if len(values) > 1
    ]
    if rows:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([("run", "seeds", "mean", "standard_deviation"), *sorted(rows)])
        write_atomically(path, text.getvalue().encode())


def spread(values: list[float]) -> tuple[float, float]:
    """Mean and standard deviation."""
    return statistics.mean(values), statistics.stdev(values)


def _short(number: float) -> str:
    return f"{number:.7g}"


def read_noise(path: Path) -> float | None:
    """The standard deviation over seeds, pooled over all rows; None when nothing was measured."""
    import pandas as pd

    if not path.exists():
        return None
    rows = pd.read_csv(path)
    return pooled_spread(list(zip(rows["seeds"], rows["standard_deviation"], strict=True)))
