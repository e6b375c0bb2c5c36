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
FIRST = ("scale", "size", "optimizer", "units", "trial", "seed", "status", "loss", "steps", "seconds", "flops",
         "run")  # fmt: skip


def loss(space: Space, store: Store, trial: Trial) -> float | None:
    """The mean over seeds of the validation loss at a trial's last step; infinite when one diverged.

    None where a run has not come so far, or did not look there.
    """
    found = []
    for seed in space.seeds:
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
    """A row for each point and seed: the settings as asked, what came out, what it cost, every value of the run."""
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
    run, end = store.run(spec.id), space.steps(spec, space.top)
    state, outcome = run.status()
    levels = [space.steps(spec, level) for level in range(space.top + 1)]
    losses = [one for step in levels if (one := _loss(run, space.scale.validation_loss, step)) is not None]
    if state == "finished" and outcome and outcome.step < end:
        state_text = "left behind" if space.top else "started"
    else:
        state_text = state
    sweep = space.sweep
    asked = [
        space.scale.name,
        sweep.size,
        sweep.optimizer,
        space.units,
        str(number),
        str(spec.seed),
        state_text,
    ]
    if outcome is None:
        return [*asked, "", "", "", "", run.id]
    flops = outcome.step * spec.flops_per_step
    return [*asked, f"{losses[-1]:.9g}" if losses else "", str(outcome.step), f"{outcome.seconds:g}",
            f"{flops:.6g}", run.id]  # fmt: skip


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
    """The rows of now; where a run has no loss in the store any more, the row that it had before."""
    known = {row["run"]: row for row in before if row["loss"]}
    found = {row["run"]: row if row["loss"] else known.get(row["run"], row) for row in now}
    return list({**found, **{run: row for run, row in known.items() if run not in found}}.values())
