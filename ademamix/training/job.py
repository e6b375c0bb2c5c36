"""What a worker is asked to do. Imports no torch, so that launchers stay light."""

from collections.abc import Mapping
from dataclasses import dataclass

from ademamix.plan import Entry
from ademamix.scale import Scale
from ademamix.spec import RunSpec

FAILED = 1  # a worker's exit code


@dataclass(frozen=True)
class Job:
    """What to train and how far; a pickle of it is what a worker gets.

    Attributes:
        spec: the run.
        until: the last step.
        keep: steps whose checkpoints stay.
        observe: quantity → steps.
        log_every: steps per logged mean of the training loss.
        checkpoint_seconds: time between checkpoints to resume from.
        validation_windows: windows that the validation loss is measured on.
        micro_batch: sequences per pass on the device (None: the whole batch).
    """

    spec: RunSpec
    until: int
    keep: frozenset[int]
    observe: Mapping[str, frozenset[int]]
    log_every: int
    checkpoint_seconds: float
    validation_windows: int
    micro_batch: int | None = None

    @property
    def first_step(self) -> int:
        """The step the run starts from: 0, or the fork's."""
        return self.spec.fork.step if self.spec.fork else 0


def job_of(entry: Entry, scale: Scale) -> Job:
    """What is wanted of a run, with the cadences of the scale."""
    wanted = entry.wanted
    return Job(
        spec=wanted.spec,
        until=wanted.until,
        keep=entry.owed,
        observe=wanted.observe,
        log_every=scale.log_every,
        checkpoint_seconds=scale.checkpoint_seconds,
        validation_windows=scale.validation.windows,
        micro_batch=scale.micro_batch,
    )
