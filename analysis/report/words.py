"""Numbers and verdicts as the pages write them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ademamix.units import duration

# Told apart without colour, as in the overview.
SHAPES = {"reproduced": "●", "not reproduced": "✖", "inconclusive": "◆", "not run": "○"}


def value(of: float | str) -> str:
    """An effect's value as people read it."""
    return of if isinstance(of, str) else f"{of:.4g}"


def interval(of: Sequence[float] | None) -> str:
    """'[0.01, 0.03]'; exact values have none, unknown spreads say so."""
    if of is None:
        return "spread unknown"
    low, high = of
    return "exact" if low == high else f"[{low:.4g}, {high:.4g}]"


def grouped(number: float) -> str:
    """12345 → '12,345'."""
    return f"{number:,.0f}"


# What templates may write `{{ … | name }}` with.
FILTERS: Mapping[str, Callable[..., Any]] = {
    "value": value,
    "interval": interval,
    "shape": SHAPES.__getitem__,
    "duration": duration,
    "grouped": grouped,
}
