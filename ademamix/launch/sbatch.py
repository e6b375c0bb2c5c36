"""Slurm's queue: jobs go in through submitit; sacct, squeue and scancel are asked at once for all of them."""

import contextlib
import getpass
import io
import os
import shlex
import shutil
import subprocess
import sys
import uuid
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import submitit
from submitit.core.core import Job
from submitit.core.utils import DelayedSubmission, FailedJobError, FailedSubmissionError, JobPaths
from submitit.slurm.slurm import SlurmExecutor, SlurmJob, _make_sbatch_string

from ademamix.checkout import checkout
from ademamix.errors import UserError
from ademamix.launch.cluster import Cluster, Resources
from ademamix.launch.node import carry_out
from ademamix.launch.scheduler import Order, Unanswered
from ademamix.launch.states import State, accounted, joined, queued

PATIENCE = 60.0  # seconds for an answer


class Executor(SlurmExecutor):
    """submitit's, for nodes that may see the folder by another path."""

    def __init__(self, folder: Path, on_nodes: Path, python: str) -> None:
        super().__init__(folder, python=python)
        self.on_nodes = on_nodes

    @classmethod
    def affinity(cls) -> int:
        return 2  # texts are made where there is no Slurm, too

    @property
    def _submitit_command_str(self) -> str:
        return f"{self.python} -u -m submitit.core._submit {shlex.quote(str(self.on_nodes))}"

    def _make_submission_file_text(self, command: str, uid: str) -> str:
        text: str = _make_sbatch_string(command=command, folder=self.on_nodes, **self.parameters)
        return text

    def text(self, tasks: int) -> str:
        """What sbatch would be given for so many tasks."""
        if tasks > 1:
            self.parameters["map_count"] = tasks
        return self._make_submission_file_text(self._submitit_command_str, "")

    def _internal_process_submissions(self, delayed_submissions: list[DelayedSubmission]) -> list[Job[Any]]:
        """As submitit's, which makes another executor for an array, and that knows no other path."""
        pickles = []
        self.folder.mkdir(parents=True, exist_ok=True)
        for delayed in delayed_submissions:
            pickles.append(self.folder / f"{uuid.uuid4().hex}.pkl")
            delayed.dump(pickles[-1])
        if (count := len(pickles)) > 1:
            self.parameters["map_count"] = count
        first = self._submit_command(self._submitit_command_str)
        ids = [first.job_id] if count == 1 else [f"{first.job_id}_{number}" for number in range(count)]
        for id, pickle in zip(ids, pickles, strict=True):
            JobPaths(self.folder, id).move_temporary_file(pickle, "submitted_pickle")
        return [SlurmJob(folder=self.folder, job_id=id) for id in ids]


def executor(order: Order, cluster: Cluster) -> Executor:
    """What submits the tasks of an order."""
    shape = order.batch.shape
    code = cluster.on_nodes.checkout or checkout()
    python = cluster.on_nodes.python or shlex.quote(sys.executable)
    found = Executor(order.folder, order.store_root / "slurm" / order.name, python)
    asked: dict[str, Any] = {
        "job_name": order.name,
        "time": shape.minutes,
        "nodes": shape.nodes,
        "ntasks_per_node": shape.tasks_per_node,
        "cpus_per_task": shape.cpus,
        "gpus_per_node": shape.gpus or None,
        "mem": f"{round(shape.memory_gb * 1024)}M" if shape.memory_gb else None,
        "partition": shape.partition,
        "account": shape.account,
        "qos": shape.qos,
        "constraint": shape.constraint,
        "dependency": f"afterok:{order.batch.after}" if order.batch.after else None,
        "signal_delay_s": cluster.signal_seconds,
        "array_parallelism": cluster.running or len(order.batch.tasks),
        "wckey": None,  # clusters that check these keys refuse submitit's
        "setup": [*cluster.setup, *_environment(shape, code)],
        # Newer srun does not take the cores from the job; and ranks do not outlive one of them.
        "srun_args": [f"--cpus-per-task={shape.cpus}", "--kill-on-bad-exit=1"],
        "additional_parameters": {
            "kill_on_invalid_dep": "yes",
            "requeue" if cluster.requeue else "no_requeue": True,
            **shape.options,
        },
    }
    found.parameters = {name: value for name, value in asked.items() if value is not None or name == "wckey"}
    return found


