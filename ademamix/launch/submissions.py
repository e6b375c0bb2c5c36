"""What was sent to a cluster, kept in the store: <store>/slurm/<name>.json, beside a folder of its logs.

The store is the truth of runs; this is only how to ask the cluster about those that are not there yet. A
submission is written before it is sent, under a name of its own, so that one whose sender was killed
meanwhile is found again.
"""

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock
from pydantic import Field, ValidationError

from ademamix import owner
from ademamix.errors import UserError
from ademamix.files import write_atomically
from ademamix.launch.batches import Batch, task_ids
from ademamix.launch.states import LIVE, State
from ademamix.store import Store
from ademamix.values import Frozen

UNHEARD_OF = 120.0  # seconds for which a new job may be unknown to the cluster


class Submission(Frozen):
    """A job, or an array of them, that was sent.

    Attributes:
        name: of the job, and of the folder of its logs.
        job: its id; None until the cluster has answered.
        sent: when, in seconds since 1970.
        asked: what each task asked for, for people.
        after: the task it waits for.
        tasks: the runs of each task.
        steps: run → its last checkpoint when it was sent, where it had one.
        ended: task → what became of it.
    """

    name: str
    job: str | None = None
    sent: float
    asked: str = ""
    after: str | None = None
    tasks: tuple[tuple[str, ...], ...]
    steps: dict[str, int] = Field(default_factory=dict)
    ended: dict[str, State] = Field(default_factory=dict)

    @property
    def runs(self) -> dict[str, tuple[str, ...]]:
        """Task → its runs."""
        if self.job is None:
            return {}
        return dict(zip(task_ids(self.job, len(self.tasks)), self.tasks, strict=True))

    @property
    def over(self) -> bool:
        return len(self.ended) == len(self.tasks)

    def logs(self, task: str, folder: Path) -> list[Path]:
        """What a task has written, oldest first: stdout and stderr of each of its processes."""
        return sorted((folder / self.name).glob(f"{task}_*_log.*"))


class Submissions:
    """All that was sent for the runs of a store."""

    def __init__(self, store: Store) -> None:
        self.folder = store.root / "slurm"

    def all(self) -> list[Submission]:
        """Every submission, oldest first; a damaged one is left out, as the store knows what is missing."""
        found = []
        for path in self.folder.glob("*.json"):
            with suppress(ValidationError, FileNotFoundError):
                found.append(Submission.model_validate_json(path.read_text()))
        return sorted(found, key=lambda s: (s.sent, s.name))

    def write(self, submission: Submission) -> None:
        path = self.folder / f"{submission.name}.json"
        write_atomically(path, (submission.model_dump_json() + "\n").encode())

    def forget(self, submission: Submission) -> None:
        (self.folder / f"{submission.name}.json").unlink(missing_ok=True)

    def clear(self, submission: Submission) -> None:
        """Delete what the tasks of a submission that is over were told; their logs stay."""
        for pickle in (self.folder / submission.name).glob("*.pkl"):
            pickle.unlink(missing_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else sends for this store, from this machine or another one, while the block lasts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            held.enter_context(FileLock(self.folder / "lock"))
            while owner.elsewhere(self.folder):  # a machine whose locks we cannot see
                time.sleep(0.5)
            held.enter_context(owner.owning(self.folder))
            yield


def begun(batch: Batch, steps: Mapping[str, int]) -> Submission:
    """The submission of a batch that is about to be sent."""
    return Submission(
        name=f"ademamix-{uuid.uuid4().hex[:8]}",
        sent=time.time(),
        asked=batch.shape.brief,
        after=batch.after,
        tasks=tuple(tuple(job.spec.id for job in task) for task in batch.tasks),
        steps={id: step for id, step in steps.items() if step},
    )


def states_of(submissions: Iterable[Submission], known: Mapping[str, State]) -> dict[str, State]:
    """Task → state, from what the cluster knows of those that are not over, and what was noted of the rest.

    One that was cancelled because the task it waits for did not succeed is told from one that somebody
    cancelled.
    """
    found: dict[str, State] = {}
    for submission in submissions:
        new = time.time() - submission.sent < UNHEARD_OF
        unknown = State.PENDING if new else State.MISSING
        before = found.get(submission.after or "", State.DONE)
        for task in submission.runs:
            state = submission.ended.get(task) or _trusted(known.get(task, unknown), new)
            in_vain = state is State.CANCELLED and before not in (*LIVE, State.DONE)
            found[task] = State.NEVER if in_vain else state
    return found


def _trusted(state: State, new: bool) -> State:
    # A task that has just left the queue may not be in the accounting yet.
    return State.PENDING if state is State.MISSING and new else state


def latest(submissions: Iterable[Submission]) -> dict[str, tuple[Submission, str]]:
    """Run → the last task that was to train it, and its submission."""
    return {
        run: (submission, task)
        for submission in submissions
        for task, runs in submission.runs.items()
        for run in runs
    }


def find(submissions: Iterable[Submission], prefix: str) -> tuple[str, Submission, str]:
    """The one run that was sent whose id begins with `prefix`, its submission and its task."""
    found = {run: where for run, where in latest(submissions).items() if run.startswith(prefix)}
    if len(found) != 1:
        what = "no run" if not found else f"{len(found)} runs"
        raise UserError(f"{what} sent to a cluster with an id beginning with '{prefix}'")
    [(run, (submission, task))] = found.items()
    return run, submission, task
