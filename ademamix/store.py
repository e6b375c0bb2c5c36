"""Where runs live on disk, and what is known of each.

runs/
  store.json             the schema's version
  measurements/          what depends on the machine: <scale>-<figure>.json
  <id>/
    spec.json            the canonical spec
    metrics.jsonl        one line per logged step: the truth of the run
    keep.json            checkpoints that somebody wants to have (`ademamix train`)
    checkpoints/         see training/checkpoint.py
    outcome.json         the completeness marker, written last: finished or diverged
    failure.txt          the traceback of a run that crashed
    failure-before.txt   that of the attempt before
    stop                 made by somebody who wants the run to stop: it is not trained while this is there
    observations/        what observations rest on that are more than a number: <step>-<quantity>.json
    lock                 held by the process that trains the run
    owner.json           which process that is; touched as long as it lives (see owner.py)
"""

import json
import math
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import ConfigDict, TypeAdapter

import ademamix.tasks  # noqa: F401 (whose specs are the ones that the store reads)
from ademamix import owner
from ademamix.errors import UserError
from ademamix.files import write_atomically, write_json
from ademamix.quantities import Quantity, is_quantity
from ademamix.seal import SEAL, broken, seal_of, sealed
from ademamix.spec import SCHEMA, Need, Observe, RunSpec, parse
from ademamix.values import canonical

