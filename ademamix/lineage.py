"""Which training of its trunk a branch goes on from.

A run that is trained anew, on another machine or beside other members of a pack, is the same only up to
rounding, which grows: after some thousand updates a loss on one batch is 0.01 nats away. A branch can be
compared with the training that it left, and with no other one.
"""

from functools import lru_cache
from pathlib import Path

from ademamix.seal import seal_of
from ademamix.spec import RunSpec
from ademamix.store import Outcome, Run, Store


def past(branch: RunSpec, store: Store) -> str:
    """The `history` of a branch's trunk up to the fork; '' for a run that is no branch."""
    return history(branch.fork.parent, branch.fork.step, store) if branch.fork else ""


def history(run: RunSpec, step: int, store: Store) -> str:
    """Which training of a run is in the store: a digest of its losses before a step, and of its own past.

    Raises:
        UserError: the rows are damaged.
    """
    path = store.run(run.id).metrics_path
    try:
        at = path.stat()
    except OSError:
        return _digest(past(run, store), step, path)
    return _digest(past(run, store), step, path, at.st_mtime_ns, at.st_size, at.st_ino)


@lru_cache(maxsize=1024)  # a plan asks of each branch, and some trunks have dozens
def _digest(past: str, step: int, metrics: Path, *written: int) -> str:
    losses = _losses(metrics, *written) if written else ()
    return seal_of({"past": past, "losses": [each for each in losses if each[0] < step]})


@lru_cache(maxsize=256)
def _losses(metrics: Path, *written: int) -> tuple[tuple[int, float | None], ...]:
    """(step, loss) of the rows of a file, as it was `written`; of a complete run they are checked."""
    run = Run(metrics.parent)
    rows = run.complete()[1] if run.outcome() else run.metrics()
    return tuple((int(row["step"] or 0), row["loss"]) for row in rows if "loss" in row)


def follows(branch: RunSpec, outcome: Outcome, store: Store) -> bool:
    """Whether a complete branch goes on from the training of its trunk in the store, as far as is known.

    Raises:
        UserError: the trunk's rows are damaged.
    """
    return not outcome.past or outcome.past == past(branch, store)
