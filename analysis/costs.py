"""What a figure's runs cost, from the committed records."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from ademamix.plan import unite
from ademamix.records import read_record
from ademamix.scale import scale
from analysis.artifacts import Artifact, needs


def cost_line(artifact: Artifact, at: str, records: Path, users: Mapping[str, Sequence[str]]) -> str:
    """How many runs, how many of them others use too, and their time; '' without records.

    `users`: run → the figures and tables that use it (`users_of`).
    """
    own = unite(needs([artifact], scale(at)))
    seconds = [found for id in own if (found := _seconds(records / f"{id}.json.gz")) is not None]
    if not seconds:
        return ""
    shared = sum(len(users[id]) > 1 for id in own)
    also = f", {shared} of them used by other figures too" if shared else ""
    missing = len(own) - len(seconds)
    left = f"; {missing} without a record" if missing else ""
    return f"Cost: {len(own)} runs{also}{left}; {sum(seconds) / 60:.0f} minutes of one worker.\n\n"


def users_of(artifacts: Iterable[Artifact], at: str) -> dict[str, tuple[str, ...]]:
    """Run → the figures and tables that use it."""
    return {id: w.figures for id, w in unite(needs(artifacts, scale(at))).items()}


@cache
def _seconds(record: Path) -> float | None:
    if not record.exists():
        return None
    return read_record(record)[1].seconds
