"""The mapping rules: identity at paper, exact integers, monotone betas, no collisions."""

import itertools
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ademamix.checkout import checkout
from ademamix.errors import UserError
from ademamix.optim.schedules import half_life
from ademamix.paper.language import sizes
from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from ademamix.paper.vision import VisionSetup, vision_setups
from ademamix.scale import read_scale, refuse_collisions, scale, scales
from ademamix.schedules import Constant, LinearDecay
from ademamix.spec import RunSpec
from ademamix.tasks import LanguageRun, VisionRun

ALL = ("smoke", "cpu", "gpu", "paper", "cpu-again")


def test_the_scales_there_are() -> None:
    assert list(scales()) == list(ALL)
    with pytest.raises(UserError, match="did you mean 'paper'"):
        scale("papr")


@pytest.mark.parametrize("size", ["110M", "330M", "1.3B"])
@pytest.mark.parametrize("optimizer", [ADAMW, ADEMAMIX])
def test_paper_is_the_identity(size: str, optimizer: str) -> None:
    paper = run(size, optimizer, 256_000)
    branch = paper.branch(190_000)
    assert scale("paper").map(paper) == paper.spec
    assert scale("paper").map(branch).id == paper.spec.branch(190_000).id


@given(st.integers(1, 2_000_000), st.sampled_from(ALL))
def test_steps_round_half_up(n: int, name: str) -> None:
    at = scale(name)
    exact = n * at.horizon / 256_000
    assert at.steps(n) >= 1
    assert at.steps(n) == max(1, int(exact + 0.5))


def test_known_steps_at_cpu() -> None:
    at = scale("cpu")
    assert [at.steps(n) for n in (3_000, 256_000, 400_000, 500_000, 1_500_000)] == [
        188,
        16_000,
        25_000,
        31_250,
        93_750,
    ]
    assert at.warmup(0) is None
    assert at.warmup(None) is None
    assert at.warmup(1) == 1


@given(st.floats(0.0, 0.999999), st.floats(0.0, 0.999999), st.sampled_from(ALL))
def test_betas_are_monotone_and_stay_above_the_fast_one(a: float, b: float, name: str) -> None:
    a, b = sorted((a, b))
    at = scale(name)
    assert at.beta(a) <= at.beta(b)
    assert at.beta(b) > 0.9 if b > 0.9 else at.beta(b) == b
    assert at.beta(b) < 1


def test_slow_betas_map_in_half_life() -> None:
    at = scale("cpu")
    # The paper's own share of the training.
    assert half_life(at.beta(0.9999)) == pytest.approx(half_life(0.9999) / 16)
    ratio = half_life(0.99999) / half_life(0.9999)
    assert half_life(at.beta(0.99999)) / half_life(at.beta(0.9999)) == pytest.approx(ratio)
    assert half_life(scale("smoke").beta(0.9999)) == pytest.approx(12)


def test_learning_rates_keep_their_ratio_to_the_best() -> None:
    at = scale("cpu")
    best = at.lr["1.3B"][ADEMAMIX]
    usual, twice = (run("1.3B", ADEMAMIX, 256_000, lr=lr) for lr in (3e-4, 6e-4))
    assert at.learning_rate(usual) == pytest.approx(best)
    assert at.learning_rate(twice) == pytest.approx(2 * best)


def test_batches_keep_their_ratio() -> None:
    at = scale("cpu")
    usual = run("110M", ADAMW, 256_000)
    assert [at.map(usual.changed(batch=b)).batch for b in (4, 32, 64, 512)] == [1, 2, 4, 32]
    small = at.map(usual.changed(batch=8))
    assert isinstance(small, LanguageRun)
    assert (small.batch, small.sequence) == (1, 32)  # half a window: a batch is counted in tokens
    with pytest.raises(UserError, match="a batch of 1/2 samples is less than one"):
        RunSpec.resized(usual.spec, Fraction(1, 2), strict=True)
    assert scale("smoke").map(usual.changed(batch=4)).batch == 1


def test_alpha_clipping_decay_and_small_betas_never_change() -> None:
    for size in sizes():
        whole = run(size.name, ADEMAMIX, 256_000)
        paper, mapped = whole.spec, scale("cpu").map(whole)
        for field in ("alpha", "beta1", "beta2", "weight_decay"):
            assert getattr(mapped.optimizer, field) == getattr(paper.optimizer, field)
        assert mapped.clipping == paper.clipping


def test_a_fork_maps_with_its_parent() -> None:
    trunk = run("110M", ADAMW, 256_000)
    decay = LinearDecay(kind="linear-decay", warmup=3_000, start=190_000, end=240_000)
    branch = trunk.branch(190_000, schedule=decay)
    mapped = scale("cpu").map(branch, seed=2)
    assert mapped.fork is not None
    assert mapped.fork.step == scale("cpu").steps(190_000)
    assert mapped.fork.parent == scale("cpu").map(trunk, seed=2)
    assert (mapped.schedule.start, mapped.schedule.end) == (11_875, 15_000)


