"""Workers to be hit: each trains one run in a process of its own, slowly, and tells of every update.

They are forked from a process that has torch loaded, as the launcher's are.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from ademamix.launch.local import fork_server
from ademamix.training.job import Job


class Worker:
    """A worker that trains `job`, and then sleeps for `pause` seconds after each update.

    Args:
        before: called in the process before it trains.
    """

    def __init__(
        self,
        job: Job,
        root: Path,
        data_root: Path,
        *,
        pause: float = 0.01,
        before: Callable[[], None] | None = None,
    ) -> None:
        context = fork_server(1)
        self._steps, told = context.Pipe(duplex=False)
        self._process = context.Process(target=_train, args=(told, job, root, data_root, pause, before))
        self._process.start()
        told.close()  # the end that is left is the worker's: it is closed when that has ended
        assert self._process.pid
        self.pid = self._process.pid

    def steps(self) -> Iterator[int]:
        """The updates, as they are made, until the worker has ended."""
        while True:
            try:
                yield self._steps.recv()
            except EOFError:
                return

    def wait_for(self, step: int) -> None:
        """Until that update, or a later one, is made."""
        for made in self.steps():
            if made >= step:
                return

    def kill(self) -> int:
        """SIGKILL; the exit code."""
        self._process.kill()
        return self.end()

    def end(self, timeout: float = 300) -> int:
        """The exit code, once it has ended; negative: of a signal."""
        self._process.join(timeout)
        assert self._process.exitcode is not None
        return self._process.exitcode


def _train(
    told: Connection, job: Job, root: Path, data_root: Path, pause: float, before: Callable[[], None] | None
) -> None:
    from ademamix.training import trainer, worker

    update = trainer.Trainer.update

    def slow(self: trainer.Trainer, t: int) -> None:
        update(self, t)
        time.sleep(pause)
        told.send(t)

    trainer.Trainer.update = slow  # type: ignore[method-assign]
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # which the launcher's workers do not see
    if before:
        before()
    sys.exit(worker.work(job, root, data_root, "cpu", 1))
