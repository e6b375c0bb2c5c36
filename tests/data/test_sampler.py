"""The order of windows: a permutation, a pure function, the same for every batch size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ademamix.data.sampler import Ahead, order, permuted, windows


@given(st.integers(1, 3_000), st.integers(0, 2**31), st.integers(0, 5))
def test_each_pass_visits_every_window_once(size: int, seed: int, which: int) -> None:
    seen = permuted(np.arange(size, dtype=np.uint64), size, (seed, which))
    assert sorted(seen.tolist()) == list(range(size))


def test_an_update_is_a_function_of_seed_and_step() -> None:
    assert windows(3, 100, 8, 10_000).tolist() == windows(3, 100, 8, 10_000).tolist()
    assert windows(3, 100, 8, 10_000).tolist() != windows(4, 100, 8, 10_000).tolist()
    assert windows(3, 100, 8, 10_000).tolist() != windows(3, 101, 8, 10_000).tolist()


def test_the_order_is_pinned() -> None:
    """A change of the order would change every run under its old id."""
    assert windows(0, 1, 6, 1_473_513).tolist() == [277688, 1225755, 375249, 977943, 185344, 1031601]


def test_the_batch_size_does_not_change_the_order() -> None:
    small = np.concatenate([windows(0, t, 4, 1_000) for t in range(1, 9)])
    large = np.concatenate([windows(0, t, 16, 1_000) for t in range(1, 3)])
    assert small.tolist() == large.tolist()


def test_nothing_repeats_before_all_is_used_and_the_next_pass_differs() -> None:
    first, second = order(0, 0, 100, 100), order(0, 100, 100, 100)
    assert sorted(first) == sorted(second) == list(range(100))
    assert first.tolist() != second.tolist()


def test_a_batch_across_the_end_of_a_pass() -> None:
    whole = order(7, 0, 20, 10)
    assert windows(7, 2, 6, 10).tolist() == whole[6:12].tolist()


@pytest.mark.parametrize("place", [0, 123, 4_321])
def test_places_are_spread_evenly(place: int) -> None:
    """Over seeds, each place holds every part of the text equally often."""
    seen = [int(order(seed, place, 1, 10_000)[0]) for seed in range(400)]
    counts = np.histogram(seen, bins=4, range=(0, 10_000))[0]
    assert counts.min() > 60  # 100 expected, 4.6 standard deviations


@pytest.mark.parametrize("batch", [1, 4, 300])
def test_looking_ahead_changes_nothing(batch: int) -> None:
    plain = Ahead(5, batch, 1_000)
    read = Ahead(5, batch, 1_000, lambda found: np.stack([found, -found], axis=1))
    for t in (1, 2, 65, 3, 257, 64):
        expected = windows(5, t, batch, 1_000)
        assert plain.of(t).tolist() == expected.tolist()
        assert read.of(t).tolist() == np.stack([expected, -expected], axis=1).tolist()
