"""The statistics that claims rest on; each a small pure function."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def t_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Mean and half-width of its t interval; at least two values.

    For a comparison, pass the differences of runs paired by seed.
    """
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    n = len(values)
    if n < 2:
        raise ValueError("an interval needs at least two values")
    mean = sum(values) / n
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1))
    return mean, float(stdtrit(n - 1, (1 + confidence) / 2)) * deviation / math.sqrt(n)


def pooled_spread(groups: Sequence[tuple[int, float]]) -> float | None:
    """The standard deviation pooled over groups of (size, standard deviation); None without any."""
    freedom = sum(n - 1 for n, _ in groups)
    if not freedom:
        return None
    return math.sqrt(sum((n - 1) * deviation**2 for n, deviation in groups) / freedom)


def alike(groups: Sequence[tuple[int, float]], level: float = 0.01) -> list[tuple[int, float]]:
    """The groups of (size, standard deviation) without those whose variance is an outlier.

    An F test of a group's variance against the pooled one of the others, at `level` divided by the number of
    groups: Cochran's test, for groups of several sizes (ISO 5725-2; 't Lam 2010). The worst goes first, then
    the rest is tested anew.
    """
    from scipy.special import fdtri

    kept = sorted(groups, key=lambda group: group[1])
    while len(kept) > 1:
        *others, (size, worst) = kept
        usual, freedom = pooled_spread(others), sum(n - 1 for n, _ in others)
        if size < 2 or not usual or (worst / usual) ** 2 <= fdtri(size - 1, freedom, 1 - level / len(kept)):
            break
        kept = others
    return kept


DRAWS = 4_000  # of the bootstrap


def share_draws(
    losses: Sequence[float], level: float, sigma: float, number: int = 0
) -> "NDArray[np.float64]":
    """Shares of `losses` below `level` in a parametric bootstrap, one for each draw.

    Every loss and the level are of one run each, whose spread over seeds is `sigma`: each draw adds that
    noise to all of them anew. The draws are always the same ones for a `number`.
    """
    import numpy as np

    draw = np.random.default_rng(number)
    cells = np.asarray(losses) + sigma * draw.standard_normal((DRAWS, len(losses)))
    levels = level + sigma * draw.standard_normal((DRAWS, 1))
    return (cells < levels).mean(axis=1)


def central_interval(drawn: "NDArray[np.float64]", confidence: float = 0.95) -> tuple[float, float]:
    """The interval that holds the middle of the draws."""
    import numpy as np

    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def steps_to_reach(target: float, lengths: Sequence[float], losses: Sequence[float]) -> tuple[float, str]:
    """How long a training must be for its final loss to reach `target`, and '' or '>' for a bound.

    `lengths` rise and `losses` are the final losses of trainings of those lengths; between them the
    loss is interpolated linearly in the logarithm of the length. A target below every loss gives the
    longest length as a lower bound, never an extrapolation; one above the first gives '<'.
    """
    if target >= losses[0]:
        return lengths[0], "" if target == losses[0] else "<"
    for (n0, loss0), (n1, loss1) in zip(
        zip(lengths, losses, strict=True), list(zip(lengths, losses, strict=True))[1:], strict=False
    ):
        if loss1 <= target <= loss0:
            share = (loss0 - target) / (loss0 - loss1) if loss0 > loss1 else 0.0
            return math.exp(math.log(n0) + share * math.log(n1 / n0)), ""
    return lengths[-1], ">"
