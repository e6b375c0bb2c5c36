"""What claims find of a table: each series in the order of x, found once, and of the right frame."""

import copy
import math

import pytest

from ademamix.errors import UserError
from analysis.series import Series
from analysis.tables import tabulate

FRAME = [
    ("a", "one", 0, 20, 2.0),
    ("a", "one", 0, 10, 3.0),
    ("a", "one", 1, 10, 4.0),
    ("a", "two", 0, 10, 5.0),
    ("a", "two", 0, 40, math.inf),
    ("b", "one", 0, 5, 9.0),
]


def test_rows_in_the_order_of_x() -> None:
    every = Series.found(tabulate(FRAME))
    assert every.rows("a", "one")["x"].tolist() == [10, 10, 20]
    assert every.rows("b", "one")["y"].tolist() == [9.0]
    with pytest.raises(UserError, match="no series 'two' in panel 'b'; make the figure again"):
        every.rows("b", "two")


def test_the_last_value_of_each_seed() -> None:
    every = Series.found(tabulate(FRAME))
    assert every.by_seed("a", "one") == {0: 2.0, 1: 4.0}
    assert every.by_seed("a", "one", until=10) == {0: 3.0, 1: 4.0}
    assert every.by_seed("a", "one", until=9) == {}
    assert every.by_seed("a", "two") == {0: math.inf}


def test_where_panels_begin_and_end() -> None:
    every = Series.found(tabulate(FRAME))
    assert every.begins == {"a": 5.0, "b": 9.0}
    assert every.lengths == {"a": 40, "b": 5}


def test_a_frame_keeps_its_own_and_a_part_of_it_makes_others() -> None:
    frame = tabulate(FRAME)
    every = Series.found(frame)
    assert Series.found(frame) is every
    assert copy.deepcopy(every) is every
    part = frame[frame["x"] <= 10]
    assert Series.found(part) is not every
    assert Series.found(part).lengths == {"a": 10, "b": 5}
    assert Series.found(frame) is every
