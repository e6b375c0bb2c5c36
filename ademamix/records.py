"""Records: what is left of a finished run without its checkpoints, one small compressed file for each.

They are committed under figures/<scale>/records, so that work is never lost between machines.
"""

import gzip
import json
import zlib
from dataclasses import asdict
from pathlib import Path

from filelock import Timeout

from ademamix import owner
from ademamix.errors import UserError
from ademamix.files import write_atomically, write_json
from ademamix.quantities import parse as quantity
from ademamix.spec import SCHEMA, Need, parse
from ademamix.store import Outcome, Row, Run, Store, read_json
from ademamix.values import canonical


def export(run: Run, folder: Path) -> Path:
    """Write the record of a complete run to `folder`; equal runs give equal bytes."""
    outcome = run.outcome()
    assert outcome is not None, "only complete runs are exported"
    rows = run.metrics()
    columns = sorted({key for row in rows for key in row} - {"step"})
    record = {
        "schema": SCHEMA,
        "spec": canonical(run.spec()),
        "outcome": asdict(outcome),
        "metrics": {
            "step": [row["step"] for row in rows],
            **{
                column: [[i, row[column]] for i, row in enumerate(rows) if column in row]
                for column in columns
            },
        },
    }
    if evidence := run.evidence():
        record["evidence"] = evidence
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
    path = folder / f"{run.id}.json.gz"
    write_atomically(path, gzip.compress(text.encode(), mtime=0))
    return path


def load_record(path: Path, store: Store) -> bool:
    """Load a record into the store, without checkpoints. False when what is there is as complete.

    Raises:
        UserError: the file is damaged, of a newer schema, or not named after its run; or the run is
            being trained.
    """
    try:
        record = json.loads(gzip.decompress(path.read_bytes()))
        if record["schema"] > SCHEMA:
            raise UserError(f"{path} was written by a newer version; update the code")
        spec, outcome = parse(record["spec"]), Outcome(**record["outcome"])
        rows: list[Row] = [{"step": step} for step in record["metrics"].pop("step")]
        for column, values in sorted(record["metrics"].items()):
            for i, value in values:
                rows[i][column] = value
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError, zlib.error):
        raise UserError(f"{path} is not a readable record; take it from git again") from None
    if path.name != f"{spec.id}.json.gz":
        raise UserError(f"{path} holds run {spec.id}; export it again")
    run = store.run(spec.id)
    run.folder.mkdir(parents=True, exist_ok=True)
    try:
        run.lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"run {spec.id} is being trained; its record was left out") from None
    try:
        if owner.elsewhere(run.folder):
            raise UserError(f"run {spec.id} is being trained on another machine; its record was left out")
        observe = {quantity(name): frozenset(steps) for name, steps in outcome.observed.items()}
        there = run.outcome()
        if there and there.serves(Need(spec, outcome.step, observe=observe)):
            return False
        run.reopen()
        run.remove_checkpoints_except(())
        run.begin(spec)
        run.write_metrics(rows)
        for found in record.get("evidence", ()):
            step, name = found.pop("step"), found.pop("quantity")
            run.write_evidence(step, name, found)
        run.finish(outcome)
        return True
    finally:
        run.lock.release()


def export_measurements(store: Store, scale: str, folder: Path) -> list[Path]:
    """Copy the measurements taken at a scale to `folder`, beside its records."""
    written = []
    for path in sorted(store.measurement_path("*", scale).parent.glob(f"{scale}-figure-*.json")):
        written.append(folder / path.name)
        write_json(written[-1], read_json(path))
    return written


def load_measurement(path: Path, store: Store) -> None:
    """Load an exported measurement, unless one was taken here."""
    found = read_json(path)
    own = store.measurement_path(found["figure"], found["scale"])
    if not own.exists():
        write_json(own, found)
