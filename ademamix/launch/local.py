"""The launcher for this machine: one process for each run, or several; one run, or a pack, for each worker.

A process of its own means that a crash, of whatever kind, ends one run and no other. Processes are
forked from a server that has torch loaded, so that starting one costs milliseconds.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from pathlib import Path

from ademamix.launch.packs import Packing, alike
from ademamix.launch.protocol import Display, Feed, Launched
from ademamix.launch.schedule import Schedule
from ademamix.launch.team import Team
from ademamix.owner import alive
from ademamix.plan import complete
from ademamix.store import Store
from ademamix.training.job import FAILED, HELD, TAKEN, Job
from ademamix.training.stop import Stop, catching

TICK = 0.25  # seconds between looks at the workers


@dataclass(frozen=True)
class Local:
    """Workers on this machine.

    Attributes:
        devices: one name for each process, such as ["cpu", "cpu"] or ["cuda:0", "cuda:1"].
        threads: for each process on a CPU.
        ranks: processes that train one run together, on devices that follow each other in `devices`.
        shard: whether each of them keeps a part of the run's state alone.
        packing: how many runs are trained as one program, where `ranks` is 1.
    """

    devices: Sequence[str]
    threads: int = 1  # runs side by side use the cores better than one run does
    ranks: int = 1
    shard: bool = False
    packing: Packing = field(default_factory=Packing)

    @property
    def workers(self) -> int:
        return len(self.devices) // self.ranks

    def processes(self, job: Job) -> int:
        return self.ranks

    def launch(self, jobs: Sequence[Job], store: Store, data_root: Path, display: Display) -> Launched:
        """Train all jobs; returns when they are done, or have written checkpoints after a signal."""
        return self.launch_fed(jobs, store, data_root, display, lambda _: ())

    def launch_fed(
        self, jobs: Sequence[Job], store: Store, data_root: Path, display: Display, more: Feed
    ) -> Launched:
        """As `launch`; with what `more` gives as soon as a worker is free and no job is ready."""
        schedule = Schedule(jobs)
        preload = {module for job in jobs for module in job.spec.PRELOAD}
        pool = Pool(self, store, data_root, sorted(preload))
        with catching() as stop:
            told = False
            try:
                while not (stop and not pool.running):
                    self._start(schedule, pool, store, display, stop, more)
                    if not pool.running:  # what is left is held, or branches from what is
                        break
                    if stop:
                        pool.terminate()
                        told = told or _tell(display, pool.runs)
                    pool.wait()
                    display.tick()
                    for team, exit_code in pool.ended():
                        _settle(team, exit_code, schedule, store, display, stop)
            finally:  # no worker outlives its launcher, whatever went wrong here
                pool.terminate()
                pool.join()
        return Launched(schedule.failed, schedule.pending, stop.exit_code)

    def _start(
        self, schedule: Schedule, pool: "Pool", store: Store, display: Display, stop: Stop, more: Feed
    ) -> None:
        while pool.free and not stop:
            jobs, patient = self._take(schedule, store, len(pool.free))
            if not jobs:
                schedule.add(more(len(pool.free)))
                jobs, patient = self._take(schedule, store, len(pool.free))
            if not jobs:
                return
            pool.start(jobs, patient)
            for each in jobs:
                display.started(each)

    def _take(self, schedule: Schedule, store: Store, free: int) -> tuple[tuple[Job, ...], bool]:
        """What the next worker trains, and whether it waits where another call trains that.

        Such runs come last. Two calls may choose the same at the same moment: one puts it off then.
        """
        ready = schedule.ready(lambda _: True)
        if not ready:
            return (), False
        theirs = {job.spec.id for job in ready if alive(store.run(job.spec.id).folder)}
        schedule.put_off -= theirs  # from now on their owners tell
        later = theirs | schedule.put_off
        ours = [job for job in ready if job.spec.id not in later]
        first, *others = ours or ready
        beside = [job for job in others if alike(first, job)]
        taken = {job.spec.id for job in (first, *beside[: self._beside(first, len(beside), free)])}
        return schedule.take_some(lambda job: job.spec.id in taken, len(taken)), not ours

    def _beside(self, job: Job, others: int, free: int) -> int:
        """How many of `others` like it a worker takes with a job, so that none of the `free` ones is idle."""
        most = self.packing.most(job) if self.ranks == 1 else 1
        return min(most, -(-(1 + others) // free)) - 1


def _tell(display: Display, running: int) -> bool:
    """Say at once that the signal was heard: an update may take minutes."""
    if running:
        display.stopping(running)
    return True


def _settle(
    team: Team, exit_code: int, schedule: Schedule, store: Store, display: Display, stop: Stop
) -> None:
    """Take note of a worker's end."""
    for job in team.jobs:
        code = exit_code if len(team.jobs) == 1 else _code_of(job, exit_code, store, team.patient)
        if code == TAKEN and not stop:
            schedule.put_back(job)
            display.put_off(job)
            continue
        failed = code not in (0, HELD) and not stop
        if code == 0:
            schedule.succeeded(job)
        elif failed:
            _explain(team, job, code, store)
        display.ended(job, failed)
        if failed:
            for left_out in schedule.fail(job):
                display.skipped(left_out)


