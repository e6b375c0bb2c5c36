"""Numbers and verdicts as the pages write them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ademamix.units import duration

NO_BREAK = "\N{NO-BREAK SPACE}"

# Told apart without colour, as in the overview.
SHAPES = {"reproduced": "●", "not reproduced": "✖", "inconclusive": "◆", "not run": "○"}


def value(of: float | str) -> str:
    """An effect's value as people read it."""
    return of if isinstance(of, str) else f"{of:.4g}"


def interval(of: Sequence[float] | None, digits: int = 4) -> str:
    """'[0.01, 0.03]'; exact values have none, unknown spreads say so."""
    if of is None:
        return "spread unknown"
    low, high = of
    return "exact" if low == high else f"[{low:.{digits}g}, {high:.{digits}g}]"


def margin(claim: Mapping[str, Any]) -> str:
    """By how much a claim holds, with its interval: the least of its effects, minus its threshold.

    And why it counts for nothing, where that is not what the effects say.
    """
    found = [effect for effect in claim["effects"] if not isinstance(effect["value"], str)]
    if len(found) < len(claim["effects"]) or not found:
        return "not a number"
    least = min(found, key=lambda effect: effect["value"])
    ends = least["interval"] and [end - claim["threshold"] for end in least["interval"]]
    # In few characters: the cells of a table break between the value and its interval alone.
    text = f"{least['value'] - claim['threshold']:+.2g} {interval(ends, 2).replace(' ', NO_BREAK)}"
    told = claim["verdict"] == "reproduced" or any(one["verdict"] != "reproduced" for one in found)
    return text if told else f"{text}; {claim['why']}"


def grouped(number: float) -> str:
    """12345 → '12,345'."""
    return f"{number:,.0f}"


# What templates may write `{{ … | name }}` with.
FILTERS: Mapping[str, Callable[..., Any]] = {
    "value": value,
    "interval": interval,
    "margin": margin,
    "shape": SHAPES.__getitem__,
    "duration": duration,
    "grouped": grouped,
}
