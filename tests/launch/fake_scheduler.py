"""A cluster of processes on this machine: it queues, honours dependencies, and forgets nothing."""

import multiprocessing
import os
import signal
from collections.abc import Collection

from ademamix.launch.batches import task_ids
from ademamix.launch.node import Assignment, carry_out
from ademamix.launch.scheduler import Order
from ademamix.launch.states import LIVE, State

_fork = multiprocessing.get_context("fork")


class Task:
    def __init__(self, name: str, after: str | None, assignment: Assignment) -> None:
        self.name = name
        self.after = after
        self.assignment = assignment
        self.process: multiprocessing.process.BaseProcess | None = None
        self.state = State.PENDING


class FakeScheduler:
    """Slots for tasks; time passes when it is asked for states."""

    def __init__(self, slots: int = 2) -> None:
        self.slots = slots
        self.orders: list[Order] = []
        self.tasks: dict[str, Task] = {}

    def submit(self, order: Order) -> str:
        self.orders.append(order)
        job = str(100 + len(self.orders))
        for name, assignment in zip(task_ids(job, len(order.batch.tasks)), order.assignments, strict=True):
            self.tasks[name] = Task(name, order.batch.after, assignment)
        return job

    def states(self, jobs: Collection[str]) -> dict[str, State]:
        for task in self.tasks.values():
            self._reap(task)
        for task in self.tasks.values():
            self._begin(task)
        return {name: task.state for name, task in self.tasks.items() if name.partition("_")[0] in jobs}

    def _reap(self, task: Task) -> None:
        if task.process and task.state is State.RUNNING and not task.process.is_alive():
            code = task.process.exitcode or 0
            task.state = State.DONE if not code else State.STOPPED if code > 128 else State.FAILED

    def _begin(self, task: Task) -> None:
        before = self.tasks[task.after].state if task.after else State.DONE
        if task.state is not State.PENDING or before in LIVE:
            return
        if before is not State.DONE:
            task.state = State.CANCELLED  # as with --kill-on-invalid-dep
        elif sum(t.state is State.RUNNING for t in self.tasks.values()) < self.slots:
            task.process = _fork.Process(target=_on_a_node, args=(task.name, task.assignment))
            task.process.start()
            task.state = State.RUNNING

    def finish(self) -> None:
        """Let time pass until nothing is left in the queue."""
        while any(
            state in LIVE for state in self.states({name.partition("_")[0] for name in self.tasks}).values()
        ):
            for task in self.tasks.values():
                if task.process:
                    task.process.join()

    def cancel(self, tasks: Collection[str]) -> None:
        for name in tasks:
            if (process := self.tasks[name].process) and process.pid:
                os.kill(process.pid, signal.SIGTERM)
            self.tasks[name].state = State.CANCELLED

    def find(self, name: str) -> str | None:
        numbers = [number for number, order in enumerate(self.orders, start=101) if order.name == name]
        return str(numbers[0]) if numbers else None


def _on_a_node(name: str, assignment: Assignment) -> None:
    os.environ |= {"SUBMITIT_EXECUTOR": "slurm", "SLURM_JOB_ID": name.replace("_", "0")}
    carry_out(assignment)
