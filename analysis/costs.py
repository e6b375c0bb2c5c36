"""What figures' runs cost, from the committed records."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from ademamix.records import read_outcome
from ademamix.scale import scale
from analysis.artifacts import Artifact, needs


@dataclass(frozen=True)
class Costs:
    """What the runs of figures and tables cost at a scale.

    Attributes:
        runs: figure or table → the runs that it needs, trunks of branches too.
        users: run → how many figures and tables of the paper use it; parts of one figure are one.
    """

    runs: Mapping[str, frozenset[str]]
    users: Mapping[str, int]

    @classmethod
    def of(cls, artifacts: Iterable[Artifact], at: str) -> Self:
        """Of all these at the scale of that name."""
        runs: dict[str, frozenset[str]] = {}
        users: dict[str, set[str]] = {}
        for artifact in artifacts:
            ((number, own),) = needs([artifact], scale(at)).items()
            runs[artifact.name] = frozenset(run.id for need in own for run in need.run.lineage())
            users.setdefault(number, set()).update(runs[artifact.name])
        return cls(runs, Counter(id for own in users.values() for id in own))

    def line(self, artifact: Artifact, records: Path) -> str:
        """How many runs, how many of them others use too, and their time; '' without records."""
        own = self.runs[artifact.name]
        seconds = [found for id in own if (found := worker_seconds(records / f"{id}.json.gz")) is not None]
        if not seconds:
            return ""
        shared = sum(self.users[id] > 1 for id in own)
        also = f", {shared} of them used by other figures too" if shared else ""
        missing = len(own) - len(seconds)
        left = f"; {missing} without a record" if missing else ""
        return f"Cost: {len(own)} runs{also}{left}; {sum(seconds) / 60:.0f} minutes of one worker.\n\n"


@cache
def worker_seconds(record: Path) -> float | None:
    """A worker's time for a run: its share of that of the program that trained it with others.

    None without a record.
    """
    if not record.exists():
        return None
    outcome = read_outcome(record)
    return outcome.seconds / outcome.machine.get("packed", 1)
