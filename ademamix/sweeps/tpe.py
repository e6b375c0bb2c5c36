"""Trials drawn by Optuna's TPE sampler (Bergstra et al. 2011; extra `search`).

Its study is made anew from what is known, for every trial that is drawn: there is no file of its own, no
lock and no state to lose. Trials under way are told as such, so that no two workers get the same point.
"""

import warnings
from typing import TYPE_CHECKING, Any

from ademamix.errors import UserError
from ademamix.sweeps.axes import Range, Value
from ademamix.sweeps.search import Seen, most
from ademamix.sweeps.space import Point, Space, Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

ATTEMPTS = 20  # at a point that is new, where the values are few


def drawn(space: Space, seen: Seen, free: int) -> list[Trial]:
    """As many new trials as there are workers free and trials left; [] when there are none."""
    asked = list(seen.losses) + [trial.point for trial in seen.begun if trial.point not in seen.losses]
    found: list[Trial] = []
    for _ in range(min(free, most(space, seen) - len(asked))):
        point = _draw(space, Seen(seen.losses, seen.begun | set(found)), [*asked, *(t.point for t in found)])
        found.append(Trial(point))
    return found


def _draw(space: Space, seen: Seen, asked: list[Point]) -> Point:
    """A point that was not asked yet. The same knowledge gives the same one."""
    distributions = {key: _distribution(space, key) for key in space.varied}
    study = _study(space, seen, seed=len(asked))
    for _ in range(ATTEMPTS):
        drawn = study.ask(distributions).params
        point = tuple(_value(space, key, drawn) for key in space.keys)
        if point not in asked:
            return point
    grid = space.grid
    assert grid is not None, "among the points of a range, one of so many is new"
    return next(point for point in grid if point not in asked)


def _study(space: Space, seen: Seen, seed: int) -> "Study":
    """What is known, told to Optuna. `seed`: the sampler's, so that it does not begin again."""
    optuna = _optuna()
    sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
    study: Study = optuna.create_study(sampler=sampler)
    known = [_told(space, point, levels) for point, levels in seen.losses.items()]
    points = [trial.point for trial in seen.begun if trial.point not in seen.losses]
    study.add_trials(known + [_told(space, point, {}) for point in sorted(points, key=str)])
    return study


def _told(space: Space, point: Point, levels: "dict[int, float] | Any") -> "FrozenTrial":
    """A trial as Optuna has it: complete, left behind at a level, or running."""
    from optuna.trial import TrialState, create_trial

    values = dict(zip(space.keys, point, strict=True))
    state = TrialState.RUNNING
    if levels:
        state = TrialState.COMPLETE if space.top in levels else TrialState.PRUNED
    return create_trial(
        state=state,
        value=levels.get(space.top),
        params={key: values[key] for key in space.varied},
        distributions={key: _distribution(space, key) for key in space.varied},
        intermediate_values={} if state is TrialState.COMPLETE else dict(levels),
    )


def _distribution(space: Space, key: str) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    axis = space.axes[key]
    if not isinstance(axis, Range):
        return CategoricalDistribution(axis.values)
    if axis.whole:
        return IntDistribution(round(axis.low), round(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _value(space: Space, key: str, drawn: dict[str, Any]) -> Value:
    """The value drawn, to six digits; of what is fixed, the one there is."""
    axis = space.axes[key]
    if not isinstance(axis, Range):
        return drawn.get(key, axis.values[0])
    return int(drawn[key]) if axis.whole else axis.rounded(drawn[key])


def _optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError:
        raise UserError(
            "a search with --search tpe needs Optuna: pip install -e '.[suite,search]' (grids do not)"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna
