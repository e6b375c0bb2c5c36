"""Where runs live on disk, and what is known of each.

runs/
  store.json             the schema's version
  measurements/          what depends on the machine: <scale>-<figure>.json
  <id>/
    spec.json            the canonical spec
    metrics.jsonl        one line per logged step: the truth of the run
    checkpoints/         see training/checkpoint.py
    outcome.json         the completeness marker, written last: finished or diverged
    failure.txt          the traceback of a run that crashed
    observations/        what observations rest on that are more than a number: <step>-<quantity>.json
    lock                 held by the process that trains the run
    owner.json           which process that is; touched as long as it lives (see owner.py)
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

import ademamix.tasks  # noqa: F401 (whose specs are the ones that the store reads)
from ademamix import owner
from ademamix.errors import UserError
from ademamix.files import write_atomically, write_json
from ademamix.quantities import Quantity
from ademamix.spec import SCHEMA, Need, Observe, RunSpec, parse
from ademamix.values import canonical

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
    """

    status: Literal["finished", "diverged"]
    step: int
    observed: Mapping[str, list[int]]
    seconds: float
    machine: Mapping[str, Any] = field(default_factory=dict)

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

    @cached_property
    def lock(self) -> FileLock:
        """Held while the run is trained; the system releases it however the process ends.

        Not every network file system keeps locks, so `owner.py` says who trains it, too.
        """
        return FileLock(self.folder / "lock")

    def spec(self) -> RunSpec:
        return parse(read_json(self.folder / "spec.json"))

    def outcome(self) -> Outcome | None:
        """The outcome, or None while the run is not complete."""
        try:
            data = read_json(self.folder / "outcome.json")
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Outcome(**{key: value for key, value in data.items() if key != "schema"})

    def finish(self, outcome: Outcome) -> None:
        """Write the completeness marker."""
        self.failure_path.unlink(missing_ok=True)
        write_json(self.folder / "outcome.json", {"schema": SCHEMA, **asdict(outcome)})

    def reopen(self) -> None:
        """Take the completeness marker away, to extend the run."""
        (self.folder / "outcome.json").unlink(missing_ok=True)

    def failure(self) -> str:
        """The last line of why the run failed; empty when nothing is known."""
        try:
            lines = self.failure_path.read_text().strip().splitlines()
        except FileNotFoundError:
            return ""
        return lines[-1] if lines else ""

    def begin(self, spec: RunSpec) -> None:
        """Create the folder with its spec."""
        write_json(self.folder / "spec.json", {"schema": SCHEMA, **canonical(spec)})

    def checkpoint_path(self, step: int) -> Path:
        """The file of checkpoint `step`; its marker, written after it, has the suffix .json."""
        return self.checkpoints / f"{step:09d}.pt"

    def checkpoint_steps(self) -> frozenset[int]:
        """Steps with a checkpoint that claims to be complete."""
        return frozenset(int(marker.stem) for marker in self.checkpoints.glob("*.json"))

    def remove_checkpoints_except(self, wanted: Collection[int]) -> None:
        """Delete every other checkpoint, markers first, and what a crash left behind."""
        for step in self.checkpoint_steps() - set(wanted):
            self.checkpoint_path(step).with_suffix(".json").unlink(missing_ok=True)
        whole = {self.checkpoint_path(step) for step in self.checkpoint_steps()}
        for file in {*self.checkpoints.glob("*.pt"), *self.checkpoints.glob(".*.tmp")} - whole:
            file.unlink(missing_ok=True)

    def metrics(self) -> list[Row]:
        """All logged rows, in order."""
        return list(read_rows(self.metrics_path))

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
        if marker.exists() and read_json(marker)["schema"] > SCHEMA:
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

    def find(self, prefix: str) -> Run:
        """The one run whose id begins with `prefix`."""
        found = sorted(self.root.glob(f"{prefix}*/spec.json"))
        if len(found) != 1:
            what = "no run" if not found else f"{len(found)} runs"
            raise UserError(f"{what} in {self.root} with an id beginning with '{prefix}'")
        return Run(found[0].parent)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of the store, or a UserError that names the damaged file."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except ValueError:
        raise UserError(f"{path} is damaged; delete {path.parent} and run again") from None
    return found


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a metrics file; a last line cut short by a crash is left out."""
    try:
        lines = path.read_text().splitlines(keepends=True)
    except FileNotFoundError:
        return
    for line in lines:
        if line.endswith("\n"):
            yield json.loads(line)


def line(row: Row) -> str:
    """A row as it stands in metrics.jsonl."""
    return json.dumps(row, allow_nan=False) + "\n"
