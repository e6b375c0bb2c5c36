"""The launcher for a cluster: what the store lacks and the queue does not hold is sent, whoever asks, once.

The store is the truth. What a job was killed in the middle of, whatever killed it, the next call sends again,
and it goes on from its last checkpoint; that jobs requeue themselves only saves that call.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ademamix.errors import UserError
from ademamix.launch.batches import Batch, generations, packed, task_ids
from ademamix.launch.cluster import Cluster
from ademamix.launch.protocol import Display, Feed, Launched
from ademamix.launch.schedule import left_out
from ademamix.launch.scheduler import Order, Scheduler, Unanswered
from ademamix.launch.states import LIVE, State
from ademamix.launch.submissions import Submission, Submissions, begun, states_of
from ademamix.plan import complete
from ademamix.scale import Scale
from ademamix.store import Run, Store
from ademamix.training.job import Job
from ademamix.training.stop import Stop, catching

TICK = 0.5  # seconds between looks at the runs' metrics, with --wait
# What a task that ended so has left undone is left to the next call: this one did not ask for the end.
UNASKED = frozenset({State.CANCELLED, State.MISSING, State.DONE})


@dataclass(frozen=True)
class OnCluster:
    """Jobs in a cluster's queue.

    Attributes:
        scheduler: the queue.
        cluster: what runs ask for.
        at: the scale, whose machine's speed runs are packed by.
        wait: stay until nothing is left to do; otherwise return when it is sent.
        retry: send what has failed twice alike, too.
    """

    scheduler: Scheduler
    cluster: Cluster
    at: Scale
    wait: bool = False
    retry: bool = False

    @property
    def workers(self) -> int:
        return self.cluster.max_queued

    def processes(self, job: Job) -> int:
        return self.cluster.resources(job.spec.model, self.at).ranks

    def launch(self, jobs: Sequence[Job], store: Store, data_root: Path, display: Display) -> Launched:
        """Send what is missing; with `wait`, again and again until all is done, failed or given up."""
        return self.launch_fed(jobs, store, data_root, display, lambda _: ())

    def launch_fed(
        self, jobs: Sequence[Job], store: Store, data_root: Path, display: Display, more: Feed
    ) -> Launched:
        """As `launch`; who waits sends what `more` gives, too, as soon as the queue has room."""
        turn = Turn(self, jobs, store, data_root, display)
        if self.retry:
            for job in jobs:
                store.run(job.spec.id).forget_failures()
        with catching() as stop:
            turn.look()
            while self.wait and not stop and (turn.add(more(turn.room)) or turn.going):
                turn.watch(stop)
                with suppress(Unanswered):  # the cluster is down for a moment; jobs go on
                    turn.look()
        return Launched(turn.failed, turn.pending, stop.exit_code)

    def rehearse(self, jobs: Sequence[Job], store: Store, data_root: Path) -> list[Order]:
        """What `launch` would send now; jobs are called JOB1, JOB2 … where others wait for them."""
        orders: list[Order] = []

        def send(batch: Batch) -> str:
            orders.append(self.order(batch, f"ademamix-{len(orders) + 1}", store, data_root))
            return f"JOB{len(orders)}"

        turn = Turn(self, jobs, store, data_root, None)
        submissions = Submissions(store).all()
        states = turn.states(submissions) if any(not s.over for s in submissions) else {}
        live = {run: task for s in submissions for task, runs in s.runs.items() for run in runs
                if states.get(task) in LIVE}  # fmt: skip
        turn.assess(live)
        turn.send(live, send)
        return orders

    def order(self, batch: Batch, name: str, store: Store, data_root: Path) -> Order:
        """A batch with the places that it needs, as the nodes see them."""
        there = self.cluster.on_nodes
        return Order(
            name=name,
            batch=batch,
            folder=(store.root / "slurm" / name).absolute(),
            store_root=there.store or store.root.absolute(),
            data_root=there.data or data_root.absolute(),
            device="cuda" if batch.shape.gpus else "cpu",
            requeue=self.cluster.requeue,
        )


class Turn:
    """One call of the launcher: what has become of each of its jobs so far."""

    def __init__(
        self, of: OnCluster, jobs: Sequence[Job], store: Store, data_root: Path, display: Display | None
    ) -> None:
        self.of = of
        self.jobs = {job.spec.id: job for job in jobs}
        self.store = store
        self.data_root = data_root
        self.display = display
        self.submissions = Submissions(store)
        self.done: set[str] = set()
        self.broken: set[str] = set()  # failed, and not to be sent again
        self.left: set[str] = set()  # branches of those
        self.waiting: set[str] = set()  # held by a file, or taken out of the queue by somebody
        self.seen: set[str] = set()  # in the queue, at some look of this call
        self.live: dict[str, str] = {}  # run → the task in the queue that is to train it
        self._shown: set[str] = set()  # on display
        self._told: set[str] = set()  # how they ended

    @property
    def failed(self) -> tuple[Job, ...]:
        return tuple(job for id, job in self.jobs.items() if id in self.broken | self.left)

    @property
    def pending(self) -> tuple[Job, ...]:
        ended = self.done | self.broken | self.left
        return tuple(job for id, job in self.jobs.items() if id not in ended)

    @property
    def going(self) -> bool:
        """Whether waiting can change anything: something is in the queue, or is to be sent."""
        return any(job.spec.id not in self.waiting for job in self.pending)

    @property
    def room(self) -> int:
        """How many more tasks may be in the queue."""
        return max(0, self._room(self.live))

    def _room(self, live: Mapping[str, str]) -> int:
        return self.of.cluster.max_queued - len(set(live.values()))

    def add(self, jobs: Sequence[Job]) -> bool:
        """Take further jobs, which the next look sends; whether there were any."""
        new = {job.spec.id: job for job in jobs if job.spec.id not in self.jobs}
        self.jobs |= new
        return bool(new)

    def look(self) -> None:
        """Ask the cluster, take note of what has ended, and send what is missing, with nobody beside us."""
        with self.submissions.alone():
            known = self._found_again(self.submissions.all())
            states = self.states(known)
            self.live = {}
            for submission in known:
                self._take_note(submission, states)
            self.assess(self.live)
            self.live |= self.send(self.live, self._submit)
            self.seen |= self.live.keys()
        self._show()

    def states(self, submissions: Sequence[Submission]) -> dict[str, State]:
        """Task → state, for all that were sent."""
        asked = {s.job for s in submissions if s.job and not s.over}
        return states_of(submissions, self.of.scheduler.states(asked))

    def _found_again(self, submissions: list[Submission]) -> list[Submission]:
        """Those whose sender did not come to write down the job's id: it has one, or it was never sent."""
        found = []
        for submission in submissions:
            if submission.job is None:
                if job := self.of.scheduler.find(submission.name):
                    submission = submission.model_copy(update={"job": job})
                    self.submissions.write(submission)
                else:
                    self.submissions.forget(submission)
                    continue
            found.append(submission)
        return found

    def _take_note(self, submission: Submission, states: Mapping[str, State]) -> None:
        if submission.over:
            return
        ended = dict(submission.ended)
        for task, runs in submission.runs.items():
            state = states[task]
            if state in LIVE:
                self.live |= dict.fromkeys(runs, task)
            elif task not in ended:
                ended[task] = state
                if state is State.NEVER:  # some clusters let it hang in the queue
                    with suppress(UserError):  # others have done it
                        self.of.scheduler.cancel([task])
                self._settle([self.store.run(id) for id in runs], state, submission)
        if ended != submission.ended:
            submission = submission.model_copy(update={"ended": ended})
            self.submissions.write(submission)
            if submission.over:
                self.submissions.clear(submission)

    def _settle(self, runs: Sequence[Run], state: State, submission: Submission) -> None:
        """Say of the runs of a task that has ended why it left them, where the task could not say so."""
        open_runs = [run for run in runs if run.outcome() is None]
        if state in UNASKED:
            self.waiting |= {run.id for run in open_runs if run.id in self.seen}
        if not (why := reason(state)):
            return
        begun_runs = [run for run in open_runs if _since(run.metrics_path, submission.sent)]
        for run in begun_runs or open_runs:
            stuck = max(run.checkpoint_steps(), default=0) <= submission.steps.get(run.id, 0)
            if (stuck or state is State.OUT_OF_MEMORY) and not _since(run.failure_path, submission.sent):
                run.folder.mkdir(parents=True, exist_ok=True)
                run.try_again()
                run.fail(why)

    def assess(self, live: Mapping[str, str]) -> None:
        """Which of the jobs are done, failed, or not to be sent."""
        for id, job in self.jobs.items():
            if id in self.done:
                continue
            run = self.store.run(id)
            if id not in live and complete(job.need, job.forks, self.store):
                self.done.add(id)
            elif run.stop_path.exists():
                self.waiting.add(id)
            elif id not in live and run.failure() and (id in self.seen or run.fails_alike):
                self.broken.add(id)
        self.left = {job.spec.id for job in left_out(tuple(self.jobs.values()), self.broken)}
        self.waiting |= {job.spec.id for job in left_out(tuple(self.jobs.values()), self.waiting)}

    def send(self, live: Mapping[str, str], submit: Callable[[Batch], str]) -> dict[str, str]:
        """Send what is missing, for as long as there is room; returns run → task of what was sent."""
        not_now = self.done | self.broken | self.left | self.waiting | live.keys()
        free = [job for id, job in self.jobs.items() if id not in not_now]
        room = self._room(live)
        task_of = dict(live)
        unsent = {job.spec.id for job in free}
        for generation in generations(free):
            able = [j for j in generation if not (j.spec.fork and j.spec.fork.parent.id in unsent)]
            for batch in packed(able, self.of.at, self.of.cluster, task_of, room):
                job = submit(batch)
                room -= len(batch.tasks)
                for task, runs in zip(task_ids(job, len(batch.tasks)), batch.tasks, strict=True):
                    task_of |= {job.spec.id: task for job in runs}
                    unsent -= {job.spec.id for job in runs}
        return {id: task for id, task in task_of.items() if id not in live}

    def _submit(self, batch: Batch) -> str:
        steps = {job.spec.id: max(self.store.run(job.spec.id).checkpoint_steps(), default=0)
                 for task in batch.tasks for job in task}  # fmt: skip
        submission = begun(batch, steps)
        self.submissions.write(submission)
        try:
            job = self.of.scheduler.submit(self.of.order(batch, submission.name, self.store, self.data_root))
        except Unanswered:  # it may have come through: `_found_again` will know
            raise
        except UserError:
            self.submissions.forget(submission)
            raise
        self.submissions.write(submission.model_copy(update={"job": job}))
        return job

    def watch(self, stop: Stop) -> None:
        """Show how the runs come along, until it is time to ask the cluster again."""
        until = time.monotonic() + self.of.cluster.poll_seconds
        while not stop and time.monotonic() < until:
            if self.display:
                self.display.tick()
            time.sleep(min(TICK, self.of.cluster.poll_seconds))

    def _show(self) -> None:
        """Tell the display what has changed; only who waits wants to see it."""
        if not (self.display and self.of.wait):
            return
        for id, job in self.jobs.items():
            if id in self._told:
                continue
            ended = id in self.done | self.broken or (id in self.waiting and id not in self.live)
            begins = id in self.live and self.store.run(id).status()[0] == "running"
            if id not in self._shown and (begins or (ended and id in self.seen)):
                self._shown.add(id)
                self.display.started(job)
            if ended and id in self._shown:
                self.display.ended(job, id in self.broken)
                self._told.add(id)
            elif id in self.left:
                self.display.skipped(job)
                self._told.add(id)


def reason(state: State) -> str:
    """Why a run of a task that ended so counts as failed; empty where it is to be sent again as it is."""
    return {
        State.OUT_OF_MEMORY: "the job ran out of memory",
        State.TIMED_OUT: "the time limit came before a checkpoint; raise `minutes` in the cluster file",
        State.STOPPED: "the time limit came before a checkpoint; raise `minutes` in the cluster file",
        State.FAILED: "the job ended without a word; see `ademamix logs`",
    }.get(state, "")


def _since(path: Path, when: float) -> bool:
    """Whether a file was written after that time."""
    with suppress(OSError):
        return path.stat().st_mtime >= when
    return False
