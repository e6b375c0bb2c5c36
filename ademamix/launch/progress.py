"""What the user sees while runs train: a live display on a terminal, one line per run elsewhere."""

import json
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

from ademamix.store import Row, Store
from ademamix.training.job import Job

NARROW = Column(no_wrap=True)


class RunProgress:
    """Overall and per run: steps, the latest loss, tokens a second, the time left. Reads only metrics files.

    Args:
        console: where it is shown.
        store: where the runs are.
        jobs: what is trained.
        describe: what to call a run.
    """

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
            MofNCompleteColumn(table_column=NARROW),
            TextColumn("{task.fields[loss]}", table_column=NARROW),
            TextColumn("{task.fields[speed]}", table_column=NARROW),
            TimeRemainingColumn(table_column=NARROW),
            TextColumn("left", table_column=NARROW),
            console=console,
            expand=True,
            disable=not console.is_terminal,
        )
        self._steps = sum(job.until - job.first_step for job in jobs)
        self._overall = self._progress.add_task("all runs", total=self._steps, loss="", speed="")
        self._tasks: dict[str, tuple[Job, TaskID]] = {}
        self._pace = Pace(jobs)

    def expect(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Count more jobs in; returns them."""
        self.total += len(jobs)
        self._steps += sum(job.until - job.first_step for job in jobs)
        self._pace.expect(jobs)
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
        total = job.until - job.first_step
        task = self._progress.add_task(self.describe(job), total=total, loss="starting", speed="")
        self._tasks[job.spec.id] = (job, task)

    def tick(self) -> None:
        for job, task in self._tasks.values():
            if row := self._last_row(job):
                done = max(0, int(row["step"] or 0) - job.first_step)
                self._pace.reached(job, done)
                if row.get("loss") is not None:  # a line of observations alone has none; the last one stays
                    self._progress.update(task, loss=f"loss {row['loss']:.3f}")
                self._progress.update(task, completed=done, speed=self._pace.speed(job))
        self._progress.update(self._overall, completed=self._pace.steps, speed=self._pace.overall())

    def _gone(self, job: Job) -> None:
        _, task = self._tasks.pop(job.spec.id)
        self._progress.remove_task(task)

    def ended(self, job: Job, failed: bool) -> None:
        self._gone(job)
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
        self._pace.reached(job, job.until - job.first_step)

    def skipped(self, job: Job) -> None:
        self.finished += 1
        self._pace.reached(job, job.until - job.first_step)
        self._say(job, "left out: the run it branches from failed")

    def put_off(self, job: Job) -> None:
        self._gone(job)
        self._say(job, "another call trains it; left for last")

    def stopping(self, running: int) -> None:
        what = "this update" if running == 1 else f"this update of {running} runs"
        self.console.print(f"stopping after {what}, with a checkpoint", highlight=False)

    def _say(self, job: Job, text: str) -> None:
        self.console.print(
            f"[{self.finished + 1}/{self.total}] {job.spec.id}  {self.describe(job)}: {text}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    def _last_row(self, job: Job) -> Row | None:
        """The last whole line of the run's metrics, read from the end of the file."""
        try:
            with self.store.run(job.spec.id).metrics_path.open("rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - 4096))
                lines = file.read().split(b"\n")[:-1]
            row: Row = json.loads(lines[-1])
            return row
        except (OSError, IndexError, ValueError):
            return None


class Pace:
    """How far the runs are, and how fast they go: tokens (or images) a second."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._began = time.monotonic()
        self._first: dict[str, tuple[float, int]] = {}  # run → when it was first seen, and at which step
        self._done: dict[str, int] = {}
        self._units: dict[str, int] = {}
        self.expect(jobs)

    def expect(self, jobs: Sequence[Job]) -> None:
        """Count jobs in, at their beginning."""
        self._done |= {job.spec.id: 0 for job in jobs}
        self._units |= {job.spec.id: job.spec.units_per_step for job in jobs}

    @property
    def steps(self) -> int:
        """Of all runs together."""
        return sum(self._done.values())

    def reached(self, job: Job, steps: int) -> None:
        self._first.setdefault(job.spec.id, (time.monotonic(), steps))
        self._done[job.spec.id] = steps

    def speed(self, job: Job) -> str:
        """Of one run since this process began to look; '' while nothing is known."""
        when, step = self._first[job.spec.id]
        units = (self._done[job.spec.id] - step) * self._units[job.spec.id]
        return _per_second(units, time.monotonic() - when)

    def overall(self) -> str:
        """Of all runs together."""
        units = sum((self._done[id] - step) * self._units[id] for id, (_, step) in self._first.items())
        return _per_second(units, time.monotonic() - self._began)


def _per_second(units: float, seconds: float) -> str:
    if seconds < 1 or units <= 0:
        return ""
    return f"{units / seconds:,.0f} tokens/s"
