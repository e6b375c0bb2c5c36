"""Weights of EMAs against the recursions they describe."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ademamix.optim.ema import (
    admeta_factors,
    admeta_weight,
    cumulative_weight,
    dema_weight,
    ema_weight,
    nested_ema_weight,
)
from ademamix.optim.schedules import beta_of_half_life, convex_form, half_life

betas = st.floats(0.05, 0.999)


def response(update: Callable[[float], float], lags: int) -> list[float]:
    """What a recursion makes of a single gradient of 1 followed by zeros."""
    return [update(1.0 if lag == 0 else 0.0) for lag in range(lags)]


class Ema:
    def __init__(self, beta: float) -> None:
        self.beta, self.m = beta, 0.0

    def __call__(self, g: float) -> float:
        self.m = self.beta * self.m + (1 - self.beta) * g
        return self.m


@given(betas, betas)
def test_weights_are_the_responses_of_the_recursions(a: float, b: float) -> None:
    lags = range(40)
    assert [ema_weight(a, k) for k in lags] == pytest.approx(response(Ema(a), 40), rel=1e-9)
    inner, outer = Ema(a), Ema(b)
    nested = response(lambda g: outer(inner(g)), 40)
    if a == b or abs(a - b) > 1e-4:  # nearer, the quotient of differences loses digits
        assert [nested_ema_weight(a, b, k) for k in lags] == pytest.approx(nested, rel=1e-6)
    first, second = Ema(a), Ema(a)

    def dema(g: float) -> float:
        m = first(g)
        return 2 * m - second(m)

    assert [dema_weight(a, k) for k in lags] == pytest.approx(response(dema, 40), rel=1e-9, abs=1e-15)


def test_admeta_is_its_recursion() -> None:
    mu, kappa = admeta_factors(0.9)
    assert (mu, kappa) == pytest.approx((4.8889, 2.1111), abs=1e-4)
    total, m = 0.0, 0.0
    for lag in range(60):
        g = 1.0 if lag == 0 else 0.0
        total = 0.9 * total + g
        m = 0.4 * m + 0.6 * (kappa * g + mu * total)
        assert admeta_weight(0.9, 0.4, lag) == pytest.approx(m)


def test_sums() -> None:
    assert sum(nested_ema_weight(0.9, 0.4, k) for k in range(500)) == pytest.approx(1)
    assert sum(nested_ema_weight(0.9, 0.9, k) for k in range(500)) == pytest.approx(1)
    assert sum(dema_weight(0.9, k) for k in range(500)) == pytest.approx(1)
    assert sum(admeta_weight(0.9, 0.4, k) for k in range(500)) == pytest.approx(2.1111 + 48.889, abs=1e-3)


@given(betas, st.integers(0, 300))
def test_cumulative_weight_adds_the_weights_up(beta: float, lag: int) -> None:
    assert cumulative_weight(beta, lag) == pytest.approx(sum(ema_weight(beta, k) for k in range(lag + 1)))


@given(st.floats(0.5, 10_000))
def test_the_half_life_is_where_half_the_weight_is(steps: float) -> None:
    beta = beta_of_half_life(steps)
    assert cumulative_weight(beta, half_life(beta)) == pytest.approx(0.5)


def test_dema_subtracts_old_gradients() -> None:
    assert dema_weight(0.9, 5) > 0 > dema_weight(0.9, 25)


@given(st.floats(1e-5, 1), st.floats(0, 50), st.floats(-3, 3), st.floats(-3, 3))
def test_convex_form_is_the_same_update(lr: float, alpha: float, m1: float, m2: float) -> None:
    lr_hat, alpha_hat = convex_form(lr, alpha)
    same = lr_hat * ((1 - alpha_hat) * m1 + alpha_hat * m2)
    assert same == pytest.approx(lr * (m1 + alpha * m2), rel=1e-9, abs=1e-12)
