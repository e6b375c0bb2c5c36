"""The process that trains one run: lock, data, where to resume, outcome, failure.

Of several ranks the first one alone owns the run and looks at the store; what it finds, it tells the others.
"""

import time
import traceback
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from filelock import Timeout
from torch.distributed.device_mesh import DeviceMesh

from ademamix import owner
from ademamix.errors import UserError, one_line
from ademamix.lineage import follows, past
from ademamix.plan import complete, owed
from ademamix.spec import Need, refuse_unobservable
from ademamix.store import Outcome, Run, Store, missing
from ademamix.tasks import Task
from ademamix.training import checkpoint
from ademamix.training.garbage import collected_when_told
from ademamix.training.job import FAILED, HELD, TAKEN, Job, refuse_uneven
from ademamix.training.observe import refuse_unmeasurable, weights_needed
from ademamix.training.ranks import ALONE, Ranks
from ademamix.training.session import Session, observe_later
from ademamix.training.stop import Asked, Stop, catching
from ademamix.training.trainer import Trainer


def work(
    job: Job,
    store_root: Path,
    data_root: Path,
    device: str,
    threads: int,
    ranks: Ranks = ALONE,
    stop: Stop | None = None,
    patient: bool = True,
) -> int:
    """Train `job`; returns an exit code: 0 done (diverged is done), FAILED, HELD, TAKEN, or 128 + signal.

    A failure is written to the run's folder, whatever it is; it never reaches another run. `stop`: the flag
    of a process that catches signals itself. `patient`: wait while another process trains the run, rather
    than return TAKEN.
    """
    torch.set_num_threads(threads)
    store = Store(store_root)
    run = store.run(job.spec.id)
    with catching() if stop is None else nullcontext(stop) as stop:
        asked = Asked(stop, run.stop_path if ranks.first else None)
        try:
            with ExitStack() as held:
                if ranks.share(ranks.first and not own(run, asked, held, patient)):
                    # The first rank alone knows of a file `stop`.
                    return HELD if asked.held else stop.exit_code or (0 if patient else TAKEN)
                _train(job, run, store, data_root, torch.device(device), asked, ranks)
            return HELD if asked.held and not store.run(run.id).outcome() else stop.exit_code
        except Exception as error:
            why = explained(error, store_root, data_root)
            # Otherwise another rank has said why we lost it.
            if ranks.size == 1 or isinstance(error, UserError | OSError) or not run.failure():
                fail(run, why, ranks)
        return FAILED


def explained(error: Exception, store_root: Path, data_root: Path) -> str:
    """What a run's folder says of an error: a line where the user can do something, else its traceback."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):
        return one_line(error, {"--runs DIR": store_root, "--data DIR": data_root})
    return "".join(traceback.format_exception(error))


def own(run: Run, stop: Asked, held: ExitStack, patient: bool) -> bool:
    """Own the run until `held` is closed, once nobody else trains it.

    False when told to stop first, or where somebody else trains it and we are not `patient`.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    while not stop:
        try:
            run.lock.acquire(timeout=0.5)
        except Timeout:
            if patient:
                continue
            return False
        if not owner.elsewhere(run.folder):
            held.callback(run.lock.release)
            held.enter_context(owner.owning(run.folder))
            return True
        run.lock.release()  # trained by a machine whose locks we cannot see
        if not patient:
            return False
        time.sleep(0.5)
    return False


def fail(run: Run, message: str, ranks: Ranks = ALONE) -> None:
    """Say why a run failed, in its folder, or here where that cannot be written."""
    if not ranks.first and run.failure_path.exists():
        return  # it has lost the first rank, which has said why
    try:
        run.fail(message)
    except OSError:
        print(f"run {run.id}: {message}", flush=True)


def _train(
    job: Job,
    run: Run,
    store: Store,
    data_root: Path,
    device: torch.device,
    stop: Asked | Stop,
    ranks: Ranks = ALONE,
) -> None:
    session = opened(job, run, store, data_root, device, ranks)
    if session is None:
        return
    with collected_when_told(), session:
        while not (session.done or session.stopped):
            session.step(bool(stop))
        if session.done:
            session.finish(device)


