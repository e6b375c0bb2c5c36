"""The cells of the tables that state set-ups: values, the best of them bold, a scale's beside the paper's."""

from collections.abc import Sequence

from ademamix.models.configs import ModelConfig
from ademamix.paper.language import Range
from ademamix.paper.setups import Searched
from ademamix.scale import Scale
from analysis.typeset import Cell, Value, number

NOTHING: Cell = ()


def plain(*values: float | None) -> Cell:
    """Values of which none is bold."""
    return [Value(number(value)) for value in values]


def best(value: float | None) -> Cell:
    return [Value(number(value), best=True)]


def tried(values: Sequence[float | None], *winners: float | None) -> Cell:
    """All values that were tried, the best of them bold."""
    return [Value(number(value), value in winners) for value in values]


def searched(values: Searched) -> Cell:
    return tried(values.tried, values.best)


def tried_between(values: Range, winner: float) -> Cell:
    return [Value(f"{number(values.from_)} to {number(values.to)}"), Value(number(winner), best=True)]


def beside(columns: Sequence[str], scale: Scale | None) -> list[str]:
    """Column headings, each followed by the scale's when there is one."""
    if scale is None:
        return list(columns)
    return [heading for column in columns for heading in (column, f"{column}, {scale.name}")]


def counted(model: ModelConfig) -> int:
    """Parameters of the real network, which is made without memory for its weights."""
    import torch

    with torch.device("meta"):
        return sum(p.numel() for p in model.network().parameters())
