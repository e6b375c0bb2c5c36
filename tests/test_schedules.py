"""Schedules of the learning rate at their edges."""

import math

import pytest

from ademamix.schedules import cosine_lr, linear_decay_lr


def test_cosine_with_warmup() -> None:
    values = [cosine_lr(t, 1.0, 4, 12, 0.1) for t in range(1, 14)]
    assert values[:4] == [0.25, 0.5, 0.75, 1.0]
    assert values[7] == pytest.approx(0.55)  # half way between the ends
    assert values[11] == values[12] == pytest.approx(0.1)
    assert cosine_lr(1, 1.0, None, 2, 0.0) == pytest.approx(0.5)


def test_constant_then_linear() -> None:
    values = [linear_decay_lr(t, 1.0, 2, 5, 9, 0.2) for t in range(1, 11)]
    assert values == pytest.approx([0.5, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0.2])
    assert math.isclose(linear_decay_lr(5, 1.0, None, 5, 9, 0.0), 1.0)
