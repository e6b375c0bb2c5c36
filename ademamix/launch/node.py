"""What a task of a job does on its node: train its runs in turn, and heed the warning before the end."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ademamix.data.locate import ensure
from ademamix.errors import UserError, one_line
from ademamix.store import Store
from ademamix.training.job import FAILED, HELD, Job
from ademamix.training.stop import SIGNALS, Stop, catching

if TYPE_CHECKING:
    from submitit import JobEnvironment

    from ademamix.training.ranks import Ranks

WARNING = signal.SIGUSR2  # submitit's own; NCCL may catch the other one


@dataclass(frozen=True)
class Assignment:
    """What a task is told; a pickle of it travels to the node.

    Attributes:
        jobs: to be trained in turn.
        store_root, data_root: as the node sees them.
        device: 'cpu' or 'cuda'.
        threads: on a CPU.
        requeue: whether it goes back to the queue when it is warned.
        shard: whether each of several tasks keeps a part of a run's state alone.
    """

    jobs: tuple[Job, ...]
    store_root: Path
    data_root: Path
    device: str
    threads: int
    requeue: bool
    shard: bool = False


def carry_out(task: Assignment) -> None:
    """Train the runs of a task; leaves by SystemExit unless all are done.

    The handlers are set in here, over submitit's own, which would save in the middle of an update.
    """
    with catching((*SIGNALS, WARNING)) as stop:
        code = _train_all(task, stop)
    if code:
        raise SystemExit(code)


def _train_all(task: Assignment, stop: Stop) -> int:
    import submitit

    here = submitit.JobEnvironment()
    # Before anything touches a GPU, and before the ranks wait for each other.
    ready = [job for job in task.jobs if _has_data(job, task, here.global_rank == 0)]
    worst = 0 if len(ready) == len(task.jobs) else FAILED
    if worst and (here.num_tasks > 1 or not ready):
        return worst
    before = progress(ready, Store(task.store_root))
    with joined_ranks(here, task.device, task.shard) as (ranks, device):
        for job in ready:
            code = _train(job, task, device, ranks, stop)
            worst = worst or (code if code in (FAILED, HELD) else 0)
            if (code == FAILED and ranks.size > 1) or ranks.agree(bool(stop)):
                break
        if ranks.first and stop.signal == WARNING and task.requeue:
            if progress(ready, Store(task.store_root)) != before:
                _back_to_the_queue(here.job_id)  # of an array, this task of it alone
            else:
                print("nothing was achieved in the time there was; not requeued", flush=True)
    return stop.exit_code or worst


def _train(job: Job, task: Assignment, device: str, ranks: "Ranks", stop: Stop) -> int:
    from ademamix.checkout import commit as of_the_checkout
    from ademamix.training.worker import work

    of_the_checkout()  # remembered, as it is when the job begins
    code = work(job, task.store_root, task.data_root, device, task.threads, ranks, stop)
    if ranks.first:
        run = Store(task.store_root).run(job.spec.id)
        print(f"{run.id}: {run.failure() if code == FAILED else run.status()[0]}", flush=True)
    # A rank that failed leaves, and Slurm ends the others; those that did not are told what the first found.
    return code if code == FAILED else ranks.share(code)


def _has_data(job: Job, task: Assignment, first: bool) -> bool:
    """Whether the run's data is there; where not, its folder says why."""
    try:
        ensure(job.spec.data, task.data_root)
        return True
    except (UserError, OSError) as error:
        run = Store(task.store_root).run(job.spec.id)
        why = (
            str(error)
            if isinstance(error, UserError)
            else one_line(error, {"data of the cluster file": task.data_root})
        )
        if first:
            run.try_again()
        run.fail(f"{os.uname().nodename}: {why}")
        print(f"{run.id}: {run.failure()}", flush=True)
        return False


@contextmanager
def joined_ranks(here: "JobEnvironment", device: str, shard: bool = False) -> Iterator[tuple["Ranks", str]]:
    """This process among the tasks of its job, as submitit finds them, and the device it trains on."""
    import submitit
    import torch

    from ademamix.training.ranks import ALONE, joined

    own = f"cuda:{here.local_rank}" if device == "cuda" else device
    if here.num_tasks == 1:
        yield ALONE, own
        return
    submitit.helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
    if device == "cuda":
        torch.cuda.set_device(own)
    with joined(here.global_rank, here.num_tasks, shard=shard) as ranks:
        yield ranks, own


def progress(jobs: Sequence[Job], store: Store) -> dict[str, tuple[bool, int]]:
    """Run → whether it is complete, and its last checkpoint."""
    runs = [store.run(job.spec.id) for job in jobs]
    return {run.id: (run.outcome() is not None, max(run.checkpoint_steps(), default=0)) for run in runs}


def _back_to_the_queue(task: str) -> None:
    if not shutil.which("scontrol"):
        print("no scontrol here; the next call sends what is left", flush=True)
        return
    done = subprocess.run(["scontrol", "requeue", task], capture_output=True, text=True, check=False)
    print(done.stderr.strip() or f"requeued as {task}", flush=True)
