"""The values of a hyperparameter, as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ademamix.errors import UserError
from ademamix.sweeps.axes import Range, Values, read, scalar, text


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("2,4,8", (2, 4, 8)),
        ("1e-3", (1e-3,)),
        ([None, 5, 0.5], (None, 5, 0.5)),
        ("null, 1", (None, 1)),
        ("true", (True,)),
        ("bf16,fp32", ("bf16", "fp32")),
        (0.1, (0.1,)),
    ],
)
def test_values(written: object, values: tuple[object, ...]) -> None:
    assert read(written) == Values(values)


def test_ranges() -> None:
    spread = read("log(1e-4, 1e-2, 5)")
    assert isinstance(spread, Range)
    assert spread.values() == Values((0.0001, 0.000316228, 0.001, 0.00316228, 0.01))
    assert read("linear(0, 1, 3)").values() == Values((0, 0.5, 1))  # type: ignore[union-attr]
    assert read("log(1e-4,1e-2)") == Range(1e-4, 1e-2, log=True)
    whole = Range(1, 100, log=True, count=7, whole=True).values()
    assert whole == Values((1, 2, 5, 10, 22, 46, 100))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("log(1,2,3,4)", "write log(LOW,HIGH,COUNT)"),
        ("lgo(1,2)", "write log(LOW,HIGH,COUNT)"),
        ("log(0,1,3)", "both above 0"),
        ("linear(2,1,3)", "needs LOW < HIGH"),
        ("log(1,2,1)", "COUNT is a whole number"),
        ("log(a,b)", "write log("),
        ("2,2", "needs values that differ"),
        ("2,,4", "a value is empty; write null"),
        ("", "a value is empty"),
        ({"a": 1}, "is not a single value"),
        ([[1, 2]], "is not a single value"),
    ],
)
def test_mistakes(written: object, message: str) -> None:
    with pytest.raises(UserError) as problem:
        read(written)
    assert message in str(problem.value)


@given(st.one_of(st.none(), st.booleans(), st.floats(1e-9, 1e9), st.integers(0, 10**6)))
def test_what_is_written_reads_back(value: float | int | bool | None) -> None:
    assert text(scalar(text(value))) == text(value)


@given(st.floats(1e-8, 1.0), st.floats(1.001, 1e6), st.integers(2, 20), st.booleans())
def test_a_range_keeps_its_ends_and_its_order(low: float, factor: float, count: int, log: bool) -> None:
    found = Range(low, low * factor, log, count)
    values = found.values().values
    assert list(values) == sorted(values)  # type: ignore[type-var]
    assert values[0] == pytest.approx(low, rel=1e-5)
    assert values[-1] == pytest.approx(low * factor, rel=1e-5)
    assert all(value in found for value in values)
