"""What a figure's runs cost, from the committed records."""

import gzip
import json
from functools import cache
from pathlib import Path

from ademamix import registry
from ademamix.plan import unite
from ademamix.registry import Figure
from ademamix.scale import scale


def cost_line(figure: Figure, at: str, records: Path) -> str:
    """How many runs, how many of them other figures use too, and their time; '' without records."""
    own = unite(registry.needs([figure], scale(at)))
    seconds = [found for id in own if (found := _seconds(records / f"{id}.json.gz")) is not None]
    if not seconds:
        return ""
    shared = sum(len(_users(at)[id]) > 1 for id in own)
    also = f", {shared} of them used by other figures too" if shared else ""
    missing = len(own) - len(seconds)
    left = f"; {missing} without a record" if missing else ""
    return f"Cost: {len(own)} runs{also}{left}; {sum(seconds) / 60:.0f} minutes of one worker.\n\n"


@cache
def _users(at: str) -> dict[str, tuple[str, ...]]:
    """Run → the figures that use it."""
    wanted = unite(registry.needs(registry.figures().values(), scale(at)))
    return {id: w.figures for id, w in wanted.items()}


@cache
def _seconds(record: Path) -> float | None:
    if not record.exists():
        return None
    return float(json.loads(gzip.decompress(record.read_bytes()))["outcome"]["seconds"])
