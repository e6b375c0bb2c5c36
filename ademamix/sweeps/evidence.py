"""The trials that a scale's own learning rates were chosen from: <scale>-tuning.csv beside <scale>.yaml.

A learning rate is bracketed when a lower and a higher one were tried and were worse: otherwise the best may
lie beyond what was tried.
"""

import csv
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from ademamix.errors import UserError
from ademamix.files import write_atomically
from ademamix.scale import Scale, reported_seeds
from ademamix.store import Store
from ademamix.sweeps.axes import text
from ademamix.sweeps.outcomes import loss
from ademamix.sweeps.space import Point, Space, Trial, at

FIELDS = ["scale", "size", "optimizer", "seed", "settings", "steps", "validation_loss", "run"]
RATE = "optimizer.lr"
Side = Literal["below", "above"]


def refuse_reported(scale: Scale, seeds: Iterable[int]) -> None:
    """Raise UserError where a seed is one that figures report: trials of it would be no evidence."""
    if taken := reported_seeds(scale) & {*seeds}:
        raise UserError(
            f"figures report seed {min(taken)}; evidence is of others, such as "
            f"--seeds {','.join(map(str, scale.seeds.tuning))}"
        )


def append(space: Space, store: Store, points: Sequence[Point], path: Path) -> int:
    """Append a row for every finished trial that is not there yet; returns how many.

    Raises:
        UserError: a seed is one that figures report.
    """
    refuse_reported(space.scale, space.seeds)
    there = list(csv.reader(path.open())) if path.exists() else [FIELDS]
    known = {row[-1] for row in there}
    new = [row for point in points for row in _rows(space, store, point) if row[-1] not in known]
    with_all = "".join(f"{','.join(row)}\n" for row in [*there, *new])
    write_atomically(path, with_all.encode())
    return len(new)


def _rows(space: Space, store: Store, point: Point) -> Iterator[list[str]]:
    """A point's rows, its settings in the scale's own numbers."""
    for seed in space.seeds:
        spec = space.spec(point, seed)
        outcome = store.run(spec.id).outcome()
        found = loss(space, store, Trial(point, space.top), [seed])
        if outcome is None or found is None:
            continue
        settings = " ".join(f"{key}={text(at(spec, key))}" for key in space.keys)
        ending = text(found) if math.isfinite(found) else "diverged"
        steps = space.steps(spec, space.top)
        whose = [space.scale.name, space.sweep.size, space.sweep.optimizer, str(seed)]
        yield [*whose, settings, str(steps), ending, spec.id]


class Chosen(NamedTuple):
    """A learning rate that a scale states, and the sides on which no worse one was tried."""

    size: str
    optimizer: str
    lr: float
    open: tuple[Side, ...]


def chosen(scale: Scale, path: Path) -> list[Chosen]:
    """Every learning rate that a scale states for a set-up and an optimizer with trials of it in the csv."""
    return [
        Chosen(size, optimizer, lr, open_sides(lr, by_seed))
        for (size, optimizer), by_seed in rates_tried(path).items()
        if (lr := scale.lr.get(size, {}).get(optimizer)) is not None
    ]


def rates_tried(path: Path) -> dict[tuple[str, str], list[dict[float, float]]]:
    """Set-up and optimizer → for each seed, learning rate → loss, by the csv.

    Trials count where nothing but the learning rate was set, at the length that most of them had.
    """
    trials: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["settings"].startswith(f"{RATE}=") and " " not in row["settings"]:
                trials[row["size"], row["optimizer"]].append(row)
    return {of: _by_seed(rows) for of, rows in trials.items()}


def _by_seed(rows: Sequence[Mapping[str, str]]) -> list[dict[float, float]]:
    """For each seed, learning rate → loss, of the trainings of the usual length."""
    usual = Counter(row["steps"] for row in rows).most_common(1)[0][0]
    found: dict[str, dict[float, float]] = defaultdict(dict)
    for row in rows:
        if row["steps"] == usual:
            end = row["validation_loss"]
            ended = math.inf if end in ("diverged", "failed") else float(end)
            found[row["seed"]][float(row["settings"].partition("=")[2])] = ended
    return list(found.values())


def open_sides(chosen: float, by_seed: Sequence[Mapping[float, float]]) -> tuple[Side, ...]:
    """The sides of a value on which none that was tried is worse than it.

    `by_seed`: for each seed, value → loss. Values are compared by the mean over the seeds that both have.
    """
    worse = set()
    for value in {value for losses in by_seed for value in losses} - {chosen}:
        excess = [losses[value] - losses[chosen] for losses in by_seed if {value, chosen} <= losses.keys()]
        if excess and sum(excess) > 0:
            worse.add("below" if value < chosen else "above")
    sides: tuple[Side, ...] = ("below", "above")
    return tuple(side for side in sides if side not in worse)
