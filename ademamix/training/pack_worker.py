"""The process that trains the runs of a pack: each has its own lock, folder, outcome and failure.

What goes wrong with one run ends that run; what goes wrong with the program they share ends all of them.
Where the pack does not fit in the memory, its halves are trained one after the other.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from ademamix.store import Store
from ademamix.training.garbage import collected_when_told
from ademamix.training.job import FAILED, HELD, TAKEN, Job
from ademamix.training.pack import Member, Pack
from ademamix.training.session import Session
from ademamix.training.stop import Asked, Stop, catching
from ademamix.training.worker import explained, fail, opened, own


@dataclass(frozen=True)
class Places:
    """Where runs and data are, on what they are trained, and whether to wait for those of others."""

    store: Path
    data: Path
    device: torch.device
    patient: bool


def work_together(
    jobs: Sequence[Job], store_root: Path, data_root: Path, device: str, threads: int, patient: bool = True
) -> int:
    """Train `jobs`, of one `pack_key` and one size of passes, as a pack; returns an exit code.

    0: all are done; FAILED: one at least failed; HELD, TAKEN, or 128 + signal. The store says which.
    `patient`: wait while another process trains one of them, rather than go on without it.
    """
    torch.set_num_threads(threads)
    places = Places(store_root, data_root, torch.device(device), patient)
    with catching() as stop:
        codes = _train(jobs, places, stop)
    return FAILED if FAILED in codes else stop.exit_code or max(codes)


def _train(jobs: Sequence[Job], places: Places, stop: Stop) -> list[int]:
    try:
        return _once(jobs, places, stop)
    except torch.OutOfMemoryError as error:
        if len(jobs) == 1:
            fail(Store(places.store).run(jobs[0].spec.id), explained(error, places.store, places.data))
            return [FAILED]
    gc.collect()  # members know their pack
    torch.cuda.empty_cache()
    half = len(jobs) // 2
    print(f"{len(jobs)} runs at once do not fit in the memory; {half} do, perhaps", flush=True)
    return _train(jobs[:half], places, stop) + _train(jobs[half:], places, stop)


class Seat:
    """A run of the pack in this process, from its lock to its end.

    Attributes:
        code: what came of it: 0, FAILED, HELD or TAKEN.
        session: None where there is nothing to train.
    """

    def __init__(self, job: Job, places: Places, stop: Stop) -> None:
        self.code = 0
        self.session: Session | None = None
        self.run = Store(places.store).run(job.spec.id)
        self._places = places
        self._asked = Asked(stop, self.run.stop_path)
        self._held = ExitStack()
        with self.failing_alone():
            if not own(self.run, self._asked, self._held, places.patient):
                self.code = HELD if self._asked.held else 0 if stop else TAKEN
                return
            store = Store(places.store)
            self.session = opened(job, self.run, store, places.data, places.device, kind=Member)

    @contextmanager
    def failing_alone(self) -> Iterator[None]:
        """A block in which an error is this run's alone."""
        try:
            yield
        except torch.OutOfMemoryError:
            self.close()
            raise
        except Exception as error:
            fail(self.run, explained(error, self._places.store, self._places.data))
            self.code = FAILED

    @property
    def member(self) -> Member:
        assert self.session
        assert isinstance(self.session.trainer, Member)
        return self.session.trainer

    @property
    def over(self) -> bool:
        return self.code == FAILED or not self.session or self.session.done or self.session.stopped

    def made(self) -> None:
        """What is due after an update; at the end, the outcome."""
        assert self.session
        with self.failing_alone():
            self.session.made(bool(self._asked), self.session.due)
            if self.session.done:
                self.session.finish(self._places.device)
            elif self.session.stopped and self._asked.held:
                self.code = HELD

    def close(self) -> None:
        """Let go of the run, its files and what it takes of the memory."""
        if self.session:
            self.session.close()
        self.session = None
        self._held.close()


def _once(jobs: Sequence[Job], places: Places, stop: Stop) -> list[int]:
    with ExitStack() as closing:
        seats = []
        # Two packs that share runs lock them in one order: neither waits for what the other waits with.
        for job in sorted(jobs, key=lambda job: job.spec.id):
            seats.append(Seat(job, places, stop))
            closing.callback(seats[-1].close)
        _drive([seat for seat in seats if not seat.over], places)
    return [seat.code for seat in seats]


def _drive(seats: list[Seat], places: Places) -> None:
    """Train until none of `seats` has anything left."""
    if not seats:
        return
    with collected_when_told():
        pack = Pack([seat.member for seat in seats])
        for seat in seats:
            seat.member.packed = len(seats)
        while seats:
            try:
                pack.update()
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # of the program that all share
                for seat in seats:
                    fail(seat.run, explained(error, places.store, places.data))
                    seat.code = FAILED
                return
            for seat in list(seats):
                seat.made()
                if seat.over:
                    pack.leave(seat.member)
                    seat.close()
                    seats.remove(seat)