PAST = "past"  # the key of an outcome that is left out where it is empty: older ones are sealed without it
CLOCK = "seconds"  # the column of a row that no two trainings have in common
Row = dict[str, float | None]  # what was logged and observed at a step; None: not finite
Status = Literal["finished", "diverged", "failed", "running", "started", "new"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        status: 'finished', or 'diverged' when a loss was not finite.
        step: the last step; for a diverged run, the step whose loss was not finite.
        observed: quantity, as text → the steps at which it was observed.
        seconds: wall-clock time of training, over all resumes.
        machine: processor or GPU, threads, versions, the data's digest.
        past: of a branch, which training of its trunk it goes on from (`lineage.past`); "": not noted.
        seal: of all this and the rows that belong to it (`seal_with`); "" in stores older than seals.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    status: Literal["finished", "diverged"]
    step: int
    observed: Mapping[str, list[int]]
    seconds: float
    machine: Mapping[str, Any] = field(default_factory=dict)
    past: str = ""
    seal: str = ""

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> "Outcome":
        """The outcome of plain data. Raises ValueError where it is not one."""
        return _OUTCOME.validate_python({key: value for key, value in data.items() if key != "schema"})

    def as_json(self) -> dict[str, Any]:
        """Plain data, without the seal."""
        return {key: value for key, value in asdict(self).items() if key != SEAL and (value or key != PAST)}

    def seal_with(self, rows: Iterable[Row]) -> str:
        """The seal over this and those of `rows` that it knows of.

        What was observed of a checkpoint later, and not noted here before a crash, has no part in it.
        """
        return seal_of(self.as_json(), [found for row in rows if len(found := self._known(row)) > 1])

    def _known(self, row: Row) -> Row:
        step = row["step"]
        return {c: v for c, v in row.items() if not is_quantity(c) or step in self.observed.get(c, ())}

    def damage(self, rows: Sequence[Row]) -> str:
        """What is wrong with the `rows` of a run that ended so; '' when nothing is."""
        steps = [int(row["step"] or 0) for row in rows]
        if steps != sorted(set(steps)):
            return "its steps are out of order"
        if self.status == "finished" and (not steps or steps[-1] != self.step):
            return f"it ends at step {steps[-1] if steps else 0}, the run at {self.step}"
        there: dict[str, set[int]] = {column: set() for column in self.observed}
        for row, step in zip(rows, steps, strict=True):
            for column in there.keys() & row.keys():
                there[column].add(step)
        for column, wanted in self.observed.items():
            if lost := set(wanted) - there[column]:
                return f"it lacks {column} of step {min(lost)}" + (
                    f", and {len(lost) - 1} more" * (len(lost) > 1)
                )
        if self.seal and self.seal != self.seal_with(rows):
            return "it is not as it was written"
        return ""

    def serves(self, need: Need) -> bool:
        """Whether all that `need` wants, but for checkpoints, was measured."""
        long_enough = self.status == "diverged" or self.step >= need.until
        return long_enough and not self.lacks(need)

    def lacks(self, need: Need) -> dict[Quantity, frozenset[int]]:
        """What `need` wants observed and was not, at steps that the run came to."""
        return missing(self.observed, need.observe, until=min(self._last_sound, need.until))

    def observable_later(self, need: Need, checkpoints: frozenset[int]) -> dict[Quantity, frozenset[int]]:
        """What `need` wants observed, was not, and can still be from the checkpoints that were kept."""
        found = {q: steps & checkpoints for q, steps in self.lacks(need).items() if q.LATER}
        return {quantity: steps for quantity, steps in found.items() if steps}

    def reached(self, steps: frozenset[int]) -> frozenset[int]:
        """Those of `steps` that the run came to before it ended or diverged."""
        return frozenset(step for step in steps if step <= self._last_sound)

    @property
    def _last_sound(self) -> int:
        return self.step if self.status == "finished" else self.step - 1


_OUTCOME = TypeAdapter(Outcome)


def missing(
    observed: Mapping[str, Collection[int]], wanted: Observe, until: int
) -> dict[Quantity, frozenset[int]]:
    """What is `wanted` up to step `until` and not among what was `observed`."""
    found = {
        quantity: frozenset(step for step in steps if step <= until) - set(observed.get(str(quantity), ()))
        for quantity, steps in wanted.items()
    }
    return {quantity: steps for quantity, steps in found.items() if steps}


class Run:
    """The folder of one run. Reading never creates it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name
        self.metrics_path = folder / "metrics.jsonl"
        self.checkpoints = folder / "checkpoints"
        self.failure_path = folder / "failure.txt"
        self.failure_before_path = folder / "failure-before.txt"
        self.stop_path = folder / "stop"

    @cached_property
    def lock(self) -> FileLock:
        """Held while the run is trained; the system releases it however the process ends.

        Not every network file system keeps locks, so `owner.py` says who trains it, too.
        """
        return FileLock(self.folder / "lock")

    def spec(self) -> RunSpec:
        """The run. Raises UserError where spec.json is damaged, or of another run."""
        path = self.folder / "spec.json"
        try:
            found = parse(read_json(path))
        except UserError as problem:
            raise self._damaged(f"{path} is damaged ({problem})") from None
        if found.id != self.id:
            raise self._damaged(f"{path} is damaged (it is that of run {found.id})")
        return found

    def outcome(self) -> Outcome | None:
        """The outcome, or None while the run is not complete. Raises UserError where it is damaged."""
        path = self.folder / "outcome.json"
        try:
            return Outcome.parse(read_json(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (UserError, ValueError):
            raise self._damaged(f"{path} is damaged") from None

    def complete(self) -> tuple[Outcome, list[Row]]:
        """How the run ended, and its rows, which hold all that the outcome says was observed.

        Raises:
            UserError: the run is not complete, or its files are damaged.
        """
        outcome = self.outcome()
        if outcome is None:
            raise UserError(f"run {self.id} is not complete; train it with 'ademamix run --figure …'")
        rows = self.metrics()
        if why := outcome.damage(rows):
            raise self._damaged(f"{self.metrics_path} is damaged: {why}")
        return outcome, rows

    def _damaged(self, what: str) -> UserError:
        return UserError(f"{what}; copy the run again, or delete {self.folder} and run again")

    def finish(self, outcome: Outcome) -> None:
        """Write the completeness marker, over the rows that are there."""
        self.forget_failures()
        seal = outcome.seal_with(self.metrics())
        write_json(self.folder / "outcome.json", {"schema": SCHEMA, **outcome.as_json(), SEAL: seal})

    def reopen(self) -> None:
        """Take the completeness marker away, to extend the run."""
        (self.folder / "outcome.json").unlink(missing_ok=True)

    def failure(self) -> str:
        """The last line of why the run failed; empty when nothing is known."""
        return _last_line(self.failure_path)

    def fail(self, message: str) -> None:
        """Say why the run failed."""
        write_atomically(self.failure_path, (message.rstrip() + "\n").encode())

    def try_again(self) -> None:
        """Begin another attempt; how the last one failed is remembered until the run is complete."""
        with suppress(FileNotFoundError):
            self.failure_path.replace(self.failure_before_path)

    @property
    def fails_alike(self) -> bool:
        """Whether the last two attempts failed in the same way: a third one would, too."""
        return bool(self.failure()) and self.failure() == _last_line(self.failure_before_path)

    def forget_failures(self) -> None:
        """As if it had never failed."""
        self.failure_path.unlink(missing_ok=True)
        self.failure_before_path.unlink(missing_ok=True)

    def begin(self, spec: RunSpec) -> None:
        """Create the folder with its spec."""
        write_json(self.folder / "spec.json", {"schema": SCHEMA, **canonical(spec)})

    @contextmanager
    def alone(self, otherwise: str) -> Iterator[None]:
        """A block in which nobody trains the run.

        Raises:
            UserError: somebody does; `otherwise` says what that means.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            raise UserError(f"run {self.id} is being trained; {otherwise}") from None
        try:
            if owner.elsewhere(self.folder):
                raise UserError(f"run {self.id} is being trained on another machine; {otherwise}")
            yield
        finally:
            self.lock.release()

    def announce(self, spec: RunSpec) -> None:
        """Say that the run will be trained: its folder with its spec, where there is none yet."""
        if not (self.folder / "spec.json").exists():
            self.begin(spec)

    def checkpoint_path(self, step: int) -> Path:
        """The file of checkpoint `step`; its marker, written after it, has the suffix .json."""
        return self.checkpoints / f"{step:09d}.pt"

    def shards_path(self, step: int) -> Path:
        """The folder of checkpoint `step` where ranks have written it in shards; its marker is the same."""
        return self.checkpoints / f"{step:09d}.sharded"

    def checkpoint_steps(self) -> frozenset[int]:
        """Steps with a checkpoint that claims to be complete."""
        return frozenset(
            int(marker.stem) for marker in self.checkpoints.glob("*.json") if marker.stem.isdecimal()
        )

    def keep(self, steps: Collection[int]) -> None:
        """Note checkpoints that somebody wants to have, whatever figures need."""
        write_json(self.folder / "keep.json", {"steps": sorted({*self.kept(), *steps})})

    def kept(self) -> frozenset[int]:
        """The steps whose checkpoints somebody wants to have."""
        path = self.folder / "keep.json"
        steps = read_json(path).get("steps") if path.exists() else []
        if not isinstance(steps, list) or not all(type(step) is int for step in steps):
            raise UserError(f"{path} is damaged; delete it and run again")
        return frozenset(steps)

    def remove_checkpoints_except(self, wanted: Collection[int]) -> None:
        """Delete every other checkpoint, markers first, and what a crash left behind."""
        for step in self.checkpoint_steps() - set(wanted):
            self.checkpoint_path(step).with_suffix(".json").unlink(missing_ok=True)
        whole = {path for step in self.checkpoint_steps()
                 for path in (self.checkpoint_path(step), self.shards_path(step))}  # fmt: skip
        patterns = ("*.pt", "*.sharded", ".*.tmp")
        for path in {path for pattern in patterns for path in self.checkpoints.glob(pattern)} - whole:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def metrics(self) -> list[Row]:
        """All logged rows, in order, but for their `seconds`: what is the same on every machine.

        Raises:
            UserError: one is not a row.
        """
        return [{c: v for c, v in row.items() if c != CLOCK} for row in self.rows()]

    def rows(self) -> list[Row]:
        """As `metrics`, with the seconds of training so far."""
        try:
            return list(read_rows(self.metrics_path))
        except ValueError as problem:
            raise self._damaged(f"{self.metrics_path} is damaged: {problem}") from None

    def observed(self) -> dict[str, set[int]]:
        """What stands in the rows, by column → steps."""
        found: dict[str, set[int]] = {}
        for row in self.metrics():
            for name in row:
                found.setdefault(name, set()).add(int(row["step"] or 0))
        return found

    def evidence_path(self, step: int, quantity: str) -> Path:
        """What an observation that is more than a number rests on."""
        return self.folder / "observations" / f"{step:09d}-{re.sub('[:/]', '-', quantity)}.json"

    def write_evidence(self, step: int, quantity: str, evidence: Mapping[str, Any]) -> None:
        write_json(self.evidence_path(step, quantity), {"step": step, "quantity": quantity, **evidence})

    def evidence(self) -> list[dict[str, Any]]:
        """All of it, by step and quantity."""
        return [read_json(path) for path in sorted((self.folder / "observations").glob("*.json"))]

    def write_metrics(self, rows: Iterable[Row]) -> None:
        """Replace all rows, atomically."""
        write_atomically(self.metrics_path, "".join(map(line, rows)).encode())

    def status(self) -> tuple[Status, Outcome | None]:
        """What the run is doing, and its outcome if it has one."""
        if outcome := self.outcome():
            return outcome.status, outcome
        if not self.folder.is_dir():
            return "new", None
        if owner.alive(self.folder):
            return "running", None
        return ("failed" if self.failure_path.exists() else "started"), None


class Store:
    """All runs under one folder.

    Raises:
        UserError: the folder was written by a newer schema.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        marker = root / "store.json"
        if not marker.exists():
            return
        schema = read_json(marker).get("schema")
        if not isinstance(schema, int):
            raise UserError(f"{marker} is damaged; delete it (the runs stay) and run again")
        if schema > SCHEMA:
            raise UserError(f"{root} was written by a newer version; update the code, or name another "
                            "store with --runs")  # fmt: skip

    def open(self) -> None:
        """Make the store ready for writing, or say in one line why it cannot be."""
        try:
            write_json(self.root / "store.json", {"schema": SCHEMA})
        except OSError as error:
            raise UserError(
                f"cannot write to {self.root}: {error.strerror}; name another place with --runs DIR"
            ) from None

    def run(self, id: str) -> Run:
        return Run(self.root / id)

    def runs(self) -> Iterator[Run]:
        """Every run in the store, by id."""
        for path in sorted(self.root.glob("*/spec.json")):
            yield Run(path.parent)

    def measurement_path(self, figure: str, scale: str) -> Path:
        """Where a measurement of this machine lies, such as Figure 5a's; it has no run and no id."""
        return self.root / "measurements" / f"{scale}-{figure}.json"

    def measurement(self, figure: str, scale: str) -> dict[str, Any]:
        """What was measured of a figure at a scale; UserError where it was not, or is damaged."""
        path = self.measurement_path(figure, scale)
        if not path.exists():
            raise UserError(f"{figure} was not measured at scale {scale}; make it with 'make'")
        return read_measurement(path)

    def find(self, prefix: str) -> Run:
        """The one run whose id begins with `prefix`."""
        found = sorted(self.root.glob(f"{prefix}*/spec.json"))
        if len(found) != 1:
            what = "no run" if not found else f"{len(found)} runs"
            raise UserError(f"{what} in {self.root} with an id beginning with '{prefix}'")
        return Run(found[0].parent)


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text().strip().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return lines[-1] if lines else ""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of the store, or a UserError that names the damaged file."""
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UserError(f"{path} is damaged; delete it and run again")
    return found


def read_measurement(path: Path) -> dict[str, Any]:
    """A measurement, in a store or among records; UserError where it is damaged."""
    found = read_json(path)
    if broken(found) or not {"figure", "scale"} <= found.keys():
        raise UserError(f"{path} is damaged; delete it and measure again")
    return found


def write_measurement(path: Path, found: Mapping[str, Any]) -> None:
    """Write a measurement with its seal."""
    write_json(path, sealed(found))


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a metrics file; a last line cut short by a crash is left out.

    Raises:
        ValueError: a whole line is not a row.
    """
    try:
        *lines, _ = path.read_bytes().decode().split("\n")
    except FileNotFoundError:
        return
    for number, text in enumerate(lines, start=1):
        row = json.loads(text)
        if not is_row(row):
            raise ValueError(f"line {number} is not a row")
        yield row


def is_row(row: Any) -> bool:
    """Whether plain data is a row: a step, and numbers or null."""
    return (
        isinstance(row, dict)
        and type(row.get("step")) is int
        and all(v is None or (type(v) in (int, float) and math.isfinite(v)) for v in row.values())
    )


def line(row: Row) -> str:
    """A row as it stands in metrics.jsonl."""
    return json.dumps(row, allow_nan=False) + "\n"
