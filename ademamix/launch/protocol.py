"""What a launcher is: jobs in, what came of them out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from ademamix.store import Store
from ademamix.training.job import Job


class Display(Protocol):
    """Who is told what goes on; see progress.py."""

    def started(self, job: Job) -> None: ...
    def tick(self) -> None: ...
    def ended(self, job: Job, failed: bool) -> None: ...
    def skipped(self, job: Job) -> None: ...
    def put_off(self, job: Job) -> None: ...
    def stopping(self, running: int) -> None: ...


@dataclass(frozen=True)
class Launched:
    """What came of the jobs.

    Attributes:
        failed: those that failed, or were left out because their trunk failed.
        pending: those that are neither done nor failed: stopped, or still waiting elsewhere.
        exit_code: 0, or 128 + signal when stopped; then running jobs have written checkpoints.
    """

    failed: tuple[Job, ...] = ()
    pending: tuple[Job, ...] = ()
    exit_code: int = 0


class Launcher(Protocol):
    """Something that trains jobs, in their order of preference, trunks before their branches."""

    @property
    def workers(self) -> int:
        """How many jobs it runs at a time."""
        ...

    def processes(self, job: Job) -> int:
        """How many processes train the job's run together."""
        ...

    def launch(self, jobs: Sequence[Job], store: Store, data_root: Path, display: Display) -> Launched: ...


class Feed(Protocol):
    """Where more jobs come from; none while nothing runs means that there will be none."""

    def __call__(self, free: int) -> Sequence[Job]:
        """The jobs for `free` workers that have nothing to do."""
        ...


@runtime_checkable
class Feeding(Launcher, Protocol):
    """A launcher that takes more jobs while others run, so that no worker waits for the slowest."""

    def launch_fed(
        self, jobs: Sequence[Job], store: Store, data_root: Path, display: Display, more: Feed
    ) -> Launched: ...
