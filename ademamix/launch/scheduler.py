"""What a cluster's queue is to the launcher: Slurm's, or one that tests make."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ademamix.errors import UserError
from ademamix.launch.batches import Batch
from ademamix.launch.node import Assignment
from ademamix.launch.states import State


@dataclass(frozen=True)
class Order:
    """Tasks of one shape that are to be queued.

    Attributes:
        name: of the job; no other has it.
        batch: the runs of each task, the shape of all, and what they wait for.
        folder: for their logs, and what they are told.
        store_root, data_root: where runs and prepared data are, on the nodes.
        device: 'cpu' or 'cuda'.
        requeue: whether tasks go back to the queue when they are warned.
    """

    name: str
    batch: Batch
    folder: Path
    store_root: Path
    data_root: Path
    device: str
    requeue: bool

    @property
    def assignments(self) -> list[Assignment]:
        """What each task is told."""
        threads = self.batch.shape.threads
        return [
            Assignment(
                jobs,
                self.store_root,
                self.data_root,
                self.device,
                threads,
                self.requeue,
                self.batch.shape.shard,
            )
            for jobs in self.batch.tasks
        ]


class Unanswered(UserError):
    """The cluster does not answer at the moment. What was being sent may have come through, or not."""


class Scheduler(Protocol):
    """A queue of jobs. Tasks are called '7', or '7_0', '7_1' … where the job 7 is an array."""

    def submit(self, order: Order) -> str:
        """Queue it; returns the job's id.

        Raises:
            Unanswered: the cluster did not say whether it took it.
            UserError: it was refused; why, in one line.
        """
        ...

    def states(self, jobs: Collection[str]) -> dict[str, State]:
        """The state of every task of `jobs` that it knows.

        Raises:
            Unanswered: it cannot be asked at the moment.
        """
        ...

    def cancel(self, tasks: Collection[str]) -> None: ...

    def find(self, name: str) -> str | None:
        """The id of the job of that name, of whose submission only the start is known."""
        ...
