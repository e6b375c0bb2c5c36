"""The trials that a scale's own learning rates were chosen from: <scale>-tuning.csv beside <scale>.yaml.

A learning rate is bracketed when a lower and a higher one were tried and were worse: otherwise the best may
lie beyond what was tried.
"""

import csv
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from ademamix.errors import UserError
from ademamix.files import write_atomically
from ademamix.paper.setups import PAPER_HORIZON
from ademamix.scale import Scale
from ademamix.store import Store
from ademamix.sweeps.axes import text
from ademamix.sweeps.outcomes import loss
from ademamix.sweeps.space import Point, Space, Trial, at

FIELDS = ["scale", "size", "optimizer", "seed", "settings", "steps", "validation_loss", "run"]
RATE = "optimizer.lr"
Side = Literal["below", "above"]


def append(space: Space, store: Store, points: Sequence[Point], path: Path) -> int:
    """Append a row for every finished trial that is not there yet; returns how many.

    Raises:
        UserError: a seed is one that figures report.
    """
    reported = {*space.scale.seeds.headline, *space.scale.seeds.sweep} & {*space.seeds}
    if reported:
        raise UserError(
            f"figures report seed {min(reported)}; evidence is of others, such as "
            f"--seeds {','.join(map(str, space.scale.seeds.tuning))}"
        )
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
        one = Space(space.sweep.model_copy(update={"seeds": (seed,)}), space.scale, space.axes, space.units)
        found = loss(one, store, Trial(point, space.top))
        if outcome is None or found is None:
            continue
        settings = " ".join(f"{key}={text(at(spec, key))}" for key in space.keys)
        ending = text(found) if math.isfinite(found) else "diverged"
        steps = space.steps(spec, space.top)
        yield [space.scale.name, space.sweep.size, space.sweep.optimizer, str(seed), settings, str(steps), ending,
               spec.id]  # fmt: skip


class Chosen(NamedTuple):
    """A learning rate that a scale states, and the sides on which no worse one was tried."""

    size: str
    optimizer: str
    lr: float
    open: tuple[Side, ...]


def chosen(scale: Scale, path: Path) -> list[Chosen]:
    """Every learning rate that a scale states for a set-up and an optimizer with trials of it in the csv.

    Trials count where nothing but the learning rate was set and the training was of the usual length.
    """
    trials: dict[tuple[str, str], dict[str, dict[float, float]]] = defaultdict(lambda: defaultdict(dict))
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            key, _, value = row["settings"].partition("=")
            if key == RATE and " " not in value and int(row["steps"]) == scale.steps(PAPER_HORIZON):
                end = row["validation_loss"]
                ended = float(end) if end not in ("diverged", "failed") else math.inf
                trials[row["size"], row["optimizer"]][row["seed"]][float(value)] = ended
    return [
        Chosen(size, optimizer, lr, open_sides(lr, list(by_seed.values())))
        for (size, optimizer), by_seed in trials.items()
        if (lr := scale.lr.get(size, {}).get(optimizer)) is not None
    ]


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
