"""Which trials come next, as functions of what is known.

Nothing is remembered between two calls: what the store knows decides. So a search that was killed, or whose
worker was, goes on as if it had not been, and calling again after the last trial changes nothing.
"""

import math
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field

from ademamix.sweeps.axes import Values
from ademamix.sweeps.definition import DEEPEST
from ademamix.sweeps.space import Point, Space, Trial


@dataclass(frozen=True)
class Seen:
    """What is known of the trials of a sweep.

    Attributes:
        losses: point → level → its loss there, the mean over seeds; infinite where it diverged.
        begun: trials under way, or stopped on their way, without a loss yet.
    """

    losses: Mapping[Point, Mapping[int, float]] = field(default_factory=dict)
    begun: Set[Trial] = frozenset()

    def loss(self, point: Point, level: int) -> float | None:
        return self.losses.get(point, {}).get(level)

    def reached(self, level: int) -> dict[Point, float]:
        """The losses of all points that came to a level; where nobody looked there, those they had later."""
        return {
            point: levels[min(later)]
            for point, levels in self.losses.items()
            if (later := [there for there in levels if there >= level])
        }

    def asked(self, trial: Trial) -> bool:
        """Whether a trial is done, under way, or has gone further."""
        if any(level >= trial.level for level in self.losses.get(trial.point, ())):
            return True
        return any(Trial(trial.point, level) in self.begun for level in range(trial.level, DEEPEST + 1))


def upcoming(space: Space, seen: Seen, free: int) -> list[Trial]:
    """The trials that may start now; none: wait, or done. Of a search that draws, at most `free`."""
    if promoted := list(_promoted(space, seen)):
        return promoted
    match space.sweep.search:
        case "grid":
            trials = [Trial(point) for point in _grid(space)]
            return [trial for trial in trials if not seen.asked(trial)]
        case "coordinates":
            return [trial for trial in _line(space, seen) if not seen.asked(trial)]
        case _:
            from ademamix.sweeps.tpe import drawn

            return drawn(space, seen, free)


def most(space: Space, seen: Seen) -> int:
    """How many points the search comes to at most, those that are known among them."""
    if space.sweep.search == "tpe":
        finite = space.grid
        asked = space.sweep.trials or 0
        return asked if finite is None else min(asked, len(finite))
    if space.sweep.search == "grid":
        return len(_grid(space))
    new = (len(axis.values) - (space.start[i] in axis.values) for i, axis in _varied(space))
    return space.sweep.rounds * (sum(new) + 1)


def _grid(space: Space) -> list[Point]:
    assert space.grid is not None, "a sweep checks that a grid has values"
    return space.grid


def _promoted(space: Space, seen: Seen) -> Iterator[Trial]:
    """Trials in the better half of those at their level, which go on to the next.

    Halves grow as trials arrive, so one may go on later that was left behind at first; no trial waits
    for all others (asynchronous successive halving, Li et al. 2018, with a reduction factor of 2).
    """
    for level in reversed(range(space.top)):
        there = seen.reached(level)
        ranked = sorted((loss, str(point), point) for point, loss in there.items() if math.isfinite(loss))
        for _, _, point in ranked[: _half(space, seen, level, len(there))]:
            if not seen.asked(Trial(point, level + 1)):
                yield Trial(point, level + 1)


def _half(space: Space, seen: Seen, level: int, there: int) -> int:
    """How many of the points at a level may go on: half of those there; of a grid, once all are there."""
    if space.sweep.search == "grid":
        waiting = any(trial.level <= level for trial in seen.begun) or any(
            not seen.asked(Trial(point)) for point in _grid(space)
        )
        return 0 if waiting else max(1, there // 2)
    return there // 2


def _line(space: Space, seen: Seen) -> list[Trial]:
    """The values of the first key that are not all known, at the best of the keys before it."""
    at = space.start
    for _ in range(space.sweep.rounds):
        before = at
        for i, axis in _varied(space):
            line = [(*at[:i], value, *at[i + 1 :]) for value in axis.values]
            losses = {point: loss for point in line if (loss := seen.loss(point, space.top)) is not None}
            if len(losses) < len(line):
                return [Trial(point, space.top) for point in line]
            at = min(line, key=lambda point: losses[point])
        if at == before:
            break
    return []


def _varied(space: Space) -> list[tuple[int, Values]]:
    """(place, values) of the keys that a search by coordinates goes through."""
    places = enumerate(space.axes.values())
    return [(i, axis) for i, axis in places if isinstance(axis, Values) and len(axis.values) > 1]
