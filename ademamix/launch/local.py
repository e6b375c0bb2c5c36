"""Train the runs of a plan on this machine: one process for each run, one run for each worker.

A process of its own means that a crash, of whatever kind, ends one run and no other. Processes are
forked from a server that has torch loaded, so that starting one costs milliseconds.
"""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from graphlib import TopologicalSorter
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Protocol

from ademamix.store import Store
from ademamix.training.job import FAILED, Job
from ademamix.training.stop import catching

TICK = 0.25  # seconds between looks at the workers


class Display(Protocol):
    """Who is told what goes on; see progress.py."""

    def started(self, job: Job) -> None: ...
    def tick(self) -> None: ...
    def ended(self, job: Job, failed: bool) -> None: ...
    def skipped(self, job: Job) -> None: ...


def launch(
    jobs: Sequence[Job],
    store: Store,
    data_root: Path,
    devices: Sequence[str],
    threads: int,
    display: Display,
) -> tuple[list[Job], int]:
    """Train all jobs, as many at a time as there are `devices`, trunks before their branches.

    Args:
        jobs: in the order of preference.
        devices: one name for each worker, such as ["cpu", "cpu"] or ["cuda:0", "cuda:1"].
        threads: for each worker.

    Returns:
        The jobs that failed, or were left out because their trunk failed, and an exit code: 0, or
        128 + signal when stopped; then running jobs have written checkpoints.
    """
    by_id = {job.spec.id: job for job in jobs}
    order = TopologicalSorter(
        {
            job.spec.id: [fork.parent.id] if (fork := job.spec.fork) and fork.parent.id in by_id else []
            for job in jobs
        }
    )
    order.prepare()
    rank = {id: i for i, id in enumerate(by_id)}
    context = fork_server(threads)

    ready: list[str] = []
    running: dict[str, tuple[ForkServerProcess, str]] = {}
    free = list(devices)
    failed: set[str] = set()
    told: int | None = None
    with catching() as stop:
        try:
            while order.is_active() or running:
                ready = sorted([*ready, *order.get_ready()], key=rank.__getitem__)
                while free and ready and not stop:
                    id = ready.pop(0)
                    job = by_id[id]
                    if job.spec.fork and job.spec.fork.parent.id in failed:
                        failed.add(id)
                        order.done(id)
                        display.skipped(job)
                        ready += order.get_ready()
                        continue
                    device = free.pop()
                    process = context.Process(
                        target=_child, args=(job, store.root, data_root, device, threads), daemon=False
                    )
                    process.start()
                    running[id] = (process, device)
                    display.started(job)
                if stop and told is None:
                    told = stop.signal
                    for process, _ in running.values():
                        process.terminate()  # SIGTERM: sets the worker's flag
                if stop and not running:
                    break
                wait([process.sentinel for process, _ in running.values()], timeout=TICK)
                display.tick()
                for id in [id for id, (process, _) in running.items() if not process.is_alive()]:
                    process, device = running.pop(id)
                    free.append(device)
                    if process.exitcode == 0:
                        order.done(id)
                    elif not stop:
                        _explain(by_id[id], process.exitcode or FAILED, store)
                        failed.add(id)
                        order.done(id)
                    display.ended(by_id[id], failed=id in failed)
        finally:  # no worker outlives its launcher, whatever went wrong here
            for process, _ in running.values():
                process.terminate()
            for process, _ in running.values():
                process.join()
        return [by_id[id] for id in rank if id in failed], stop.exit_code


def fork_server(threads: int) -> ForkServerContext:
    """Start the process that workers are forked from, with torch loaded and `threads` for each."""
    # The environment must be set before the server starts: BLAS libraries read it when loaded.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    # Ctrl-C reaches every process of the terminal. The server and its children must not see it: the
    # launcher tells the workers, by SIGTERM. A blocked signal stays blocked in what is started. The
    # resource tracker comes first, since starting it unblocks the signal.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    context = multiprocessing.get_context("forkserver")
    # Torch imports its compiler when the first optimizer is made: seconds, better spent once.
    context.set_forkserver_preload(["ademamix.training.worker", "torch._dynamo"])
    forkserver.ensure_running()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


def _child(job: Job, store_root: Path, data_root: Path, device: str, threads: int) -> None:
    from ademamix.training.worker import work

    raise SystemExit(work(job, store_root, data_root, device, threads))


def _explain(job: Job, exit_code: int, store: Store) -> None:
    """Leave a reason for a worker that ended without giving one, such as by a signal of its own."""
    run = store.run(job.spec.id)
    if run.failure_path.exists():
        return
    number = -exit_code if exit_code < 0 else exit_code - 128
    why = f"was stopped by signal {number}" if number > 0 else f"ended with exit code {exit_code}"
    with suppress(OSError):  # such as a full disk, which the worker has then printed
        run.failure_path.write_text(f"the worker {why}\n")
