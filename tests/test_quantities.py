"""Quantities: one text form, and what cannot be observed is refused before anything is trained."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ademamix.errors import UserError
from ademamix.optimizers import AdEMAMixConfig
from ademamix.plan import unite
from ademamix.quantities import (
    BatchLoss,
    Displacement,
    MomentumNorm,
    Quantity,
    ReserveLoss,
    ValidationLoss,
    parse,
)
from ademamix.spec import Need, RunSpec

number = st.integers(1, 10**9)
quantities: st.SearchStrategy[Quantity] = st.one_of(
    st.builds(ValidationLoss, windows=number),
    st.builds(ReserveLoss, batch=st.integers(0, 10**6)),
    st.builds(BatchLoss, update=number),
    st.builds(Displacement, lag=number),
    st.sampled_from([MomentumNorm(moment=name) for name in ("exp_avg", "exp_avg_slow", "exp_avg_sq")]),
)


@given(quantities)
def test_the_text_form_is_read_back(quantity: Quantity) -> None:
    assert parse(str(quantity)) == quantity


def test_the_text_form_is_the_column_of_the_records() -> None:
    assert str(ValidationLoss(windows=256)) == "validation_loss:256"
    assert str(MomentumNorm(moment="exp_avg_slow")) == "momentum_norm:exp_avg_slow"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("validation_los:256", "did you mean 'validation_loss'"),
        ("validation_loss:", "is written 'validation_loss:WINDOWS'"),
        ("validation_loss", "is written 'validation_loss:WINDOWS'"),
        ("validation_loss:many", "valid integer"),
        ("validation_loss:0", "greater than or equal to 1"),
        ("reserve_loss:-1", "greater than or equal to 0"),
        ("displacement:0", "greater than or equal to 1"),
        ("", "unknown quantity"),
    ],
)
def test_a_wrong_one_is_one_line(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def need(spec: RunSpec, quantity: Quantity, *steps: int) -> Need:
    return Need(spec, 60, observe={quantity: frozenset(steps)})


def test_what_a_run_does_not_keep_is_refused(adamw_spec: RunSpec, ademamix_spec: RunSpec) -> None:
    slow = MomentumNorm(moment="exp_avg_slow")
    unite({"1": [need(ademamix_spec, slow, 30)]})
    with pytest.raises(UserError, match=r"AdamW keeps no 'exp_avg_slow' .did you mean 'exp_avg_sq'"):
        unite({"1": [need(adamw_spec, slow, 30)]})
    optimizer = ademamix_spec.optimizer
    assert isinstance(optimizer, AdEMAMixConfig)
    without = ademamix_spec.changed(optimizer=optimizer.model_copy(update={"beta1": 0.0}))
    with pytest.raises(UserError, match="AdEMAMix keeps no 'exp_avg'"):
        unite({"1": [need(without, MomentumNorm(moment="exp_avg"), 30)]})


def test_a_displacement_needs_the_weights_of_before(adamw_spec: RunSpec) -> None:
    lag = Displacement(lag=10)
    unite({"1": [need(adamw_spec, lag, 10, 60)]})
    with pytest.raises(UserError, match="of 10 steps before, and step 9 has none"):
        unite({"1": [need(adamw_spec, lag, 9, 60)]})
    branch = adamw_spec.branch(20)
    unite({"1": [need(branch, lag, 15, 20, 30, 60)]})  # those up to the fork are the trunk's
    with pytest.raises(UserError, match="of 10 steps before, and step 29 has none"):
        unite({"1": [need(branch, lag, 29)]})
