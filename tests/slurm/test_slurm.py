"""Against a real Slurm of one node (make test-slurm): whatever happens to jobs, runs end as if nothing had.

One cluster serves all tests; what takes long waits beside what is quick. Jobs that are interrupted train a
model that waits before each batch, so that they last without keeping a core busy.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ademamix import owner
from ademamix.checkout import checkout
from ademamix.errors import UserError
from ademamix.launch.batches import minutes
from ademamix.launch.cluster import Cluster, read_cluster
from ademamix.launch.protocol import Launched
from ademamix.launch.sbatch import Slurm
from ademamix.launch.slurm import OnCluster
from ademamix.launch.standing import standings
from ademamix.launch.states import State
from ademamix.launch.submissions import Submission, Submissions
from ademamix.scale import scale
from ademamix.spec import RunSpec
from ademamix.store import Store
from ademamix.training.job import Job
from tests.launch.contract import Contract, Make, Recorder, ids, in_process, job
from tests.slurm.paused import PausedRun

pytestmark = pytest.mark.slurm

HERE = Path(__file__).parent
PATIENCE = 900.0  # seconds, on a machine that does much else
AT = scale("smoke")
ONE_NODE = read_cluster(checkout() / "configs" / "clusters" / "one-node.yaml")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a Slurm that runs; its commands are on PATH, SLURM_CONF names it."""
    if os.geteuid() != 0:
        pytest.skip(
            "a Slurm of one's own needs root, and Debian's packages slurm-wlm, slurmdbd, mariadb-server"
        )
    if not (shutil.which("slurmctld", path=f"{os.environ['PATH']}:/usr/sbin") or shutil.which("apt-get")):
        pytest.skip("Slurm is not installed, and there is no apt-get to install it with")
    folder = tmp_path_factory.mktemp("slurm")
    settings = {"SLURM_TEST_CPUS": "10", "SLURM_TEST_CRED": "3", "SLURM_TEST_GRACE": "60"}
    up = subprocess.run([HERE / "slurm-up.sh", folder], env={**os.environ, **settings}, capture_output=True,
                        text=True)  # fmt: skip
    if "installing failed" in up.stderr:
        pytest.skip(f"Slurm's packages cannot be installed here: {up.stderr.splitlines()[-1]}")
    assert up.returncode == 0, up.stdout + up.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "etc" / "slurm.conf"))
        try:
            yield folder
        finally:
            subprocess.run([HERE / "slurm-down.sh", folder], check=True, capture_output=True)


def command(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=120).stdout.strip()


def until(what: str, test: Callable[[], Any], every: float = 1.0) -> None:
    """Wait; `every`: seconds between looks, of which a question to Slurm takes a twentieth of one."""
    end = time.monotonic() + PATIENCE
    while not test():
        assert time.monotonic() < end, what
        time.sleep(every)


def cluster(**fields: Any) -> Cluster:
    return Cluster(**{**ONE_NODE.model_dump(), **fields})


def launch(of: Cluster, jobs: Sequence[Job], store: Store, data: Path, wait: bool = False) -> Launched:
    store.open()
    return OnCluster(Slurm(of), of, AT, wait).launch(jobs, store, data, Recorder())


# --- interrupted jobs: begun together, in the background, and looked at at the end


@dataclass
class Interrupted:
    """Runs of their own jobs, each to be interrupted in its way."""

    store: Store
    data: Path
    jobs: dict[str, Job]
    clusters: dict[str, Cluster]

    def task(self, name: str) -> str:
        id = self.jobs[name].spec.id
        return next(s.job or "" for s in Submissions(self.store).all() if id in s.tasks[0])

    def trains(self, name: str) -> bool:
        path = self.store.run(self.jobs[name].spec.id).metrics_path
        return path.exists() and bool(path.read_text())


