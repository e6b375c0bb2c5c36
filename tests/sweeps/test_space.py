"""A sweep at a scale: the runs that stand for its points."""

import pytest

from ademamix.errors import UserError
from ademamix.plan import unite
from ademamix.scale import scale
from ademamix.sweeps.axes import Range, Values
from ademamix.sweeps.definition import from_flags
from ademamix.sweeps.space import Space, Trial, space
from analysis.artifacts import needs
from experiments import registry


def made(*settings: str, at: str = "cpu", **fields: object) -> Space:
    given = {"name": "mine", "size": "110M", "optimizer": "ademamix", **fields}
    return space(from_flags(settings, **given), scale(at))


def test_a_setting_that_a_figure_trains_is_the_same_run() -> None:
    """Figure 12a varies α, 12b β3; in the paper's numbers and, of α, in the scale's own."""
    at = scale("cpu")
    wanted = unite(needs(registry.named("12"), at))
    alphas = made("optimizer.alpha=2,6,10,15,20,30,40", units="paper", seeds=at.seeds.sweep)
    betas = made("optimizer.beta3=0.99,0.999,0.9999,0.99999,0.999995", units="paper", seeds=at.seeds.sweep)
    own = made("optimizer.alpha=2,6,10,15,20,30,40", seeds=at.seeds.sweep)
    for found in (alphas, betas, own):
        for need in found.needs(map(Trial, found.grid or [])):
            whole = wanted[need.run.id]
            assert whole.until == need.until
            assert need.observe[at.validation_loss] <= whole.observe[at.validation_loss]


def test_the_papers_units_are_mapped_and_the_scales_are_not() -> None:
    at = scale("cpu")
    paper = made("optimizer.lr=5e-4", "optimizer.beta3=0.9999", "schedule.warmup=3000", units="paper")
    best = at.lr["110M"]["ademamix"]
    spec = paper.spec((5e-4, 0.9999, 3000), 0)
    assert spec.optimizer.lr == pytest.approx(best / 2)  # the paper's best is 1e-3
    assert spec.optimizer.beta3 == at.beta(0.9999)
    assert spec.schedule.warmup == at.steps(3000)
    own = made("optimizer.lr=5e-4", "optimizer.beta3=0.9999", "schedule.warmup=30")
    spec = own.spec((5e-4, 0.9999, 30), 0)
    assert (spec.optimizer.lr, spec.optimizer.beta3, spec.schedule.warmup) == (5e-4, 0.9999, 30)


def test_at_paper_the_units_are_the_same() -> None:
    settings = ("optimizer.alpha=3", "optimizer.lr=1e-3", "clipping=null")
    both = [made(*settings, at="paper", units=units).spec((3, 1e-3, None), 0) for units in ("paper", "scale")]
    assert both[0] == both[1]
    assert both[0].clipping is None


def test_what_is_drawn_is_drawn_in_the_scales_units() -> None:
    at = scale("cpu")
    settings = (
        "optimizer.lr=log(1e-4,1e-2)",
        "optimizer.beta3=0.999,0.9999",
        "schedule.warmup=linear(2000,6000)",
    )
    found = made(*settings,
                 units="paper", search="tpe", trials=9)  # fmt: skip
    best = at.lr["110M"]["ademamix"]
    lr, beta3, warmup = found.axes.values()
    assert found.units == "scale"
    assert isinstance(lr, Range)
    assert (lr.low, lr.high, lr.log) == (pytest.approx(best / 10), pytest.approx(best * 10), True)
    assert beta3 == Values(tuple(float(f"{at.beta(beta):.12g}") for beta in (0.999, 0.9999)))
    assert warmup == Range(at.steps(2000), at.steps(6000), log=False, whole=True)


def test_a_batch_takes_whole_numbers() -> None:
    assert made("batch=log(2,16,4)").axes["batch"] == Values((2, 4, 8, 16))


def test_a_learning_rate_can_be_searched_where_a_scale_has_none() -> None:
    at = scale("cpu").model_copy(update={"lr": {"110M": {"adamw": 1e-3}}})
    with_rate = from_flags(["optimizer.lr=1e-3,2e-3"], name="mine", size="110M", optimizer="ademamix")
    found = space(with_rate, at)
    assert found.spec((2e-3,), 0).optimizer.lr == 2e-3
    without = from_flags(["optimizer.alpha=1,2"], name="mine", size="110M", optimizer="ademamix")
    with pytest.raises(UserError, match="has no learning rate of ademamix"):
        space(without, at)


def test_what_the_paper_names_no_value_of_can_be_given() -> None:
    found = made("optimizer.beta4=0.99,0.999", optimizer="ad3emamix")
    assert found.spec((0.99,), 0).optimizer.beta4 == 0.99  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="names no beta4 of Ad3EMAMix for 110M; give it with --set"):
        made("optimizer.alpha=1,2", optimizer="ad3emamix")


def test_halvings_end_where_lines_are_logged() -> None:
    found = made("optimizer.alpha=1,2", halving=2)
    spec = found.spec((1,), 0)
    steps = [found.steps(spec, level) for level in range(3)]
    assert steps == [4000, 8000, 16_000]
    need = found.need(Trial((1,), 1), 0)
    assert (need.until, need.keep) == (8000, {8000})
    assert {4000, 8000} <= need.observe[found.scale.validation_loss]
    assert max(need.observe[found.scale.validation_loss]) == 8000


@pytest.mark.parametrize(
    ("settings", "fields", "message"),
    [
        (["optimizer.alhpa=1,2"], {}, "did you mean 'alpha'"),
        (["optimizer.alhpa=log(1,2,3)"], {}, "did you mean 'alpha'"),
        (["optimizer.beta3=0.9,1"], {}, "should be less than 1"),
        (["optimizer.alpha=a"], {}, "valid number"),
        (["batch=2.5"], {}, "valid integer"),
        (["optimizer.lr=1"], {"size": "110"}, "did you mean '110M'"),
        (["optimizer.lr=1"], {"optimizer": "adam"}, "did you mean 'adamw'"),
        (["optimizer.lr=1"], {"optimizer": "lion", "size": "330M"}, "names no alpha, beta of Lion"),
    ],
)
def test_mistakes_are_found_before_anything_is_planned(
    settings: list[str], fields: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError) as problem:
        made(*settings, **fields)
    assert message in str(problem.value)
