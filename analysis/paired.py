"""Values of runs, one for each seed, that are combined seed by seed and remember what they are made of."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ademamix.errors import UserError


class Run(NamedTuple):
    """A point of a curve of a figure.

    `group`: whose spread over seeds it has (`analysis.noise`), "" if unknown; `at`: which point, the end or
    another share of the length. What varies at one does not cancel what varies at another.
    """

    panel: str
    series: str
    group: str = ""
    at: float = 1.0


Terms = Mapping[Run, float]  # run → its coefficient


@dataclass(frozen=True)
class Paired(Mapping[int, float]):
    """Seed → a value: a run's final loss, or a linear combination of several runs'.

    Attributes:
        by_seed: the values; a combination has the seeds that all its parts have.
        terms: which runs enter, and how much: from this and each run's spread follows the combination's.
    """

    by_seed: Mapping[int, float]
    terms: Terms

    def __getitem__(self, seed: int) -> float:
        return self.by_seed[seed]

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self.by_seed))

    def __len__(self) -> int:
        return len(self.by_seed)

    def __add__(self, other: "Paired | float") -> "Paired":
        return self._with(other, 1.0, lambda a, b: a + b)

    def __sub__(self, other: "Paired | float") -> "Paired":
        return self._with(other, -1.0, lambda a, b: a - b)

    def __rsub__(self, number: float) -> "Paired":
        return -self + number

    def __neg__(self) -> "Paired":
        return -1.0 * self

    def __rmul__(self, factor: float) -> "Paired":
        return Paired(
            {seed: factor * value for seed, value in self.by_seed.items()},
            {term: factor * coefficient for term, coefficient in self.terms.items()},
        )

    def __abs__(self) -> "Paired":
        """The size of each value. Its spread is taken as that of the value itself, which it never exceeds."""
        return Paired({seed: abs(value) for seed, value in self.by_seed.items()}, self.terms)

    def _with(
        self, other: "Paired | float", sign: float, combine: Callable[[float, float], float]
    ) -> "Paired":
        if not isinstance(other, Paired):
            return Paired({s: combine(v, other) for s, v in self.by_seed.items()}, self.terms)
        seeds = self.by_seed.keys() & other.by_seed.keys()
        if not seeds:
            names = " and ".join(sorted({run.series for run in (*self.terms, *other.terms)}))
            raise UserError(f"no seed in common to compare {names}; make the figure again")
        terms = dict(self.terms)
        for term, coefficient in other.terms.items():
            terms[term] = terms.get(term, 0.0) + sign * coefficient
        return Paired({s: combine(self[s], other[s]) for s in seeds}, terms)


def mean_of(parts: list[Paired]) -> Paired:
    """The mean of several, seed by seed."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return (1 / len(parts)) * total


def largest(parts: list[Paired]) -> Paired:
    """The largest of several, seed by seed; its spread is taken as that of the one largest on average."""
    return _extreme(parts, max)


def smallest(parts: list[Paired]) -> Paired:
    """The smallest of several, as `largest`."""
    return _extreme(parts, min)


def _extreme(parts: list[Paired], pick: Callable[..., Any]) -> Paired:
    seeds = set.intersection(*(set(part) for part in parts))
    chosen = pick(parts, key=lambda part: math.fsum(part[seed] for seed in seeds))
    return Paired({seed: pick(part[seed] for part in parts) for seed in seeds}, chosen.terms)
