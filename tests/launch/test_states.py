"""Slurm's words for what has become of a task, as 22.05 prints them."""

import pytest

from ademamix.launch.states import ADVICE, LIVE, State, accounted, expanded, joined, queued

SACCT = """\
7|COMPLETED|0:0
8_0|CANCELLED by 1000|0:15
8_1|TIMEOUT|0:0
8_[2-4,7%2]|PENDING|0:0
9|OUT_OF_MEMORY|0:125
10|NODE_FAIL|1:0
11|FAILED|1:0
12|FAILED|140:0
13|FAILED|9:0
14|PREEMPTED|0:0
15|REQUEUED|0:0
16|RUNNING|0:0
"""


def test_the_accounting() -> None:
    assert accounted(SACCT) == {
        "7": State.DONE,
        "8_0": State.CANCELLED,
        "8_1": State.TIMED_OUT,
        **dict.fromkeys(["8_2", "8_3", "8_4", "8_7"], State.PENDING),
        "9": State.OUT_OF_MEMORY,
        "10": State.NODE_FAILED,
        "11": State.FAILED,
        "12": State.STOPPED,  # 128 + SIGUSR2: it wrote a checkpoint
        "13": State.FAILED,
        "14": State.PREEMPTED,
        "15": State.PENDING,
        "16": State.RUNNING,
    }


def test_the_queue() -> None:
    text = (
        "8_2|PENDING|DependencyNeverSatisfied\n8_3|PENDING|Resources\n16|COMPLETING|None\n17|RUNNING|None\n"
    )
    assert queued(text) == {
        "8_2": State.NEVER,
        "8_3": State.PENDING,
        "16": State.RUNNING,
        "17": State.RUNNING,
    }


def test_the_queue_says_what_is_in_it_and_the_accounting_the_rest() -> None:
    account = {"1": State.PREEMPTED, "2": State.RUNNING, "3": State.DONE}
    assert joined({"1": State.PENDING}, account) == {
        "1": State.PENDING,  # requeued
        "2": State.MISSING,  # runs only in the books
        "3": State.DONE,
    }
    assert joined(None, account) == account
    assert joined({"1": State.RUNNING}, None) == {"1": State.RUNNING}


@pytest.mark.parametrize(
    ("text", "tasks"),
    [
        ("7", ["7"]),
        ("7_3", ["7_3"]),
        ("7_[0]", ["7_0"]),
        ("7_[1-3,6]", ["7_1", "7_2", "7_3", "7_6"]),
        ("7_[0-6:3%2]", ["7_0", "7_3", "7_6"]),
    ],
)
def test_names_of_tasks(text: str, tasks: list[str]) -> None:
    assert list(expanded(text)) == tasks


def test_every_state_says_what_to_do() -> None:
    assert ADVICE.keys() == set(State)
    assert {state for state in State if not ADVICE[state]} == {*LIVE, State.DONE}
