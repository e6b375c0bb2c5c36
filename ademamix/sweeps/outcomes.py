"""What the store knows of the trials of a sweep, and the tidy rows that it gives."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ademamix.errors import UserError
from ademamix.files import write_atomically
from ademamix.quantities import Quantity
from ademamix.spec import RunSpec
from ademamix.store import Run, Store, read_json
from ademamix.sweeps.axes import text
from ademamix.sweeps.space import Point, Space, Trial, at, first
from ademamix.values import UnknownKey, canonical

Row = dict[str, str]
ASKED = ("scale", "size", "optimizer", "units", "trial", "seed")
OUTCOME = ("status", "loss", "steps", "seconds", "flops")
FIRST = (*ASKED, *OUTCOME, "run")


def loss(space: Space, store: Store, trial: Trial, seeds: Sequence[int] = ()) -> float | None:
    """The mean over seeds, by default the sweep's, of the validation loss at a trial's last step.

    Infinite where one diverged.
    None where a run has not come so far, or did not look there.
    """
    found = []
    for seed in seeds or space.seeds:
        spec = space.spec(trial.point, seed)
        found.append(_loss(store.run(spec.id), space.scale.validation_loss, space.steps(spec, trial.level)))
    known = [one for one in found if one is not None]
    return sum(known) / len(known) if len(known) == len(found) else None


def _loss(run: Run, quantity: Quantity, step: int) -> float | None:
    outcome = run.outcome()
    if outcome is None:
        return None
    if outcome.status == "diverged" and outcome.step <= step:
        return math.inf
    if step not in outcome.observed.get(str(quantity), ()):
        return None
    row = next((row for row in run.metrics() if row["step"] == step), {})
    value = row.get(str(quantity), math.inf)
    return math.inf if value is None else value


def stored(space: Space, store: Store) -> list[Point]:
    """Every point of the space of which the store has a run, whoever trained it.

    In the order in which they ended, as a search would have seen it; those without an end last.
    """
    found: dict[Point, float] = {}
    model = canonical(space.spec(tuple(map(first, space.axes.values())), space.seeds[0]).model)
    for run in store.runs():
        data = read_json(run.folder / "spec.json")
        seen = (
            data.get("optimizer", {}).get("kind") == space.sweep.optimizer and data.get("seed") in space.seeds
        )
        if not seen or (data["model"] != model and not any(key.startswith("model.") for key in space.keys)):
            continue
        if (point := _point(space, run)) is not None:
            end = run.folder / "outcome.json"
            found[point] = max(found.get(point, 0.0), end.stat().st_mtime if end.exists() else math.inf)
    return sorted(found, key=lambda point: (found[point], str(point)))


def _point(space: Space, run: Run) -> Point | None:
    """The point that a run stands for; None where it is none of this space."""
    try:
        spec = run.spec()
        point = tuple(at(spec, key) for key in space.keys)
        if not all(value in axis for value, axis in zip(point, space.axes.values(), strict=True)):
            return None
        return point if space.spec(point, spec.seed).id == spec.id else None
    except (UnknownKey, UserError):
        return None


def rows(space: Space, store: Store, points: Iterable[Point]) -> Iterator[Row]:
    """A row for each point and seed: settings as asked, what came out, its cost, every value of the run."""
    for number, point in enumerate(points):
        for seed in space.seeds:
            spec = space.spec(point, seed)
            yield {
                **dict(zip(FIRST, _first(space, store, number, spec), strict=True)),
                **{key: text(value) for key, value in zip(space.keys, point, strict=True)},
                **{f"run.{key}": text(value) for key, value in leaves(spec)},
            }


def _first(space: Space, store: Store, number: int, spec: RunSpec) -> list[str]:
    """The columns of `FIRST`."""
    run, sweep = store.run(spec.id), space.sweep
    asked = [space.scale.name, sweep.size, sweep.optimizer, space.units, str(number), str(spec.seed)]
    state, outcome = run.status()
    if outcome is None:
        return [*asked, state, "", "", "", "", run.id]
    steps = [space.steps(spec, level) for level in range(space.top + 1)]
    short = state == "finished" and outcome.step < steps[-1]
    losses = [one for step in steps if (one := _loss(run, space.scale.validation_loss, step)) is not None]
    ending = f"{losses[-1]:.9g}" if losses else ""
    flops = f"{outcome.step * spec.flops_per_step:.6g}"
    state_here = "left behind" if short and space.top else "started" if short else state
    return [*asked, state_here, ending, str(outcome.step), f"{outcome.seconds:g}", flops, run.id]


def leaves(value: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """('optimizer.lr', 0.001) for every value of a run that a setting could name, but for its seed."""
    for name in type(value).model_fields:
        found = getattr(value, name)
        if isinstance(found, BaseModel):
            yield from leaves(found, f"{prefix}{name}.")
        elif not isinstance(found, Mapping) and f"{prefix}{name}" not in ("seed", "fork"):
            yield f"{prefix}{name}", found


def write_rows(found: Sequence[Row], path: Path) -> None:
    """A tidy csv; equal rows give equal bytes."""
    columns = list(dict.fromkeys(key for row in found for key in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    write_atomically(path, file.getvalue().encode())


def read_rows(path: Path) -> list[Row]:
    """The rows of a csv; [] where there is none."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def merged(before: Sequence[Row], now: Sequence[Row]) -> list[Row]:
    """The rows of now; where a run has no loss in the store any more, with what came out of it before."""
    known = {row["run"]: row for row in before if row["loss"]}
    found = [row if row["loss"] else row | _came_out(known.get(row["run"], {})) for row in now]
    there = {row["run"] for row in now}
    return found + [row for row in before if row["loss"] and row["run"] not in there]


def _came_out(row: Row) -> Row:
    return {name: row[name] for name in OUTCOME if name in row}
