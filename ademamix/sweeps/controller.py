"""The search from the store's point of view: what is done, what is under way, what comes next.

One controller drives a sweep. All that it remembers is what it handed out; the rest it reads from the store,
so that another one, after it was killed, knows as much.
"""

from ademamix.store import Store
from ademamix.sweeps.outcomes import loss, stored
from ademamix.sweeps.search import Seen, most, upcoming
from ademamix.sweeps.space import Point, Space, Trial


class Controller:
    """What is known of a sweep, and the trials that follow from it.

    Attributes:
        losses: point → level → loss, in the order in which they were learnt.
        begun: handed out, and not done. One that failed stays here: it is not handed out twice.
        unfinished: begun under an earlier controller; they come first.
    """

    def __init__(self, space: Space, store: Store) -> None:
        self.space = space
        self.store = store
        self.losses: dict[Point, dict[int, float]] = {}
        self.begun: dict[Trial, None] = {}
        self.unfinished: list[Trial] = []
        if space.sweep.search == "tpe":
            trials = [Trial(point) for point in stored(space, store)]
            self.unfinished = [trial for trial in trials if not self._learn(trial)]

    @property
    def points(self) -> list[Point]:
        """Every point that was tried or is under way; all of a grid, in its order."""
        if self.space.sweep.search == "grid":
            return self.space.grid or []
        begun = (trial.point for trial in [*self.begun, *self.unfinished])
        return list(dict.fromkeys([*self.losses, *begun]))

    @property
    def undecided(self) -> int:
        """How many points may still come, beyond `points`."""
        return max(0, most(self.space, self._seen()) - len(self.points)) if self._open else 0

    @property
    def _open(self) -> bool:
        return self.space.sweep.search == "tpe" or bool(self.begun)

    def next(self, free: int) -> list[Trial]:
        """The trials that may start now and that the store does not know; they count as handed out.

        `free`: how many workers have nothing to do.
        """
        for trial in list(self.begun):
            if self._learn(trial):
                del self.begun[trial]
        while trials := self._upcoming(free):
            new = [self._as_far_as_begun(trial) for trial in trials if not self._learn(trial)]
            self.begun |= dict.fromkeys(new)
            if new:
                return new
        return []

    def _as_far_as_begun(self, trial: Trial) -> Trial:
        """The trial, to the level that its runs were on their way to when they were stopped."""
        level = trial.level
        for seed in self.space.seeds if self.space.top else ():
            spec = self.space.spec(trial.point, seed)
            run = self.store.run(spec.id)
            last = max((int(row["step"] or 0) for row in run.metrics()), default=0)
            while level < self.space.top and self.space.steps(spec, level) < last:
                level += 1
        return Trial(trial.point, level)

    def _upcoming(self, free: int) -> list[Trial]:
        if self.unfinished:
            first, self.unfinished = self.unfinished, []
            return first
        return upcoming(self.space, self._seen(), free)

    def _seen(self) -> Seen:
        return Seen(self.losses, frozenset([*self.begun, *self.unfinished]))

    def _learn(self, trial: Trial) -> bool:
        """Take a point's losses from the store; False when it has not come to the trial's level yet."""
        for level in range(self.space.top + 1):
            if level not in self.losses.get(trial.point, ()):
                found = loss(self.space, self.store, Trial(trial.point, level))
                if found is not None:
                    self.losses.setdefault(trial.point, {})[level] = found
        return any(level >= trial.level for level in self.losses.get(trial.point, ()))
