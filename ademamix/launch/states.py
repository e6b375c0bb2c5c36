"""What has become of a task in the queue, in the user's words, and what to do about it. Pure."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum


class State(StrEnum):
    """Of a task that was sent."""

    PENDING = "pending"
    RUNNING = "running"
    NEVER = "dependency never satisfied"
    DONE = "done"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    PREEMPTED = "preempted"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    NODE_FAILED = "node failed"
    FAILED = "failed"
    MISSING = "missing"


LIVE = frozenset({State.PENDING, State.RUNNING})

# What the user does about runs that are left by a task in such a state.
ADVICE = {
    State.PENDING: "",
    State.RUNNING: "",
    State.DONE: "",
    State.NEVER: "the run it branches from did not succeed; call again, which sends both",
    State.STOPPED: "it wrote a checkpoint; call again to go on",
    State.CANCELLED: "call again to go on from its last checkpoint",
    State.PREEMPTED: "call again to go on from its last checkpoint",
    State.TIMED_OUT: "call again to go on from its last checkpoint; longer `minutes` waste less",
    State.OUT_OF_MEMORY: "raise memory_gb, or lower micro_batch of the scale; then `retry`",
    State.NODE_FAILED: "call again; with options: {exclude: NODE} if it fails again",
    State.FAILED: "see `logs`; call again, or `retry` once it is mended",
    State.MISSING: "the cluster has forgotten it; call again to go on from its last checkpoint",
}

_BY_SLURM = {
    "COMPLETED": State.DONE,
    "CANCELLED": State.CANCELLED,
    "REVOKED": State.CANCELLED,
    "TIMEOUT": State.TIMED_OUT,
    "DEADLINE": State.TIMED_OUT,
    "PREEMPTED": State.PREEMPTED,
    "OUT_OF_MEMORY": State.OUT_OF_MEMORY,
    "NODE_FAIL": State.NODE_FAILED,
    "BOOT_FAIL": State.NODE_FAILED,
    "FAILED": State.FAILED,
    "RUNNING": State.RUNNING,
    "COMPLETING": State.RUNNING,
    "STAGE_OUT": State.RUNNING,
    "SUSPENDED": State.RUNNING,
    "STOPPED": State.RUNNING,
}  # whatever else there is waits: PENDING, CONFIGURING, REQUEUED …


def accounted(text: str) -> dict[str, State]:
    """Task → state, from `sacct -n -P -X -o JobID,State,ExitCode`."""
    found = {}
    for line in text.splitlines():
        job, state, code = line.split("|")[:3]
        for task in expanded(job):
            found[task] = _state(state, code)
    return found


def queued(text: str) -> dict[str, State]:
    """Task → state, from `squeue -h -r -o '%i|%T|%r'`, which lists what has not ended."""
    found = {}
    for line in text.splitlines():
        job, state, reason = line.split("|")[:3]
        for task in expanded(job):
            found[task] = State.NEVER if reason == "DependencyNeverSatisfied" else _state(state)
    return found


def joined(queue: Mapping[str, State] | None, account: Mapping[str, State] | None) -> dict[str, State]:
    """What both say: the queue of what is in it, the accounting of the rest. None: it did not answer."""
    ended = {
        # The queue was asked first: what it does not list has ended, whatever the accounting still thinks.
        task: State.MISSING if queue is not None and state in LIVE else state
        for task, state in (account or {}).items()
    }
    return {**ended, **(queue or {})}


def _state(slurm: str, code: str = "") -> State:
    found = _BY_SLURM.get(slurm.split()[0], State.PENDING)
    # 128 + signal: told to stop, a task says so.
    return State.STOPPED if found is State.FAILED and int(code.partition(":")[0] or 0) > 128 else found


def expanded(job: str) -> Iterator[str]:
    """'7', '7_3' → itself; '7_[0-2,5%4]' → '7_0', '7_1', '7_2', '7_5'."""
    match = re.fullmatch(r"(\d+)_\[([\d,:-]+)(?:%\d+)?\]", job)
    if not match:
        yield job
        return
    for part in match[2].split(","):
        ends, _, step = part.partition(":")
        first, _, last = ends.partition("-")
        for number in range(int(first), int(last or first) + 1, int(step or 1)):
            yield f"{match[1]}_{number}"
