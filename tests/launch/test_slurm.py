"""The launcher for a cluster, on one of processes, and on one that says what the test tells it to."""

import errno
import json
import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from ademamix import owner
from ademamix.errors import UserError
from ademamix.launch.batches import task_ids
from ademamix.launch.cluster import Cluster
from ademamix.launch.protocol import Launched
from ademamix.launch.sbatch import executor, refusal
from ademamix.launch.scheduler import Order, Scheduler, Unanswered
from ademamix.launch.slurm import OnCluster
from ademamix.launch.standing import standings
from ademamix.launch.states import LIVE, State
from ademamix.launch.submissions import UNHEARD_OF, Submissions, find
from ademamix.scale import scale
from ademamix.spec import RunSpec
from ademamix.store import Outcome, Store
from ademamix.training.job import Job
from tests.launch.contract import Contract, Make, Recorder, ids, job
from tests.launch.fake_scheduler import FakeScheduler

AT = scale("smoke")
CLUSTER = Cluster(name="test", pack_minutes=0, poll_seconds=0.05)


class TestOnCluster(Contract):
    @pytest.fixture
    def make(self) -> Make:
        scheduler = FakeScheduler()
        return lambda: OnCluster(scheduler, CLUSTER, AT, wait=True)


class Told:
    """A queue whose states the test sets; the runs of a task that is set to DONE are complete."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.known: dict[str, State] = {}
        self.orders: list[Order] = []
        self.cancelled: list[str] = []
        self.refuses: Exception | None = None
        self.away = False
        self.script: list[State] = []  # what all tasks come to, look after look

    def submit(self, order: Order) -> str:
        if self.refuses:
            raise self.refuses
        self.orders.append(order)
        job = str(len(self.orders))
        self.known |= dict.fromkeys(task_ids(job, len(order.batch.tasks)), State.PENDING)
        return job

    def states(self, jobs: Collection[str]) -> dict[str, State]:
        if self.away:
            raise Unanswered("away")
        live = [task for task, state in self.known.items() if state in LIVE]
        if self.script and live:
            state = self.script.pop(0)
            for task in live:
                self.become(task, state)
        return {task: state for task, state in self.known.items() if task.partition("_")[0] in jobs}

    def become(self, task: str, state: State) -> None:
        self.known[task] = state
        number, _, index = task.partition("_")
        for each in self.orders[int(number) - 1].batch.tasks[int(index or 0)]:
            if state is State.DONE:
                run = self.store.run(each.spec.id)
                run.begin(each.spec)
                for step in each.keep:
                    run.checkpoints.mkdir(exist_ok=True)
                    run.checkpoint_path(step).with_suffix(".json").touch()
                run.finish(Outcome("finished", 30, {}, 1.0))

    def cancel(self, tasks: Collection[str]) -> None:
        self.cancelled += tasks

    def find(self, name: str) -> str | None:
        return next((str(n) for n, o in enumerate(self.orders, start=1) if o.name == name), None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def told(store: Store) -> Told:
    return Told(store)


def launch(told: Scheduler, jobs: list[Job], store: Store, **options: Any) -> Launched:
    cluster = options.pop("cluster", CLUSTER)
    return OnCluster(told, cluster, AT, **options).launch(jobs, store, store.root, Recorder())


def sent(told: Told) -> list[str]:
    return [each.spec.id for order in told.orders for task in order.batch.tasks for each in task]


def test_calling_again_sends_nothing_twice(told: Told, store: Store, adamw_spec: RunSpec) -> None:
    jobs = [job(adamw_spec.changed(seed=seed)) for seed in range(3)]
    for _ in range(3):
        done = launch(told, jobs, store)
        assert ids(done.pending) == ids(jobs)
    assert sorted(sent(told)) == sorted(ids(jobs))
    told.become("1_0", State.DONE)
    told.become("1_1", State.RUNNING)
    told.become("1_2", State.NODE_FAILED)
    assert len(launch(told, jobs, store).pending) == 2
    assert sent(told)[3:] == [jobs[2].spec.id]  # alone in its job, which has another form of id
    told.become("1_1", State.DONE)
    told.become("2", State.DONE)
    assert launch(told, jobs, store) == Launched()
    assert len(told.orders) == 2


def test_branches_wait_for_the_task_of_their_trunk(told: Told, store: Store, adamw_spec: RunSpec) -> None:
    other = adamw_spec.changed(seed=1)
    jobs = [job(other.branch(10)), job(adamw_spec, frozenset({10})), job(other, frozenset({10}))]
    launch(told, jobs, store)
    assert [(o.batch.after, len(o.batch.tasks)) for o in told.orders] == [(None, 2), ("1_1", 1)]
    later = job(adamw_spec.branch(10))
    launch(told, [*jobs, later], store)  # its trunk is in the queue from before
    assert told.orders[-1].batch.after == "1_0"
    told.become("1_0", State.DONE)
    launch(told, [*jobs, job(adamw_spec.branch(10, inject=0))], store)
    assert told.orders[-1].batch.after is None


def test_no_more_than_fits_the_queue(told: Told, store: Store, adamw_spec: RunSpec) -> None:
    jobs = [job(adamw_spec.changed(seed=seed)) for seed in range(5)]
    two = CLUSTER.model_copy(update={"max_queued": 2})
    launch(told, jobs, store, cluster=two)
    launch(told, jobs, store, cluster=two)
    assert len(sent(told)) == 2
    told.become("1_0", State.DONE)
    launch(told, jobs, store, cluster=two)
    assert len(sent(told)) == 3


@pytest.mark.parametrize("state", [State.PREEMPTED, State.NODE_FAILED, State.TIMED_OUT, State.STOPPED])
def test_interrupted_runs_are_sent_again_while_one_waits(
    state: State, told: Told, store: Store, adamw_spec: RunSpec
) -> None:
    each = job(adamw_spec)
    run = store.run(each.spec.id)
    run.checkpoints.mkdir(parents=True)
    told.script = [State.RUNNING, state, State.RUNNING, State.DONE]
    inner = told.become

    def become(task: str, state: State) -> None:
        if state is State.RUNNING:  # and writes a checkpoint
            run.checkpoint_path(10).with_suffix(".json").touch()
        inner(task, state)

    told.become = become  # type: ignore[method-assign]
    assert launch(told, [each], store, wait=True) == Launched()
    assert sent(told) == [each.spec.id] * 2


@pytest.mark.parametrize("state", [State.CANCELLED, State.MISSING])
def test_what_somebody_took_out_of_the_queue_is_left_to_the_next_call(
    state: State, told: Told, store: Store, adamw_spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ademamix.launch.submissions.UNHEARD_OF", 0.0)
    each = job(adamw_spec)
    told.script = [State.RUNNING, state]
    assert ids(launch(told, [each], store, wait=True).pending) == {each.spec.id}
    told.script = [State.DONE]
    assert launch(told, [each], store, wait=True) == Launched()
    assert sent(told) == [each.spec.id] * 2


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (State.OUT_OF_MEMORY, "ran out of memory"),
        (State.TIMED_OUT, "raise `minutes`"),
        (State.FAILED, "ended without a word"),
    ],
)
def test_what_fails_twice_alike_is_not_sent_again(
    state: State, why: str, told: Told, store: Store, adamw_spec: RunSpec
) -> None:
    trunk, other = job(adamw_spec, frozenset({10})), job(adamw_spec.changed(seed=1))
    branch = job(adamw_spec.branch(10))
    run = store.run(trunk.spec.id)
    for _ in range(2):
        told.script = [State.RUNNING, state]
        done = launch(told, [trunk, branch, other], store, wait=True)
        assert ids(done.failed) == {trunk.spec.id, branch.spec.id, other.spec.id}
        assert why in run.failure()
    count = len(told.orders)
    done = launch(told, [trunk, branch, other], store)
    assert ids(done.failed) == {trunk.spec.id, branch.spec.id, other.spec.id}
    assert len(told.orders) == count
    [standing, *_] = standings(store, told).runs
    assert "retry" in standing.advice
    told.script = [State.DONE, State.DONE]
    assert launch(told, [trunk, branch, other], store, wait=True, retry=True) == Launched()


def test_a_dependency_that_hangs_is_taken_out_and_sent_again(
    told: Told, store: Store, adamw_spec: RunSpec
) -> None:
    jobs = [job(adamw_spec, frozenset({10})), job(adamw_spec.branch(10))]
    launch(told, jobs, store)
    told.become("1", State.CANCELLED)
    told.become("2", State.NEVER)
    found = {s.run: (s.state, s.advice) for s in standings(store, told).runs}
    assert found[jobs[1].spec.id][0] is State.NEVER
    assert "the run it branches from did not succeed" in found[jobs[1].spec.id][1]
    launch(told, jobs, store)
    assert told.cancelled == ["2"]
    assert [o.batch.after for o in told.orders] == [None, "1", None, "3"]


def test_what_was_sent_by_somebody_who_was_killed_meanwhile_is_found_again(
    told: Told, store: Store, adamw_spec: RunSpec
) -> None:
    each = job(adamw_spec)
    launch(told, [each], store)
    submissions = Submissions(store)
    [submission] = submissions.all()
    submissions.write(submission.model_copy(update={"job": None}))  # killed after sbatch
    submissions.write(submission.model_copy(update={"job": None, "name": "ademamix-0"}))  # and before it
    launch(told, [each], store)
    assert [s.job for s in submissions.all()] == ["1"]
    assert len(told.orders) == 1


def test_what_the_cluster_does_not_know_yet_waits(told: Told, store: Store, adamw_spec: RunSpec) -> None:
    each = job(adamw_spec)
    launch(told, [each], store)
    told.known.clear()  # the accounting lags behind
    launch(told, [each], store)
    assert len(told.orders) == 1
    submissions = Submissions(store)
    [submission] = submissions.all()
    submissions.write(submission.model_copy(update={"sent": time.time() - 2 * UNHEARD_OF}))
    launch(told, [each], store)
    assert len(told.orders) == 2


def test_a_cluster_that_is_away_for_a_moment(told: Told, store: Store, adamw_spec: RunSpec) -> None:
    each = job(adamw_spec)
    launch(told, [each], store)
    told.away = True
    with pytest.raises(Unanswered):
        launch(told, [each], store)
    assert not standings(store, told).answered
    answers = iter([True, False, False, True])
    told.script = [State.RUNNING, State.DONE]
    inner = told.states

    def states(jobs: Collection[str]) -> dict[str, State]:
        told.away = not next(answers)
        return inner(jobs)

    told.states = states  # type: ignore[method-assign]
    assert launch(told, [each], store, wait=True) == Launched()
    assert len(told.orders) == 1


def test_a_refusal_leaves_nothing_behind(told: Told, store: Store, adamw_spec: RunSpec) -> None:
    told.refuses = UserError("no such partition")
    with pytest.raises(UserError, match="no such partition"):
        launch(told, [job(adamw_spec)], store)
    assert not Submissions(store).all()
    told.refuses = OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
    with pytest.raises(OSError, match="quota"):  # which the command line prints as one line
        launch(told, [job(adamw_spec)], store)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "sbatch: error: invalid partition specified: x\nsbatch: error: Batch job submission failed: No",
            "invalid partition specified: x; Batch job submission failed: No",
        ),
        (
            "sbatch: error: Batch job submission failed: Invalid account or account/partition combination",
            "Batch job submission failed: Invalid account or account/partition combination",
        ),
        ("", "no reason was given"),
    ],
)
def test_sbatchs_reasons_are_one_line(said: str, reason: str) -> None:
    assert refusal(said, "c") == f"cluster c: sbatch refuses: {reason}; see its cluster file"


def test_another_login_node_sends_at_the_moment(
    told: Told, store: Store, adamw_spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.root / "slurm"
    folder.mkdir(parents=True)
    there = owner.Owner(host="another machine", process=1)
    (folder / owner.NAME).write_text(there.model_dump_json())
    monkeypatch.setattr("time.sleep", lambda seconds: (folder / owner.NAME).unlink(missing_ok=True))
    launch(told, [job(adamw_spec)], store)
    assert not (folder / owner.NAME).exists()


def test_logs_and_what_tasks_were_told(told: Told, store: Store, adamw_spec: RunSpec) -> None:
    jobs = [job(adamw_spec.changed(seed=seed)) for seed in range(2)]
    launch(told, jobs, store)
    submissions = Submissions(store)
    [submission] = submissions.all()
    folder = submissions.folder / submission.name
    folder.mkdir()
    for name in ("1_0_submitted.pkl", "1_0_0_log.out", "1_0_0_log.err", "1_1_0_log.out"):
        (folder / name).touch()
    first = jobs[0].spec.id
    _, submission, task = find(submissions.all(), first[:6])
    written = ["1_0_0_log.err", "1_0_0_log.out"]
    assert [path.name for path in submission.logs(task, submissions.folder)] == written
    told.become("1_0", State.DONE)
    told.become("1_1", State.DONE)
    launch(told, jobs, store)
    assert sorted(path.name for path in folder.iterdir()) == [*written, "1_1_0_log.out"]


def test_texts_for_sbatch(store: Store, adamw_spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against goldens: an array with all that a cluster file can ask for, and a job of one task after it."""
    monkeypatch.setattr("sys.executable", "/home/me/python")
    monkeypatch.setattr("ademamix.launch.sbatch.checkout", lambda: Path("/home/me/ademamix"))
    cluster = Cluster(
        name="golden", nodes=2, gpus=4, cpus=8, memory_gb=1.5, minutes=90, partition="gpu", account="a",
        qos="q", constraint="h100", options={"exclude": "n7"},
        setup=("module load cuda",), running=3, requeue=False,
        on_nodes={"store": "/mnt/runs"}, pack_minutes=0,
    )  # fmt: skip
    jobs = [job(adamw_spec, frozenset({10})), job(adamw_spec.branch(10)), job(adamw_spec.changed(seed=1))]
    launcher = OnCluster(FakeScheduler(), cluster, scale("gpu"))
    orders = launcher.rehearse(jobs, store, Path("/data"))
    assert not store.root.exists()  # nothing is done
    found = "\n".join(executor(order, cluster).text(len(order.batch.tasks)) for order in orders)
    golden = Path(__file__).parent / "golden_sbatch.txt"
    assert found.replace(str(store.root.absolute()), "STORE") == golden.read_text()


def test_the_queue_as_json(told: Told, store: Store, adamw_spec: RunSpec) -> None:
    each = job(adamw_spec)
    launch(told, [each], store)
    [path] = (store.root / "slurm").glob("*.json")
    kept = json.loads(path.read_text())
    assert (kept["job"], kept["tasks"]) == ("1", [[each.spec.id]])
