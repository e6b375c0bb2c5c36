"""Effects that final losses say nothing about are judged by the spread of their own seeds."""

import math

import pytest

from analysis.tables import tabulate
from experiments import lines
from experiments.fig11_back_to_adamw import figure as figure_11
from experiments.fig27_early_updates import figure as figure_27

STEPS = range(100, 100 + 10 * (lines.CLOSE_LOOKS + 4), 10)


def test_a_branch_is_compared_with_its_trunk_seed_by_seed() -> None:
    rows = [("", "trunk", seed, x, 3.0 + seed) for seed in (0, 1) for x in (90, *STEPS)]
    rows += [("", "branch", 0, x, 2.5) for x in STEPS] + [("", "branch", 1, x, 3.0) for x in STEPS[1:]]
    first, second = lines.beside_trunk(tabulate(rows), "", "branch", "trunk")
    assert first == [-0.5] * len(STEPS)
    assert second == [-1.0] * (len(STEPS) - 1)


def test_a_drop_and_the_rise_after_it_are_of_each_seed() -> None:
    """The lowest of the close looks, and the highest that comes after it."""
    rows = []
    for ramp in figure_11.RAMPS:
        for seed, drop in ((0, 0.3), (1, 0.5)):
            rows += [("", figure_11.name_of(ramp), seed, x, 2.0) for x in STEPS]
            above = [0.2, -drop, 0.0, -0.1, 0.1] + [0.05] * (len(STEPS) - 5)
            rows += [
                ("", figure_11.switched_name(ramp), seed, x, 2.0 + a)
                for x, a in zip(STEPS, above, strict=True)
            ]
    drop, rise, *_ = figure_11.CLAIMS[0].measure(tabulate(rows))
    assert drop.values == pytest.approx((0.3, 0.5))
    assert rise.values == pytest.approx((0.4, 0.6))


def test_displacements_are_relative_to_adamws_of_the_same_seed() -> None:
    """One that is nowhere finite counts as infinite."""
    names = list(map(figure_27.name_of, figure_27.ALPHAS))
    rows = [("a", "AdamW", seed, x, top) for seed, top in ((0, 2.0), (1, 4.0)) for x in (0, 100)]
    rows += [("a", name, seed, x, 6.0 - x / 100) for name in names[:-1] for seed in (0, 1) for x in (0, 100)]
    rows += [("a", names[-1], 0, 0, math.inf), ("a", names[-1], 1, 0, 8.0)]
    effects = figure_27.CLAIMS[0].measure(tabulate(rows))
    assert [effect.values for effect in effects] == [(3.0, 1.5)] * 3 + [(math.inf, 2.0)]
