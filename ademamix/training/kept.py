"""Which checkpoints there are, and which go. Imports no torch; see checkpoint.py for their content."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ademamix.plan import Wanted
from ademamix.store import Store


def path(folder: Path, step: int) -> Path:
    """The file of checkpoint `step`; its marker has the suffix .json."""
    return folder / f"{step:09d}.pt"


def steps(folder: Path) -> list[int]:
    """Steps with a checkpoint that claims to be complete, in order."""
    return sorted(int(marker.stem) for marker in folder.glob("*.json"))


def remove_except(folder: Path, wanted: Iterable[int]) -> None:
    """Delete every checkpoint but the wanted ones, markers first, and what a crash left behind."""
    for step in set(steps(folder)) - set(wanted):
        path(folder, step).with_suffix(".json").unlink()
    whole = {path(folder, step) for step in steps(folder)}
    for file in {*folder.glob("*.pt"), *folder.glob(".*.tmp")} - whole:
        file.unlink()


def prune(wanted: Sequence[Wanted], store: Store) -> None:
    """Delete the checkpoints of complete trunks that no pending branch of the plan needs any more.

    The last checkpoint of a run that can be extended stays.
    """
    pending: dict[str, set[int]] = {}
    for w in wanted:
        if w.spec.fork and store.run(w.spec.id).outcome() is None:
            pending.setdefault(w.spec.fork.parent.id, set()).add(w.spec.fork.step)
    for w in wanted:
        run = store.run(w.spec.id)
        outcome = run.outcome()
        if outcome and run.checkpoints.exists():
            last = {outcome.step} if w.spec.extendable else set()
            remove_except(run.checkpoints, pending.get(w.spec.id, set()) | last)
