"""A session: one run in one process, opened, advanced one update at a time, and closed.

A process may drive one session, several in turn, or one rank of one.
"""

import time
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from functools import partial
from types import TracebackType
from typing import Any

import torch

from ademamix.quantities import Observed, Quantity
from ademamix.store import CLOCK, Outcome, Row, Run
from ademamix.tasks import Task
from ademamix.training import checkpoint
from ademamix.training.garbage import collect
from ademamix.training.job import Job
from ademamix.training.log import Metrics, rounded
from ademamix.training.machine import machine
from ademamix.training.ranks import ALONE, Ranks
from ademamix.training.trainer import Trainer
from ademamix.training.writing import Writer, copied


class Session:
    """The training of a run from where its trainer stands.

    Args:
        job: what is wanted.
        run: its folder, which this process owns.
        task: of the run.
        trainer: in position: at the start, at the fork, or at a checkpoint.
        ranks: the processes that train the run together.
    """

    def __init__(self, job: Job, run: Run, task: Task, trainer: Trainer, ranks: Ranks = ALONE) -> None:
        self.job = job
        self.run = run
        self.task = task
        self.trainer = trainer
        self.ranks = ranks
        self.diverged: int | None = None
        self.stopped = False  # asked to, with a checkpoint written (once it is closed)
        self._since = self._saved = time.monotonic()
        self._metrics = Metrics(run, trainer.step) if ranks.first else None
        self._writer = Writer(ranks)
        trainer.observer.reach(trainer.step)

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with nullcontext() if error is None else suppress(Exception):  # the first reason is the one to tell
            self.close()

    @property
    def done(self) -> bool:
        """Whether nothing is left to train: the last step is reached, or the run has diverged."""
        return self.diverged is not None or self.trainer.step >= self.job.until

    def step(self, stop: bool = False) -> None:
        """Make one update, log, observe, save what is due; when any rank is to `stop`, save in any case."""
        # Read once: what is saved and what ends must agree.
        agreed = self.ranks.agreeing(stop, self.due)
        self.trainer.update(self.trainer.step + 1)
        self.made(*agreed())

    def made(self, stop: bool, due: bool) -> None:
        """What is due after an update that the trainer has made, by itself or in a pack.

        `due`: whether a checkpoint to resume from is, as was asked before the update.
        """
        trainer, job = self.trainer, self.job
        t, self.stopped = trainer.step, stop
        row = None
        # Lines are logged at multiples of log_every, wherever the run started, and at the last step.
        if t % job.log_every == 0 or t == job.until:
            row, self.diverged = trainer.losses.close()
            if self.diverged is not None:
                self._writer.wait()
                if self._metrics:
                    self._metrics.end_before(self.diverged, row)
                return
            row = row and {**row, **trainer.scheduled(), CLOCK: round(self.seconds, 1)}
        seen = trainer.observe()
        if self._metrics:
            if seen:
                row = (row or {"step": t}) | seen_in(self.run, t, seen)
            if row:
                self._metrics.write(row)
        self._save_if(due, t)

    @property
    def due(self) -> bool:
        """Whether a checkpoint to resume from is to be written; never while another one is.

        The first rank says so.
        """
        long_ago = time.monotonic() - self._saved > self.job.checkpoint_seconds
        return self.ranks.first and long_ago and not self._writer.busy

    def _save_if(self, due: bool, t: int) -> None:
        job, last = self.job, t == self.job.until
        if t in job.keep or (last and job.spec.schedule.EXTENDABLE):
            self._save(wanted=True)
        elif not last and (self.stopped or due):
            self._save(wanted=False)

    def _save(self, wanted: bool) -> None:
        """Copy the state, and begin to write it; `wanted`: by somebody else than a later resumption."""
        self._count_time()
        if self._metrics or self.ranks.shard:
            self._writer.wait()  # before there is another copy
            state = copied(self.trainer.state())
            self._writer.start(partial(self._write, self.trainer.step, state, wanted))
        collect()
        self._saved = self._since = time.monotonic()

    def _write(self, step: int, state: Any, wanted: bool) -> None:
        """In the writer's thread."""
        if self._metrics:
            self._metrics.sync()  # no checkpoint is ahead of its rows
        if self._writer.group is None:
            checkpoint.save(self.run, step, state)
        else:
            checkpoint.save_shards(self.run, step, state, self.ranks.rank, self._writer.group)
        if self.ranks.first and not wanted:
            latest = sorted(self.run.checkpoint_steps())[-2:]
            self.run.remove_checkpoints_except({*self.job.keep, *latest})

    @property
    def seconds(self) -> float:
        """Of training so far, over all resumes."""
        return self.trainer.seconds + time.monotonic() - self._since

    def _count_time(self) -> None:
        now = time.monotonic()
        self.trainer.seconds += now - self._since
        self._since = now

    def close(self) -> None:
        """Let go of the files, once all is on the disk."""
        try:
            self._writer.close()
        finally:
            if self._metrics:
                self._metrics.close()

    def finish(self, device: torch.device) -> None:
        """Write the outcome of a run that is `done`, and remove the checkpoints that nobody needs."""
        self._count_time()
        self._writer.wait()
        if not self._metrics:
            return
        self._metrics.sync()
        trainer, diverged = self.trainer, self.diverged
        step = trainer.step if diverged is None else diverged
        self.run.finish(
            Outcome(
                status="finished" if diverged is None else "diverged",
                step=step,
                observed=trainer.observed(step if diverged is None else step - 1),
                seconds=round(trainer.seconds, 1),
                machine={
                    **machine(device),
                    "optimizer": trainer.implementation,
                    "data": self.task.digest,
                    **({"packed": trainer.packed} if trainer.packed > 1 else {}),
                },
                past=trainer.past,
            )
        )
        last = {trainer.step} if self.job.spec.schedule.EXTENDABLE else set()
        self.run.remove_checkpoints_except(self.job.keep | last | self.run.kept())


def seen_in(run: Run | None, step: int, seen: Mapping[Quantity, float]) -> Row:
    """Observations as a row has them; what they rest on is written to the folder of `run` before."""
    for quantity, value in seen.items():
        if run and isinstance(value, Observed):
            run.write_evidence(step, str(quantity), value.evidence)
    return {str(quantity): rounded(value) for quantity, value in seen.items()}


def observe_later(
    run: Run, outcome: Outcome, wanted: dict[Quantity, frozenset[int]], job: Job, task: Task
) -> None:
    """Measure what a finished run lacks from its kept checkpoints; add it to its rows and its outcome."""
    trainer = Trainer(job, task)
    rows = {int(row["step"] or 0): row for row in run.rows()}
    observed = {name: set(steps) for name, steps in outcome.observed.items()}
    for step in sorted(set().union(*wanted.values())):
        state = checkpoint.load(run, step, task.device)
        if state is None:
            continue
        trainer.load(state)
        for quantity, value in trainer.measure(q for q, steps in wanted.items() if step in steps).items():
            rows.setdefault(step, {"step": step}).update(seen_in(run, step, {quantity: value}))
            observed.setdefault(str(quantity), set()).add(step)
    # Rows first: an outcome that names an observation must find it there.
    run.write_metrics(rows[step] for step in sorted(rows))
    run.finish(
        Outcome(
            outcome.status,
            outcome.step,
            {name: sorted(steps) for name, steps in sorted(observed.items())},
            outcome.seconds,
            outcome.machine,
            outcome.past,
        )
    )