def test_a_branch_keeps_its_trunks_learning_rate() -> None:
    at = scale("cpu")
    adamw, ademamix = run("330M", ADAMW, 256_000), run("330M", ADEMAMIX, 256_000)
    switched = adamw.branch(128_000, to=ADEMAMIX)
    assert at.map(switched).optimizer.lr == at.map(adamw).optimizer.lr != at.map(ademamix).optimizer.lr
    constant = ademamix.changed(schedule=Constant(kind="constant", warmup=3_000)).at_shared_rate()
    decayed = constant.branch(128_000, schedule=LinearDecay(warmup=3_000, start=128_000, end=200_000))
    assert at.map(decayed).optimizer.lr == at.map(constant).optimizer.lr == at.lr["330M"]["shared"]


def test_an_unknown_key_of_a_scale_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = (checkout() / "configs" / "scales" / "smoke.yaml").read_text()
    path.write_text(text.replace("checkpoint_seconds", "checkpoint_second"))
    with pytest.raises(UserError, match="did you mean 'checkpoint_seconds'"):
        read_scale(path)
    path.write_text("a: [")
    with pytest.raises(UserError, match="not valid YAML"):
        read_scale(path)


def test_collisions_are_refused_but_at_smoke() -> None:
    at = scale("cpu").model_copy(update={"horizon": 100})
    with pytest.raises(UserError, match="are both 1 at scale"):
        refuse_collisions(at, {2_000, 3_000})
    refuse_collisions(at.model_copy(update={"strict": scale("smoke").strict}), {2_000, 3_000})


def test_no_steps_of_the_paper_collide_at_cpu() -> None:
    """Every step count that the paper names for its language models stays distinct."""
    named = [10_000, 25_000, 30_000, 40_000, 50_000, 70_000, 90_000, 100_000, 128_000, 170_000, 190_000,
             200_000, 230_000, 250_000, 256_000, 270_000, 280_000, 290_000, 300_000, 330_000, 360_000,
             390_000, 400_000, 500_000, 600_000, 770_000, 900_000, 1_000_000, 1_300_000,
             1_500_000]  # fmt: skip
    mapped = [scale("cpu").steps(n) for n in named]
    assert all(a < b for a, b in itertools.pairwise(mapped))


def test_a_branch_that_injects_a_batch_starts_just_before_its_update() -> None:
    """190,000 is update 11,875 at `cpu`, so the branch leaves checkpoint 11,874."""
    at = scale("cpu")
    trunk = run("110M", ADAMW, 256_000)
    for t, update in ((90_000, 5625), (170_000, 10_625), (190_000, 11_875), (230_000, 14_375)):
        fork = at.map(trunk.branch(t - 1, inject=3)).fork
        assert fork is not None
        assert (fork.step, fork.inject) == (update - 1, 3)
    assert scale("paper").map(trunk.branch(189_999, inject=0)).fork.step == 189_999  # type: ignore[union-attr]


def test_figures_may_share_one_learning_rate() -> None:
    at = scale("cpu")
    adamw, ademamix = run("110M", ADAMW, 256_000), run("110M", ADEMAMIX, 256_000)
    branch = ademamix.branch(90_000, inject=0)
    mapped = [at.map(paper.at_shared_rate()) for paper in (ademamix, branch, adamw)]
    assert {spec.optimizer.lr for spec in mapped} == {at.lr["110M"]["shared"]}
    assert mapped[1].fork is not None
    assert mapped[1].fork.parent == mapped[0]
    assert scale("paper").map(ademamix.at_shared_rate()).optimizer.lr == ademamix.spec.optimizer.lr


@pytest.mark.parametrize("setup", vision_setups(), ids=lambda setup: setup.name)
def test_vision_maps_by_set_up(setup: VisionSetup) -> None:
    paper = run(setup.name, ADEMAMIX, 100_000, alpha=5, beta3=0.9999)
    assert scale("paper").map(paper) == paper.spec
    for name in ("smoke", "cpu", "gpu"):
        at = scale(name)
        spec = at.map(paper, seed=3)
        assert isinstance(spec, VisionRun)
        assert (spec.model, spec.data, spec.seed) == (at.models[setup.name], at.data[setup.name], 3)
        assert spec.augmentation == at.tasks["vision"].augmentation
        assert spec.model.dropout == setup.setting.dropout
        assert (
            spec.optimizer.lr == at.map(run(setup.name, ADAMW, 100_000)).optimizer.lr
        )  # AdEMAMix keeps AdamW's
        epochs = paper.spec.epochs(100_000)
        if at.judges:
            assert spec.epochs(at.steps(100_000)) == pytest.approx(epochs, rel=0.01)


def test_data_of_an_unknown_set_up_are_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = (checkout() / "configs" / "scales" / "smoke.yaml").read_text()
    path.write_text(
        text.replace("vit-24M/imagenet-21k-p: {kind: glyphs", "vit-24M/imagenet-22k: {kind: glyphs")
    )
    with pytest.raises(UserError, match=r"data: unknown set-up 'vit-24M/imagenet-22k' .did you mean"):
        read_scale(path)
    path.write_text(text.replace("kind: glyphs", "kind: glyfs"))
    with pytest.raises(UserError, match="did you mean 'glyphs'"):
        read_scale(path)