def _code_of(job: Job, exit_code: int, store: Store, patient: bool) -> int:
    """What became of one run of a pack, whose exit code is that of all of them together."""
    if exit_code == 0 or complete(job.need, job.forks, store):
        return 0
    if exit_code not in (FAILED, HELD, TAKEN):  # the process was lost
        return exit_code
    run = store.run(job.spec.id)
    if run.stop_path.exists():
        return HELD
    if exit_code != TAKEN and run.failure_path.exists():  # otherwise that is another call's
        return FAILED
    return HELD if patient else TAKEN


class Pool:
    """The workers that train at the moment, and the devices that are free, as many as a run takes."""

    def __init__(self, of: Local, store: Store, data_root: Path, preload: Iterable[str]) -> None:
        together = range(0, of.workers * of.ranks, of.ranks)
        self.free = [tuple(of.devices[first : first + of.ranks]) for first in together]
        self.running: dict[str, Team] = {}
        self._places = (store.root, data_root)
        self._threads = of.threads
        self._shard = of.shard
        self._context = fork_server(of.threads, preload)

    def start(self, jobs: Sequence[Job], patient: bool) -> None:
        devices = self.free.pop()
        team = Team(self._context, jobs, self._places, devices, self._threads, self._shard, patient)
        self.running[jobs[0].spec.id] = team

    @property
    def runs(self) -> int:
        """How many are trained at the moment."""
        return sum(len(team.jobs) for team in self.running.values())

    def wait(self) -> None:
        """Until a process ends, a tick at most."""
        wait([sentinel for team in self.running.values() for sentinel in team.sentinels], timeout=TICK)

    def ended(self) -> list[tuple[Team, int]]:
        """The workers that have ended since the last look, with their exit codes."""
        found = []
        for id, team in list(self.running.items()):
            if (code := team.ended()) is not None:
                del self.running[id]
                self.free.append(team.devices)
                found.append((team, code))
        return found

    def terminate(self) -> None:
        """SIGTERM, which sets the workers' flags; a second one changes nothing."""
        for team in self.running.values():
            team.terminate()

    def join(self) -> None:
        for team in self.running.values():
            team.join()


def fork_server(threads: int, preload: Iterable[str] = ()) -> ForkServerContext:
    """Start the process that workers are forked from, with torch and `preload` loaded, `threads` for each."""
    # The environment must be set before the server starts: BLAS libraries read it when loaded.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    # Ctrl-C reaches every process of the terminal. The server and its children must not see it: the
    # launcher tells the workers, by SIGTERM. A blocked signal stays blocked in what is started. The
    # resource tracker comes first, since starting it unblocks the signal.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ademamix.launch.warm", *preload])
    forkserver.ensure_running()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


def _explain(team: Team, job: Job, exit_code: int, store: Store) -> None:
    """Leave a reason for a worker that ended without giving one, such as by a signal of its own.

    What other ranks say of a run that has lost one is that they have lost it.
    """
    run = store.run(job.spec.id)
    if run.failure_path.exists() and not (len(team.devices) > 1 and exit_code < 0):
        return
    number = -exit_code if exit_code < 0 else exit_code - 128
    why = f"was stopped by signal {number}" if number > 0 else f"ended with exit code {exit_code}"
    with suppress(OSError):  # such as a full disk, which the worker has then printed
        run.fail(f"{team.who} {why}")