def _environment(shape: Resources, code: Path) -> list[str]:
    threads = " ".join(f"{name}_NUM_THREADS={shape.threads}" for name in ("OMP", "MKL", "OPENBLAS"))
    return [f"cd {shlex.quote(str(code))}", f"export {threads}"]


class Slurm:
    """The cluster that this machine's commands belong to."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def submit(self, order: Order) -> str:
        said = io.StringIO()  # submitit prints what sbatch says, which comes as one line below
        try:
            with contextlib.redirect_stderr(said), outside_of_jobs():
                jobs = executor(order, self.cluster).map_array(carry_out, order.assignments)
        except (FailedJobError, FailedSubmissionError) as error:
            away = any(sign in str(error) for sign in _AWAY)
            raise (Unanswered if away else UserError)(refusal(str(error), self.cluster.name)) from None
        except FileNotFoundError as error:
            if error.filename == "sbatch":
                raise UserError(_NO_COMMANDS.format("sbatch")) from None
            raise
        return str(jobs[0].job_id).partition("_")[0]

    def states(self, jobs: Collection[str]) -> dict[str, State]:
        if not jobs:
            return {}
        # The queue first: what has left it when the accounting is asked, has ended.
        queue = _answer(["squeue", "-h", "-r", "-u", getpass.getuser(), "-o", "%i|%T|%r"])
        account = _answer(["sacct", "-n", "-P", "-X", "-o", "JobID,State,ExitCode", "-j", ",".join(jobs)])
        if queue is None and account is None:
            raise Unanswered("neither squeue nor sacct answers; try again when the cluster does")
        found = joined(
            None if queue is None else queued(queue), None if account is None else accounted(account)
        )
        return {task: state for task, state in found.items() if task.partition("_")[0] in jobs}

    def cancel(self, tasks: Collection[str]) -> None:
        if tasks and _answer(["scancel", *sorted(tasks)]) is None:
            raise UserError("scancel did not succeed; try again when the cluster answers")

    def find(self, name: str) -> str | None:
        queue = ["squeue", "-h", "-n", name, "-o", "%F"]
        account = ["sacct", "-n", "-P", "-X", "--name", name, "-S", "now-30days", "-o", "JobID"]
        for command in (queue, account):
            if (said := _answer(command)) is None:
                raise Unanswered(f"{command[0]} does not answer; try again when the cluster does")
            if said.strip():
                return said.split()[0].partition("_")[0]
        return None


_AWAY = ("contact slurm controller", "Socket timed out", "communication connection failure", "Zero Bytes")
_NO_COMMANDS = "no {} here: call this where Slurm's commands are"


def _answer(command: Sequence[str]) -> str | None:
    """What a command of Slurm's prints; None where it fails or does not answer in time."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def here() -> bool:
    """Whether this machine can send jobs to a Slurm."""
    return shutil.which("sbatch") is not None


@contextlib.contextmanager
def outside_of_jobs() -> Any:
    """A job that is sent from within another one inherits nothing of it but where Slurm is."""
    if "SLURM_JOB_ID" not in os.environ:
        yield
        return
    conf = os.environ.get("SLURM_CONF")
    with submitit.helpers.clean_env():
        if conf:
            os.environ["SLURM_CONF"] = conf
        yield


def refusal(said: str, cluster: str) -> str:
    """sbatch's reason as one line, without its prefixes."""
    lines = [line.removeprefix("sbatch: ").removeprefix("error: ").strip() for line in said.splitlines()]
    reasons = [line for line in lines if line] or ["no reason was given"]
    return f"cluster {cluster}: sbatch refuses: {'; '.join(dict.fromkeys(reasons))}; see its cluster file"
