"""What the user sees while runs train: a live display on a terminal, one line per run elsewhere."""

import json
from collections.abc import Callable, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from ademamix.store import Store
from ademamix.training.job import Job


class RunProgress:
    """Overall and per run: steps, the latest loss, the time left. Reads only metrics files."""

    def __init__(
        self, console: Console, store: Store, jobs: Sequence[Job], describe: Callable[[Job], str]
    ) -> None:
        self.console = console
        self.store = store
        self.describe = describe
        self.total = len(jobs)
        self.finished = 0
        self._progress = Progress(
            # The description gives way where the terminal is narrow; the numbers never do.
            TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=10),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[loss]}", table_column=Column(no_wrap=True)),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            TextColumn("left", table_column=Column(no_wrap=True)),
            console=console,
            expand=True,
            disable=not console.is_terminal,
        )
        self._steps = sum(job.until - job.first_step for job in jobs)
        self._overall = self._progress.add_task("all runs", total=self._steps, loss="")
        self._tasks: dict[str, tuple[Job, TaskID]] = {}
        self._done_steps = 0

    def expect(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Count more jobs in; returns them."""
        self.total += len(jobs)
        self._steps += sum(job.until - job.first_step for job in jobs)
        self._progress.update(self._overall, total=self._steps)
        return jobs

    def __enter__(self) -> "RunProgress":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def started(self, job: Job) -> None:
        task = self._progress.add_task(self.describe(job), total=job.until - job.first_step, loss="")
        self._tasks[job.spec.id] = (job, task)

    def tick(self) -> None:
        current = 0.0
        for job, task in self._tasks.values():
            if row := self._last_row(job):
                done = max(0, row["step"] - job.first_step)
                current += done
                loss = f"loss {row['loss']:.3f}" if row.get("loss") is not None else ""
                self._progress.update(task, completed=done, loss=loss)
        self._progress.update(self._overall, completed=self._done_steps + current)

    def ended(self, job: Job, failed: bool) -> None:
        _, task = self._tasks.pop(job.spec.id)
        self._progress.remove_task(task)
        outcome = self.store.run(job.spec.id).outcome()
        if failed:
            self._say(job, f"failed: {self.store.run(job.spec.id).failure() or 'see above'}")
        elif outcome is None:
            self._say(job, "stopped; the next call goes on from here")
            return
        else:
            row = self._last_row(job) or {}
            seen = [
                f"{name.partition(':')[0]} {value:.4f}"
                for name, value in row.items()
                if "loss" in name and value is not None
            ]
            loss = seen[-1] if seen else "no loss"
            self._say(job, f"{outcome.status} at step {outcome.step} in {outcome.seconds:.0f} s, {loss}")
        self.finished += 1
        self._done_steps += job.until - job.first_step

    def skipped(self, job: Job) -> None:
        self.finished += 1
        self._say(job, "left out: the run it branches from failed")

    def _say(self, job: Job, text: str) -> None:
        self.console.print(
            f"[{self.finished + 1}/{self.total}] {job.spec.id}  {self.describe(job)}: {text}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    def _last_row(self, job: Job) -> dict[str, float] | None:
        """The last whole line of the run's metrics, read from the end of the file."""
        try:
            with self.store.run(job.spec.id).metrics_path.open("rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - 1024))
                lines = file.read().split(b"\n")[:-1]
            row: dict[str, float] = json.loads(lines[-1])
            return row
        except (OSError, IndexError, ValueError):
            return None
