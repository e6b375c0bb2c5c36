"""The launcher for processes that were started together (torchrun): all of them train each run, in turn.

The first one plans, shows, draws and tells the others what to train; they follow until they are told that
there is no more.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

from ademamix.launch.protocol import Display, Launched
from ademamix.launch.schedule import Schedule
from ademamix.store import Store
from ademamix.training.job import HELD, Job
from ademamix.training.stop import Stop, catching

if TYPE_CHECKING:
    from ademamix.training.ranks import Ranks

TICK = 0.5  # seconds between looks at the metrics of the run that is trained


@dataclass(frozen=True)
class Wish:
    """What the first process asks the others to do with it."""

    job: Job
    store_root: Path
    data_root: Path
    device: str  # 'cpu' or 'cuda'
    shard: bool


@dataclass(frozen=True)
class Together:
    """Processes that were started together, of which this is one.

    Attributes:
        ranks: this one among them.
        local: its number on its machine, which is that of its GPU.
        device: 'cpu' or 'cuda', what the first one launches on.
        threads: of each on a CPU.
        shard: whether each keeps a part of a run's state alone.
    """

    ranks: "Ranks"
    local: int
    device: str = "cpu"
    threads: int = 1
    shard: bool = False

    @property
    def workers(self) -> int:
        return 1

    @property
    def size(self) -> int:
        """How many processes there are."""
        return self.ranks.size

    def processes(self, job: Job) -> int:
        return self.size

    def on(self, device: str, shard: bool = False) -> "Together":
        """The same, to launch on 'cpu' or 'cuda'."""
        return replace(self, device=device, shard=shard)

    def launch(self, jobs: Sequence[Job], store: Store, data_root: Path, display: Display) -> Launched:
        """Train all jobs, one after the other; returns when they are done, or after a signal."""
        schedule = Schedule(jobs)
        with catching() as stop:
            while not stop and (job := schedule.take()):
                display.started(job)
                with _ticking(display):
                    code = self._train(Wish(job, store.root, data_root, self.device, self.shard), stop)
                failed = code not in (0, HELD) and not stop
                if code == 0:
                    schedule.succeeded(job)
                display.ended(job, failed)
                if failed:
                    for left_out in schedule.fail(job):
                        display.skipped(left_out)
        return Launched(schedule.failed, schedule.pending, stop.exit_code)

    def follow(self) -> int:
        """Train what the first process asks for until there is no more; returns an exit code."""
        worst = 0
        with catching() as stop:
            while wish := self.ranks.share(None):
                worst = self._work(wish, stop) or worst
        return stop.exit_code or worst

    def over(self) -> None:
        """Tell the others that there is no more; some may be gone."""
        with suppress(RuntimeError):
            self.ranks.share(None)

    def _train(self, wish: Wish, stop: Stop) -> int:
        with suppress(RuntimeError):  # one is gone: `work` finds that out, and says so
            self.ranks.share(wish)
        return self._work(wish, stop)

    def _work(self, wish: Wish, stop: Stop) -> int:
        import torch

        from ademamix.training.worker import work

        device = wish.device
        if device == "cuda":
            device = f"cuda:{self.local}"
            torch.cuda.set_device(device)
        ranks = replace(self.ranks, shard=wish.shard)
        return work(wish.job, wish.store_root, wish.data_root, device, self.threads, ranks, stop)


@contextmanager
def _ticking(display: Display) -> Iterator[None]:
    """The display follows what this very process trains."""
    over = Event()

    def follow() -> None:
        while not over.wait(TICK):
            display.tick()

    thread = Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