def opened(
    job: Job,
    run: Run,
    store: Store,
    data_root: Path,
    device: torch.device,
    ranks: Ranks = ALONE,
    kind: type[Trainer] = Trainer,
) -> Session | None:
    """The session of a run that this process owns, in position; None where nothing is left to train.

    `kind`: of its trainer.
    """
    refuse_unobservable(job.spec, job.observe)
    refuse_uneven(job.spec.batch, ranks.size)
    # Another launcher may have finished the run, or branches of it, since this one made its plan.
    need = job.need
    done = ranks.first and (complete(need, job.forks, store) or _inherited(job, run, store))
    if ranks.share(done):
        return None
    job = replace(job, keep=ranks.share(owed(job.keep, job.forks, store)))
    task = job.spec.open(data_root, device)
    refuse_unmeasurable(task, job.observe)
    if ranks.share(ranks.first and _observed_later(need, job, run, store, task)):
        return None
    trainer = kind(job, task, ranks)
    if not _position(trainer, run, store, device):
        return None
    # What is trained from here on is the same only up to rounding: branches that are done have to follow.
    job = replace(job, keep=job.keep | job.spare | {step for step in job.forks if step > trainer.step})
    if ranks.first:
        run.reopen()
    return Session(job, run, task, trainer, ranks)


def _inherited(job: Job, run: Run, store: Store) -> bool:
    """Begin the run; whether that is all there is to do, as its trunk diverged before the fork."""
    run.begin(job.spec)
    if (inherited := _trunk_diverged(job, store)) is not None:
        run.write_metrics(())  # of a training of the trunk that did not diverge
        run.remove_checkpoints_except(())
        run.finish(inherited)
        return True
    run.try_again()
    return False


def _observed_later(need: Need, job: Job, run: Run, store: Store, task: Task) -> bool:
    """Measure what a complete run lacks and its checkpoints can answer; whether it is complete now."""
    outcome = run.outcome()
    lacking = outcome and outcome.observable_later(need, run.checkpoint_steps())
    if outcome and lacking and follows(job.spec, outcome, store):
        observe_later(run, outcome, lacking, job, task)
        return complete(need, job.forks, store)
    return False


def _trunk_diverged(job: Job, store: Store) -> Outcome | None:
    """The outcome of a branch whose trunk diverged before the fork, or None."""
    fork = job.spec.fork
    trunk = store.run(fork.parent.id).outcome() if fork else None
    if not fork or not trunk or trunk.status != "diverged" or trunk.step > fork.step:
        return None
    observed: dict[str, list[int]] = {str(q): [] for q in job.observe}
    return Outcome("diverged", trunk.step, observed, 0.0, trunk.machine, past(job.spec, store))


def _position(trainer: Trainer, run: Run, store: Store, device: torch.device) -> bool:
    """Bring the trainer to the newest usable checkpoint, to the fork, or leave it at the start.

    False when the run, stopped on its way to a later step, is beyond what this job wants already:
    then its progress is left as it is.
    """
    job, ranks = trainer.job, trainer.ranks
    state = checkpoint.latest(run, device, trainer.mesh) if ranks.first else None
    if state is not None and not _usable(state, job, run, store):
        state = None
    if step := ranks.share(state and int(state["step"])):
        if step > job.until:
            return False
        trainer.resume(state or _checkpoint(run, step, device, trainer.mesh))
        return True
    if ranks.first:
        run.remove_checkpoints_except(())
    if fork := job.spec.fork:
        trainer.branch(_checkpoint(store.run(fork.parent.id), fork.step, device, trainer.mesh))
        trainer.past = past(job.spec, store) if ranks.first else ""
    return True


def _checkpoint(run: Run, step: int, device: torch.device, mesh: DeviceMesh | None) -> dict[str, Any]:
    """Checkpoint `step` of a run that must have it."""
    state = checkpoint.load(run, step, device, mesh)
    if state is None:
        raise UserError(
            f"run {run.id} has no usable checkpoint of step {step} to branch from; "
            f"delete {run.folder} and run again"
        )
    return state


def _usable(state: dict[str, Any], job: Job, run: Run, store: Store) -> bool:
    """Whether everything wanted up to the checkpoint was kept and observed on the way there.

    Not where the trunk that it goes on from was trained anew.
    """
    if "losses" not in state:  # of a version before this one
        return False
    if state.get("past") and state["past"] != past(job.spec, store):
        return False
    step = state["step"]
    whole = {k for k in job.keep if k <= step} <= run.checkpoint_steps()
    remembered = {t for t, last in weights_needed(job.observe).items() if t <= step < last}
    ready = remembered <= state["observer"].keys()
    # The rows know what was observed later, of a checkpoint; the checkpoint does not.
    return whole and ready and not missing(run.observed(), job.observe, until=step)
