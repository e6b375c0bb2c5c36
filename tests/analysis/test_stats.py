"""Statistics with known answers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats import alike, pooled_spread, steps_to_reach, t_interval


def test_t_interval_of_three() -> None:
    mean, width = t_interval([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)  # t table, two degrees of freedom


def test_an_interval_needs_two() -> None:
    with pytest.raises(ValueError, match="at least two"):
        t_interval([1.0])


def test_pooling_weighs_by_degrees_of_freedom() -> None:
    assert pooled_spread([(3, 2.0), (2, 5.0)]) == pytest.approx(math.sqrt((2 * 4 + 25) / 3))
    assert pooled_spread([(1, 0.0)]) is None
    assert pooled_spread([]) is None


def test_steps_are_interpolated_in_their_logarithm() -> None:
    assert steps_to_reach(1.5, [100, 400], [2.0, 1.0]) == (pytest.approx(200), "")
    assert steps_to_reach(1.0, [100, 400], [2.0, 1.0]) == (pytest.approx(400), "")


def test_beyond_the_curve_is_a_bound() -> None:
    assert steps_to_reach(0.9, [100, 400], [2.0, 1.0]) == (400, ">")
    assert steps_to_reach(2.5, [100, 400], [2.0, 1.0]) == (100, "<")


@given(st.lists(st.floats(0.1, 5), min_size=2, max_size=6), st.floats(0, 1))
def test_the_interpolated_length_lies_within(losses: list[float], share: float) -> None:
    losses = sorted(losses, reverse=True)
    lengths = [100.0 * 2**i for i in range(len(losses))]
    target = losses[-1] + share * (losses[0] - losses[-1])
    steps, bound = steps_to_reach(target, lengths, losses)
    assert lengths[0] * (1 - 1e-9) <= steps <= lengths[-1] * (1 + 1e-9)
    assert bound in ("", ">") or target > losses[0]


def test_a_variance_that_is_an_outlier_is_not_pooled() -> None:
    """Cochran's critical value for 10 groups of 3 at 1% is 0.536 of the sum of the variances (ISO 5725-2)."""
    usual = [(3, 1.0)] * 9
    limit = math.sqrt(9 * 0.536 / (1 - 0.536))
    assert alike([*usual, (3, 1.01 * limit)]) == usual
    assert len(alike([*usual, (3, 0.99 * limit)])) == 10
    assert alike([*usual, (3, 40.0), (3, 400.0)]) == usual
    assert alike([(3, 1.0), (3, 10.0)]) == [(3, 1.0), (3, 10.0)]  # two of them say little
    assert alike([(3, 5.0)]) == [(3, 5.0)]
    assert alike([]) == []
