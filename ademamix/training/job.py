"""What a worker is asked to do. Imports no torch, so that launchers stay light."""

from dataclasses import dataclass

from ademamix.errors import UserError
from ademamix.plan import Entry, Forks
from ademamix.scale import Scale
from ademamix.spec import Need, Observe, RunSpec

FAILED = 1  # a worker's exit code
HELD = 75  # it was not trained (further), as there is a file `stop` in its folder
TAKEN = 76  # another process trains it, and its launcher has others to go on with


@dataclass(frozen=True)
class Job:
    """What to train and how far; a pickle of it is what a worker gets.

    Attributes:
        spec: the run.
        until: the last step.
        keep: steps whose checkpoints stay.
        spare: steps whose checkpoints stay, too, and are not missed where there are none.
        forks: steps whose checkpoints stay for as long as one of the branches there is unfinished.
        observe: quantity → steps.
        log_every: steps per logged mean of the training loss.
        checkpoint_seconds: time between checkpoints to resume from.
        micro_batch: samples per pass on the device (None: the whole batch).
        captured: make updates as one CUDA graph, where device and optimizer can.
        evaluation_batch: samples per pass that measures something (None: as many).
    """

    spec: RunSpec
    until: int
    keep: frozenset[int]
    forks: Forks
    observe: Observe
    log_every: int
    checkpoint_seconds: float
    micro_batch: int | None = None
    captured: bool = False
    evaluation_batch: int | None = None
    spare: frozenset[int] = frozenset()

    @property
    def first_step(self) -> int:
        """The step the run starts from: 0, or the fork's."""
        return self.spec.first_step

    @property
    def need(self) -> Need:
        """What it is wanted for."""
        return Need(self.spec, self.until, self.keep, self.spare, self.observe)


def refuse_uneven(batch: int, ranks: int) -> None:
    """Raise UserError where the processes that train a run would not have equal shares of its batch."""
    if batch % ranks:
        fitting = max(n for n in range(1, ranks) if batch % n == 0)
        raise UserError(
            f"a batch of {batch} cannot be split evenly among {ranks} processes for one run; "
            f"{fitting} would do (--gpus-per-run, or tasks and gpus of the cluster file)"
        )


def job_of(entry: Entry, scale: Scale) -> Job:
    """What is wanted of a run, with the cadences of the scale."""
    wanted = entry.wanted
    return Job(
        spec=wanted.spec,
        until=wanted.until,
        keep=wanted.keep,
        spare=wanted.spare,
        forks=entry.forks,
        observe=wanted.observe,
        log_every=scale.log_every,
        checkpoint_seconds=scale.checkpoint_seconds,
        micro_batch=scale.passes(wanted.spec.task),
        captured=scale.captured and wanted.spec.task == "language",
        evaluation_batch=scale.evaluation_batch,
    )
