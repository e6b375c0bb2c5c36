"""The processes on this machine that train one run, or a pack: one, or several as ranks of a run."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

from ademamix.training.job import FAILED, Job

GRACE = 10.0  # seconds that the others have to end by themselves when one was lost
HERE = "lo0" if sys.platform == "darwin" else "lo"  # the interface of a machine to itself


class Team:
    """A run's processes, or a pack's one, started on construction.

    Args:
        context: what they are forked from.
        jobs: what they train: one, or those of a pack.
        places: the store's root, and that of the data.
        devices: a name for each of them; rank 0 is on the first.
        threads: of each on a CPU.
        shard: whether each keeps a part of the state alone.
        patient: whether they wait for runs that other processes train.
    """

    def __init__(
        self,
        context: ForkServerContext,
        jobs: Sequence[Job],
        places: tuple[Path, Path],
        devices: Sequence[str],
        threads: int,
        shard: bool = False,
        patient: bool = True,
    ) -> None:
        self.jobs = tuple(jobs)
        self.devices = tuple(devices)
        self.patient = patient
        self._lost: tuple[int, int] | None = None  # rank and exit code of the first that was
        self._until = float("inf")
        self._folder = Path(tempfile.mkdtemp(prefix="ademamix-ranks-")) if len(devices) > 1 else None
        meet = f"file://{self._folder}/meet" if self._folder else ""
        self._processes = [
            context.Process(
                target=_train,
                args=(self.jobs, *places, device, threads, rank, len(devices), meet, shard, patient),
                daemon=False,
            )
            for rank, device in enumerate(devices)
        ]
        for process in self._processes:
            process.start()

    @property
    def sentinels(self) -> list[int]:
        """What becomes ready when one of them ends."""
        return [process.sentinel for process in self._processes if process.exitcode is None]

    def ended(self) -> int | None:
        """The exit code of the run, once all its processes have ended; None before.

        Where one was lost, the others cannot go on: they end by themselves, or are killed after a while.
        Checkpoints are whole or are not used, so nothing but the time since the last one is lost.
        """
        codes = [process.exitcode for process in self._processes]
        if self._lost is None:
            broken = [(r, code) for r, code in enumerate(codes) if code is not None and _is_loss(code)]
            if broken:
                self._lost = min(broken, key=lambda found: found[1])  # a signal explains a failure
                self._until = time.monotonic() + GRACE
        if None in codes:
            if time.monotonic() > self._until:
                self._kill()
            return None
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        whole = [code for code in codes if code is not None]
        return self._lost[1] if self._lost else next((code for code in whole if code), 0)

    @property
    def who(self) -> str:
        """Of whom the exit code is: 'the worker', 'rank 1 of 2'."""
        if len(self.devices) == 1 or self._lost is None:
            return "the worker"
        return f"rank {self._lost[0]} of {len(self.devices)}"

    def terminate(self) -> None:
        """SIGTERM, which sets their flags; a second one changes nothing."""
        for process in self._processes:
            process.terminate()

    def join(self) -> None:
        """Wait until all have ended."""
        while self.ended() is None:
            time.sleep(0.05)

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()


def _is_loss(code: int) -> bool:
    """Whether a process ended so that the others of its run wait for it in vain."""
    return code < 0 or code == FAILED


def _train(
    jobs: tuple[Job, ...],
    store_root: Path,
    data_root: Path,
    device: str,
    threads: int,
    rank: int,
    size: int,
    meet: str,
    shard: bool,
    patient: bool,
) -> None:
    """A process of a run: rank `rank` of `size`, which find each other at `meet`."""
    from ademamix.training.pack_worker import work_together
    from ademamix.training.ranks import joined
    from ademamix.training.worker import work

    if len(jobs) > 1:
        raise SystemExit(work_together(jobs, store_root, data_root, device, threads, patient))
    if size > 1:
        _prepare(device)
    with joined(rank, size, meet, shard) as ranks:
        code = work(jobs[0], store_root, data_root, device, threads, ranks, patient=patient)
    raise SystemExit(code)


def _prepare(device: str) -> None:
    """Before ranks of one machine join each other."""
    import torch

    os.environ.setdefault("GLOO_SOCKET_IFNAME", HERE)  # a laptop's host name may lead nowhere
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
