"""Records: what is left of a finished run without its checkpoints, one small compressed file for each.

They are committed under figures/<scale>/records, so that work is never lost between machines.
"""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ademamix.checkout import data_root
from ademamix.data.sets import DataConfig
from ademamix.errors import UserError
from ademamix.files import write_atomically, write_json
from ademamix.lineage import follows
from ademamix.quantities import parse as quantity
from ademamix.spec import SCHEMA, Need, RunSpec, parse
from ademamix.store import Outcome, Row, Run, Store, is_row, read_json, read_measurement
from ademamix.values import canonical

SCHEDULED = ("lr", "alpha", "beta1", "beta3", "beta4")  # columns that follow from the spec


def export(run: Run, folder: Path) -> Path:
    """Write the record of a complete run to `folder`; equal runs give equal bytes.

    Raises:
        UserError: the run is not complete, or damaged.
    """
    outcome, rows = run.complete()
    columns = sorted({key for row in rows for key in row} - {"step", *SCHEDULED})
    record = {
        "schema": SCHEMA,
        "spec": canonical(run.spec()),
        "outcome": outcome.as_json(),
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


def read_record(path: Path) -> tuple[RunSpec, Outcome, list[Row]]:
    """What a record holds.

    Raises:
        UserError: the file is damaged, of a newer schema, or not named after its run.
    """
    return _checked(path)[:3]


def _checked(path: Path) -> tuple[RunSpec, Outcome, list[Row], list[dict[str, Any]]]:
    """As `read_record`, and what observations of the run rest on."""
    with _readable(path):
        record = _load(path)
        spec, outcome, rows = (
            parse(record["spec"]),
            Outcome.parse(record["outcome"]),
            _rows(record["metrics"]),
        )
    if path.name != f"{spec.id}.json.gz":
        raise UserError(f"{path} holds run {spec.id}; export it again")
    if why := outcome.damage(rows):
        raise UserError(f"{path} is damaged: {why}; take it from git again")
    return spec, outcome, rows, record.get("evidence", [])


def read_outcome(path: Path) -> Outcome:
    """How the run of a record ended, for what it cost.

    Its rows, their seal and its name are not looked at, which would take most of the time.

    Raises:
        UserError: the file is damaged, or of a newer schema.
    """
    with _readable(path):
        return Outcome.parse(_load(path)["outcome"])


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What reading a damaged record raises becomes UserError."""
    try:
        yield
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, zlib.error):
        raise UserError(f"{path} is not a readable record; take it from git again") from None


def _load(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    if record["schema"] > SCHEMA:
        raise UserError(f"{path} was written by a newer version; update the code")
    return record


def load_record(path: Path, store: Store) -> bool:
    """Load a record into the store, without checkpoints. False when what is there is as complete.

    Raises:
        UserError: the file is damaged, of a newer schema, or not named after its run; or the run is
            being trained.
    """
    spec, outcome, rows, evidence = _checked(path)
    run = store.run(spec.id)
    with run.alone("its record was left out"):
        observe = {quantity(name): frozenset(steps) for name, steps in outcome.observed.items()}
        there = run.outcome()
        need = Need(spec, outcome.step, observe=observe)
        if there and there.serves(need) and follows(spec, there, store):
            return False
        run.reopen()
        run.remove_checkpoints_except(())
        run.begin(spec)
        run.write_metrics(rows)
        for found in evidence:
            run.write_evidence(found.pop("step"), found.pop("quantity"), found)
        run.finish(outcome)
        return True


def elsewhere(runs: Iterable[Run]) -> list[str]:
    """A line for each corpus that some of the runs were trained on and this machine has another of."""
    counts: Counter[str] = Counter(
        json.dumps(read_json(run.folder / "spec.json")["data"], sort_keys=True) for run in runs
    )
    return [
        f"{count} of these runs were trained on another {data.kind} than this machine's ({other}): no "
        "figure here uses them; install requirements.lock, or put the corpus of the recorded versions at "
        f"{data.folder(data_root())}"
        for text, count in counts.items()
        if (other := (data := DataConfig.read(json.loads(text))).differs())
    ]


def astray(store: Store) -> list[Run]:
    """The branches that go on from another training of their trunk than the one in the store."""
    return [
        run
        for run in store.runs()
        if (outcome := run.outcome())
        and outcome.past
        and (spec := run.spec()).fork
        and store.run(spec.fork.parent.id).outcome()
        and not follows(spec, outcome, store)
    ]


def _rows(metrics: dict[str, Any]) -> list[Row]:
    """The rows of a record. Raises ValueError and the like where it has none."""
    rows: list[Row] = [{"step": step} for step in metrics["step"]]
    for column, values in sorted(metrics.items()):
        if column != "step":
            for i, value in values:
                rows[i][column] = value
    if not all(map(is_row, rows)):
        raise ValueError("not rows")
    return rows


def export_measurements(store: Store, scale: str, folder: Path) -> list[Path]:
    """Copy the measurements taken at a scale to `folder`, beside its records."""
    written = []
    for path in sorted(store.measurement_path("*", scale).parent.glob(f"{scale}-figure-*.json")):
        written.append(folder / path.name)
        write_json(written[-1], read_measurement(path))
    return written


def load_measurement(path: Path, store: Store) -> None:
    """Load an exported measurement, unless one of the same runs was taken here."""
    found = read_measurement(path)
    own = store.measurement_path(found["figure"], found["scale"])
    if not own.exists() or read_measurement(own).get("runs") != found.get("runs"):
        write_json(own, found)