@pytest.fixture(scope="module")
def interrupted(slurm: Path, data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    """Four jobs that train until something happens to them."""
    store = Store(tmp_path_factory.mktemp("interrupted"))
    slow = ("export PAUSE=0.5",)
    clusters = {
        "limit": cluster(minutes=60, signal_seconds=60, setup=slow),
        "preempted": cluster(partition="low", cpus=6, setup=slow),
        "killed": cluster(setup=slow),
        "cancelled": cluster(setup=slow),
    }
    jobs = {name: _long(paused(seed)) for seed, name in enumerate(clusters)}
    for name, of in clusters.items():
        launch(of, [jobs[name]], store, data_root)
    return Interrupted(store, data_root, jobs, clusters)


def paused(seed: int) -> PausedRun:
    from ademamix.data.sets import TokenFolder
    from ademamix.models import TransformerConfig
    from ademamix.optimizers import AdEMAMixConfig
    from ademamix.schedules import Cosine

    return PausedRun(
        model=TransformerConfig(width=16, layers=1, heads=2, positions=16, vocabulary=32),
        data=TokenFolder(set="made", tokenizer="small"),
        optimizer=AdEMAMixConfig(lr=1e-2, weight_decay=0.1, beta3=0.99, alpha=4.0),
        schedule=Cosine(warmup=5, horizon=200),
        batch=4,
        sequence=16,
        seed=seed,
        clipping=0.5,
    )


def _long(spec: RunSpec) -> Job:
    return Job(spec, 200, frozenset({200}), {}, {}, log_every=1, checkpoint_seconds=1)


def test_jobs_meet_their_limit_and_are_killed_cancelled_and_preempted(interrupted: Interrupted) -> None:
    """A time limit, a SIGKILL, an scancel, and a job that needs the place of one that may be preempted."""
    for name in interrupted.jobs:
        until(f"{name} trains", lambda name=name: interrupted.trains(name))  # type: ignore[misc]
    shorten(interrupted.task("limit"))
    victim = owner.of(interrupted.store.run(interrupted.jobs["killed"].spec.id).folder)
    assert victim is not None
    assert victim.job == interrupted.task("killed")
    os.kill(victim.process, signal.SIGKILL)
    command("scancel", interrupted.task("cancelled"))
    high = command(
        "sbatch", "--parsable", "-p", "high", "-n1", "-c", "6", "-o", "/dev/null", "--wrap", "sleep 1"
    )

    def ended() -> bool:
        found = {s.run: s.state for s in standings(interrupted.store, Slurm(ONE_NODE)).runs}
        killed, cancelled = (found[interrupted.jobs[name].spec.id] for name in ("killed", "cancelled"))
        return (killed, cancelled) == (State.FAILED, State.CANCELLED)

    until("killed and cancelled are known to be", ended)
    until("the other job has run", lambda: "COMPLETED" in command("sacct", "-nPX", "-o", "State", "-j", high))
    for name in ("preempted", "limit"):  # they have requeued themselves, with a checkpoint
        until(f"{name} is requeued", lambda name=name: restarts(interrupted.task(name)))  # type: ignore[misc]
        assert interrupted.store.run(interrupted.jobs[name].spec.id).checkpoint_steps()
    command("scontrol", "update", f"JobId={interrupted.task('limit')}", "TimeLimit=60")
    # A later call goes on from the last checkpoint, as fast as it can.
    fast = cluster()
    again = [interrupted.jobs[name] for name in ("killed", "cancelled")]
    assert ids(launch(fast, again, interrupted.store, interrupted.data).pending) == ids(again)


def shorten(task: str) -> None:
    """Bring a job's end so near that it is warned within a minute."""
    elapsed = command("squeue", "-h", "-j", task, "-o", "%M").split(":")
    minutes = sum(int(part) * 60**place for place, part in enumerate(reversed(elapsed))) // 60
    command("scontrol", "update", f"JobId={task}", f"TimeLimit={minutes + 2}")


def restarts(task: str) -> bool:
    return "Restarts=0" not in command("scontrol", "show", "job", task)


# --- many short runs

SUBMIT = """
import sys
from pathlib import Path
from tests.slurm.test_slurm import send_many
send_many(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def many_jobs() -> list[Job]:
    return [Job(paused(seed), 3, frozenset(), {}, {}, 1, 60.0) for seed in range(100, 300)]


def send_many(root: Path, data: Path) -> None:
    """200 runs as an array of two tasks."""
    jobs = many_jobs()
    launch(cluster(pack_minutes=100.5 * minutes(jobs[0], AT)), jobs, Store(root), data)


def test_two_hundred_runs_from_two_shells_with_the_controller_restarted(
    slurm: Path, tmp_path: Path, data_root: Path
) -> None:
    store = Store(tmp_path)
    store.open()
    shells = [
        subprocess.Popen([sys.executable, "-c", SUBMIT, str(tmp_path), str(data_root)], cwd=checkout())
        for _ in range(2)
    ]
    assert [shell.wait(PATIENCE) for shell in shells] == [0, 0]
    sent = [run for s in Submissions(store).all() for task in s.tasks for run in task]
    jobs = many_jobs()
    assert Counter(sent) == Counter(ids(jobs))  # each once
    restart_the_controller(slurm, Submissions(store).all()[0])
    # A controller that is killed may forget what it was sent last: those are left to the next call.
    calls = [launch(cluster(), jobs, store, data_root, wait=True)]
    if calls[0].pending:
        calls.append(launch(cluster(), jobs, store, data_root, wait=True))
    assert calls[-1] == Launched()
    assert all(store.run(id).status()[0] == "finished" for id in ids(jobs))
    logs = "".join(path.read_text() for path in tmp_path.glob("slurm/*/*.out"))
    done = re.findall(r"^([0-9a-f]{12}): finished$", logs, re.MULTILINE)
    assert Counter(done) == Counter(ids(jobs))
    assert not list(tmp_path.glob("slurm/*/*.pkl"))


def restart_the_controller(folder: Path, sent: Submission) -> None:
    """Kill it, as a crash does, once it has saved what it started of what was sent.

    What it had not saved it would start a second time, and drain the node for it: that is Slurm's own.
    """
    state, since = folder / "state" / "job_state", time.time()
    command("scontrol", "update", f"JobId={sent.job}", "Comment=a change that is saved")
    until("the controller has saved its state", lambda: state.stat().st_mtime > since, every=0.1)
    pids = folder / "pids"
    rows = {name: int(pid) for name, pid, _ in map(str.split, pids.read_text().splitlines())}
    words = Path(f"/proc/{rows['slurmctld']}/cmdline").read_text().split("\0")[:-1]
    os.kill(rows["slurmctld"], signal.SIGKILL)
    process = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    started = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
    kept = [line for line in pids.read_text().splitlines() if not line.startswith("slurmctld ")]
    pids.write_text("\n".join([*kept, f"slurmctld {process.pid} {started}"]) + "\n")


# --- several processes for one run


def test_two_tasks_train_one_run(slurm: Path, tmp_path: Path, data_root: Path, adamw_spec: RunSpec) -> None:
    store = Store(tmp_path)
    assert launch(cluster(tasks=2), [job(adamw_spec)], store, data_root, wait=True) == Launched()
    found = [row["loss"] for row in store.run(adamw_spec.id).metrics()]
    assert found == pytest.approx(in_process(adamw_spec, data_root, tmp_path), rel=1e-5)


# --- what was pending when somebody cancelled it


def test_a_pending_trunk_that_is_cancelled(
    slurm: Path, tmp_path: Path, data_root: Path, adamw_spec: RunSpec
) -> None:
    store = Store(tmp_path)
    jobs = [job(adamw_spec, frozenset({10})), job(adamw_spec.branch(10))]
    launch(cluster(options={"hold": True}), jobs, store, data_root)
    trunk, branch = (s.job or "" for s in Submissions(store).all())
    command("scancel", trunk)
    until("the branch is out of the queue", lambda: branch not in command("squeue", "-h", "-o", "%A"))
    found = {s.task: s for s in standings(store, Slurm(ONE_NODE)).runs}
    assert found[trunk].state == State.CANCELLED
    assert found[branch].state == State.NEVER
    assert all("call again" in s.advice for s in found.values())
    assert ids(launch(cluster(options={"hold": True}), jobs, store, data_root).pending) == ids(jobs)
    jobs_now = [s.job or "" for s in Submissions(store).all()][2:]
    assert len(jobs_now) == 2
    Slurm(ONE_NODE).cancel(jobs_now)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"partition": "absent"}, "invalid partition specified: absent"),
        ({"memory_gb": 1e6}, "Memory specification can not be satisfied"),
        ({"constraint": "absent"}, "Invalid feature specification"),
    ],
)
def test_what_sbatch_refuses_is_one_line(
    fields: dict[str, Any], message: str, slurm: Path, tmp_path: Path, data_root: Path, adamw_spec: RunSpec,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(UserError, match=message) as problem:
        launch(cluster(**fields), [job(adamw_spec)], Store(tmp_path), data_root)
    assert "\n" not in str(problem.value)
    assert capfd.readouterr() == ("", "")
    assert not Submissions(Store(tmp_path)).all()


# --- what every launcher does


class TestOnSlurm(Contract):
    @pytest.fixture
    def make(self, interrupted: "Interrupted") -> Make:
        return lambda: OnCluster(Slurm(ONE_NODE), ONE_NODE, AT, wait=True)


# --- figures


def test_figures_4_and_12_are_the_same_byte_for_byte(slurm: Path, tmp_path: Path) -> None:
    def run(where: str, *options: str) -> dict[str, bytes]:
        words = ["run", "--figure", "4", "--figure", "12", "--scale", "smoke", "--runs", tmp_path / where,
                 "--out", tmp_path / f"{where} figures", *options]  # fmt: skip
        done = subprocess.run([sys.executable, "-m", "ademamix", *words], cwd=checkout(), capture_output=True,
                              text=True, timeout=PATIENCE)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return {
            p.name: p.read_bytes() for p in (tmp_path / f"{where} figures" / "smoke").iterdir() if p.is_file()
        }

    local = run("local", "--pack", "1")  # on a cluster each run is a program of its own
    assert {"figure-04.csv", "figure-12.csv", "figure-12.png", "claims.json"} <= local.keys()
    assert run("slurm", "--cluster", "configs/clusters/one-node.yaml", "--wait") == local


# --- and at the end, the interrupted ones


def test_interrupted_runs_are_bit_for_bit_what_they_are_without(
    interrupted: Interrupted, tmp_path: Path
) -> None:
    from ademamix.training.worker import work

    jobs = list(interrupted.jobs.values())
    assert launch(cluster(), jobs, interrupted.store, interrupted.data, wait=True) == Launched()
    for each in interrupted.jobs.values():
        assert work(each, tmp_path, interrupted.data, "cpu", 1) == 0
        straight, found = (s.run(each.spec.id) for s in (Store(tmp_path), interrupted.store))
        assert found.metrics() == straight.metrics()
        assert weights(found.checkpoint_path(200)) == weights(straight.checkpoint_path(200))


def weights(path: Path) -> dict[str, list[Any]]:
    import torch

    state = torch.load(path, weights_only=True)["model"]
    return {name: value.tolist() for name, value in state.items()}
