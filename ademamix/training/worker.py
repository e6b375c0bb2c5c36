"""The process that trains one run: lock, data, where to resume, outcome, failure."""

import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from filelock import Timeout

from ademamix import owner
from ademamix.errors import UserError, one_line
from ademamix.plan import complete, owed
from ademamix.spec import Need, refuse_unobservable
from ademamix.store import Outcome, Run, Store, missing
from ademamix.training import checkpoint
from ademamix.training.job import FAILED, Job
from ademamix.training.observe import refuse_unmeasurable, weights_needed
from ademamix.training.session import Session, observe_later
from ademamix.training.stop import Stop, catching
from ademamix.training.trainer import Trainer


def work(job: Job, store_root: Path, data_root: Path, device: str, threads: int) -> int:
    """Train `job` and return an exit code: 0 done (diverged is done), 1 failed, 128 + signal stopped.

    A failure is written to the run's folder, whatever it is; it never reaches another run.
    """
    torch.set_num_threads(threads)
    run = Store(store_root).run(job.spec.id)
    with catching() as stop:
        try:
            run.folder.mkdir(parents=True, exist_ok=True)
            if not _acquire(run, stop):
                return stop.exit_code
            try:
                with owner.owning(run.folder):
                    _train(job, run, Store(store_root), data_root, torch.device(device), stop)
            finally:
                run.lock.release()
            return stop.exit_code
        except UserError as error:
            _fail(run, str(error))
        except OSError as error:
            _fail(run, one_line(error, {"--runs DIR": store_root, "--data DIR": data_root}))
        except Exception:
            _fail(run, traceback.format_exc())
        return FAILED


def _acquire(run: Run, stop: Stop) -> bool:
    """Wait until nobody else trains the run; False when told to stop first."""
    while not stop:
        try:
            run.lock.acquire(timeout=0.5)
        except Timeout:
            continue
        if not owner.elsewhere(run.folder):
            return True
        run.lock.release()  # trained by a machine whose locks we cannot see
        time.sleep(0.5)
    return False


def _fail(run: Run, message: str) -> None:
    try:
        run.failure_path.write_text(message.rstrip() + "\n")
    except OSError:
        print(f"run {run.id}: {message}", flush=True)


def _train(job: Job, run: Run, store: Store, data_root: Path, device: torch.device, stop: Stop) -> None:
    refuse_unobservable(job.spec, job.observe)
    need = Need(job.spec, job.until, job.keep, job.observe)
    # Another launcher may have finished the run, or branches of it, since this one made its plan.
    if complete(need, job.forks, store):
        return
    job = replace(job, keep=owed(job.keep, job.forks, store))
    run.begin(job.spec)
    if (inherited := _trunk_diverged(job, store)) is not None:
        run.finish(inherited)
        return
    run.failure_path.unlink(missing_ok=True)
    task = job.spec.open(data_root, device)
    refuse_unmeasurable(task, job.observe)
    if (outcome := run.outcome()) and (lacking := outcome.observable_later(need, run.checkpoint_steps())):
        observe_later(run, outcome, lacking, job, task)
        if complete(need, job.forks, store):
            return
    trainer = Trainer(job, task)
    if not _position(trainer, run, store, device):
        return
    run.reopen()
    with Session(job, run, task, trainer) as session:
        while not (session.done or session.stopped):
            session.step(bool(stop))
        if session.done:
            session.finish(device)


def _trunk_diverged(job: Job, store: Store) -> Outcome | None:
    """The outcome of a branch whose trunk diverged before the fork, or None."""
    fork = job.spec.fork
    trunk = store.run(fork.parent.id).outcome() if fork else None
    if not fork or not trunk or trunk.status != "diverged" or trunk.step > fork.step:
        return None
    return Outcome("diverged", trunk.step, {str(q): [] for q in job.observe}, 0.0, trunk.machine)


def _position(trainer: Trainer, run: Run, store: Store, device: torch.device) -> bool:
    """Bring the trainer to the newest usable checkpoint, to the fork, or leave it at the start.

    False when the run, stopped on its way to a later step, is beyond what this job wants already:
    then its progress is left as it is.
    """
    job = trainer.job
    state = checkpoint.latest(run, device)
    if state is not None and _usable(state, job, run):
        if state["step"] > job.until:
            return False
        trainer.resume(state)
        return True
    run.remove_checkpoints_except(())
    if fork := job.spec.fork:
        parent = store.run(fork.parent.id)
        state = checkpoint.load(parent, fork.step, device)
        if state is None:
            raise UserError(
                f"run {parent.id} has no usable checkpoint of step {fork.step} to branch from; "
                f"delete {parent.folder} and run again"
            )
        trainer.branch(state)
    return True


def _usable(state: dict[str, Any], job: Job, run: Run) -> bool:
    """Whether everything wanted up to the checkpoint was kept and observed on the way there."""
    if "losses" not in state:  # of a version before this one
        return False
    step = state["step"]
    whole = {k for k in job.keep if k <= step} <= run.checkpoint_steps()
    remembered = {t for t, last in weights_needed(job.observe).items() if t <= step < last}
    ready = remembered <= state["observer"].keys()
    # The rows know what was observed later, of a checkpoint; the checkpoint does not.
    return whole and ready and not missing(run.observed(), job.observe, until=step)
