"""Families of variants, and what the user is told of a wrong value."""

import pytest

from ademamix.errors import UserError
from ademamix.optimizers import AdamWConfig, OptimizerConfig
from ademamix.paper.runs import ADAMW, run
from ademamix.quantities import Quantity
from ademamix.scale import read_scale, scale
from ademamix.values import UnknownVariant


def test_a_member_needs_a_name_of_its_own() -> None:
    with pytest.raises(TypeError, match="the optimizer 'adamw' is AdamWConfig; name another"):
        type("Mine", (AdamWConfig,), {"__module__": __name__})
    assert OptimizerConfig.member("adamw") is AdamWConfig
    with pytest.raises(TypeError, match="the quantity 'validation_loss' is ValidationLoss; name another"):
        type("Mine", (Quantity,), {"__module__": __name__, "NAME": "validation_loss"})


def test_an_unknown_one_names_the_nearest() -> None:
    with pytest.raises(UnknownVariant, match=r"unknown optimizer 'adamv' .did you mean 'adamw'"):
        OptimizerConfig.member("adamv")


def test_a_learning_rate_is_stated_once() -> None:
    """A branch has its trunk's; neither it nor a change of other fields can set another in passing."""
    trunk = run("110M", ADAMW, 256_000)
    with pytest.raises(TypeError, match="its trunk's learning rate"):
        trunk.branch(128_000, lr=1e-5)
    with pytest.raises(TypeError, match="stated with run"):
        trunk.changed(optimizer=trunk.spec.optimizer)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  110M: {adamw", "  110m: {adamw", "lr: unknown set-up '110m' .did you mean '110M'"),
        ("  110M: {kind", "  110m: {kind", "models: unknown set-up '110m' .did you mean '110M'"),
        (
            "  language: {batch",
            "  langauge: {batch",
            "tasks: unknown task 'langauge' .did you mean 'language'",
        ),
    ],
)
def test_names_in_a_scale_are_checked(old: str, new: str, message: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from ademamix.checkout import checkout

    text = (checkout() / "configs" / "scales" / "cpu.yaml").read_text()
    assert old in text
    (tmp_path / "mine.yaml").write_text(text.replace(old, new))
    with pytest.raises(UserError, match=message):
        read_scale(tmp_path / "mine.yaml")


def test_a_scale_without_a_rate_of_an_optimizer_says_so() -> None:
    at = scale("cpu").model_copy(update={"lr": {"110M": {"ademamix": 1e-3}}})
    with pytest.raises(UserError, match="has no learning rate of adamw for 110M; add it to lr in"):
        at.map(run("110M", ADAMW, 256_000))
