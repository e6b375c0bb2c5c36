"""Schedules against the paper's formulas in arbitrary precision, and at their edges."""

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ademamix.optim.schedules import (
    alpha_at,
    beta3_at,
    beta_of_half_life,
    half_life,
)

betas = st.floats(0.5, 0.999999)


def test_half_lives_of_the_paper() -> None:
    assert half_life(0.9) == pytest.approx(5.58, abs=0.01)
    assert half_life(0.9999) == pytest.approx(6930.6, abs=0.5)


@given(betas)
def test_half_life_inverts(beta: float) -> None:
    assert beta_of_half_life(half_life(beta)) == pytest.approx(beta, rel=1e-12)


@pytest.mark.parametrize("t", [1, 2, 127_999, 128_000, 255_999])
@pytest.mark.parametrize(("start", "end"), [(0.9, 0.999), (0.9, 0.9999), (0.9, 0.999995), (0.3, 0.9999)])
def test_beta3_is_the_papers_formula(t: int, start: float, end: float) -> None:
    with mpmath.workdps(50):
        mu = mpmath.mpf(t) / 256_000
        s, e = mpmath.log(mpmath.mpf(start)), mpmath.log(mpmath.mpf(end))
        exact = mpmath.exp(s * e / ((1 - mu) * e + mu * s))
        gap = abs((1 - mpmath.mpf(beta3_at(t, end, start, 256_000))) / (1 - exact) - 1)
    assert gap < 1e-9  # relative, of 1 − β3, which is what enters the update


@pytest.mark.parametrize("t", [256_000, 256_001, 10**7])
def test_beta3_ends_exactly(t: int) -> None:
    assert beta3_at(t, 0.9999, 0.9, 256_000) == 0.9999
    assert alpha_at(t, 8.0, 256_000) == 8.0


@given(st.integers(1, 999), betas, betas)
def test_half_life_of_beta3_grows_linearly(t: int, start: float, end: float) -> None:
    start, end = sorted((start, end))
    expected = half_life(start) + t / 1000 * (half_life(end) - half_life(start))
    assert half_life(beta3_at(t, end, start, 1000)) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_beta3_without_fast_momentum_is_the_limit() -> None:
    for t in (1, 10, 99):
        limit = beta3_at(t, 0.999, 1e-300, 100)
        assert beta3_at(t, 0.999, 0.0, 100) == pytest.approx(0.999 ** (100 / t))
        assert beta3_at(t, 0.999, 0.0, 100) == pytest.approx(limit, rel=1e-2)


def test_no_warmup_means_the_full_value_at_once() -> None:
    assert alpha_at(1, 8.0, None) == 8.0
    assert beta3_at(1, 0.9999, 0.9, None) == 0.9999


def test_alpha_grows_linearly() -> None:
    assert [alpha_at(t, 8.0, 4) for t in range(1, 6)] == [2.0, 4.0, 6.0, 8.0, 8.0]
