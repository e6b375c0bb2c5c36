"""What has become of what was sent: the store joined with the cluster's answer."""

from collections import Counter
from dataclasses import dataclass

from ademamix.launch.scheduler import Scheduler, Unanswered
from ademamix.launch.states import ADVICE, LIVE, State
from ademamix.launch.submissions import Submission, Submissions, states_of
from ademamix.store import Run, Store

UNKNOWN = "unknown"  # the cluster does not answer


@dataclass(frozen=True)
class Standing:
    """A run that was sent and is not complete.

    Attributes:
        run: its id.
        task: the last one that was to train it.
        state: of that task.
        advice: what to do about it.
    """

    run: str
    task: str
    state: str
    advice: str


@dataclass(frozen=True)
class Standings:
    """What was sent, but for what is complete.

    Attributes:
        jobs: each with the number of its tasks in each state.
        runs: that are not complete.
        answered: whether the cluster did.
    """

    jobs: list[tuple[Submission, Counter[str]]]
    runs: list[Standing]
    answered: bool = True


def standings(store: Store, scheduler: Scheduler) -> Standings:
    """Ask once about everything that was sent and is not known to have ended."""
    known = [s for s in Submissions(store).all() if s.job]
    asked = {s.job for s in known if s.job and not s.over}
    answered = True
    try:
        answer = scheduler.states(asked)
    except Unanswered:
        answer, answered = {}, False
    over = {task for s in known for task in s.ended}
    state_of: dict[str, State | str] = {
        task: state if answered or task in over else UNKNOWN
        for task, state in states_of(known, answer).items()
    }
    last = {run: task for s in known for task, runs in s.runs.items() for run in runs}
    runs = [
        Standing(run, task, state_of[task], advice(store.run(run), state_of[task]))
        for run, task in last.items()
        if state_of[task] in (*LIVE, UNKNOWN) or store.run(run).outcome() is None
    ]
    left = {standing.task for standing in runs}
    jobs = [
        (s, Counter(str(state_of[task]) for task in s.runs)) for s in known if not left.isdisjoint(s.runs)
    ]
    return Standings(jobs, runs, answered)


def advice(run: Run, state: State | str) -> str:
    """What to do about a run whose last task is in such a state."""
    if run.stop_path.exists():
        return f"held: delete {run.stop_path}, or `ademamix retry {run.id}`, and call again"
    if state in LIVE or not isinstance(state, State):
        return ""
    if run.fails_alike:
        return f"failed twice alike: {run.failure()}; mend it, then `ademamix retry {run.id}`"
    if failure := run.failure():
        return f"{failure}; call again to try it once more"
    return ADVICE[state] or "call again"
