"""A run as it stands in a store: complete, under way, failed or damaged."""

from dataclasses import dataclass

from ademamix.errors import UserError
from ademamix.spec import RunSpec
from ademamix.store import CLOCK, Row, Run


@dataclass(frozen=True)
class Seen:
    """What is there of a run.

    Attributes:
        run: its folder.
        spec: what it is; None where its spec.json is damaged.
        state: 'finished', 'diverged', 'running', 'started', 'failed' or 'damaged'.
        problem: why it is damaged or failed.
        rows: all that was logged and observed.
        seconds: of training.
    """

    run: Run
    spec: RunSpec | None
    state: str
    problem: str
    rows: tuple[Row, ...]
    seconds: float | None

    @property
    def row(self) -> Row:
        """The last row that has a loss."""
        return next((row for row in reversed(self.rows) if "loss" in row), {})

    @property
    def loss(self) -> tuple[str, float | None]:
        """The name and value of the last loss: of validation where there is one."""
        names = [name for name in self.row if name.startswith("validation")] or ["loss"]
        return names[-1].partition(":")[0], self.row.get(names[-1])

    @property
    def flops(self) -> float | None:
        """What training it took so far, forward and backward."""
        if self.spec is None or not self.rows:
            return None
        return ((self.rows[-1]["step"] or 0) - self.spec.first_step) * self.spec.flops_per_step


def seen(run: Run) -> Seen:
    """Look at a run; damage is a state here, so that others can be shown beside it."""
    spec, problem, rows, seconds = None, "", list[Row](), None
    state: str = "damaged"
    try:
        spec = run.spec()
        status, outcome = run.status()
        if outcome:
            # `complete` judges the rows, without the clock; the page has them with it.
            run.complete()
            rows, seconds = run.rows(), outcome.seconds
        else:
            rows = run.rows()
            seconds = next((row[CLOCK] for row in reversed(rows) if CLOCK in row), None)
        state, problem = status, run.failure()
    except UserError as error:
        problem = str(error)
    return Seen(run, spec, state, problem, tuple(rows), seconds)


def stamp(run: Run) -> tuple[object, ...]:
    """What changes whenever `seen` would see something else: dates and sizes of its files, and its state."""
    files = (run.folder / "spec.json", run.metrics_path, run.folder / "outcome.json", run.failure_path)
    found: list[object] = []
    for path in files:
        try:
            about = path.stat()
            found += [about.st_mtime_ns, about.st_size]
        except FileNotFoundError:
            found.append(None)
    try:
        found.append(run.status()[0])
    except UserError:
        found.append("damaged")
    return tuple(found)
