"""How effects become verdicts."""

from pathlib import Path

import pandas as pd
import pytest

from ademamix.errors import UserError
from analysis.claims import Claim, Effect, Exact, Measured, Pooled, at, difference, final
from analysis.judge import rules_of
from analysis.noise import Noise, read_noise


def of(*values: float, runs: int = 2, setup: str = "") -> Effect:
    """An effect on losses, for which the spread over seeds stands in."""
    return Effect("e", values, pooled=Pooled(setup, runs))


def claim(effects: list[Measured], **changes: object) -> Claim:
    return Claim("name", "statement", "statistic", measure=lambda frame: effects, **changes)  # type: ignore[arg-type]


def verdict(
    effects: list[Measured], scale: str = "cpu", noise: float | None = 0.01, **changes: object
) -> str:
    return str(claim(effects, **changes).judge(pd.DataFrame(), Noise({}, noise), rules_of(scale))["verdict"])


def test_one_seed_needs_more_than_two_sigma_root_two() -> None:
    assert verdict([of(0.029)]) == "reproduced"
    assert verdict([of(0.028)]) == "inconclusive"
    assert verdict([of(-0.028)]) == "inconclusive"
    assert verdict([of(-0.029)]) == "not reproduced"


def test_one_seed_without_known_noise_decides_nothing() -> None:
    assert verdict([of(5.0)], noise=None) == "inconclusive"


def test_a_difference_of_differences_is_noisier() -> None:
    assert verdict([of(0.039, runs=4)]) == "inconclusive"
    assert verdict([of(0.041, runs=4)]) == "reproduced"


def test_seeds_that_diverged_must_agree() -> None:
    inf = float("inf")
    assert verdict([of(inf, 0.1, 0.2)]) == "reproduced"
    assert verdict([of(inf, -0.1, 0.2)]) == "inconclusive"
    assert verdict([of(-inf, -0.1, -0.2)]) == "not reproduced"
    assert verdict([of(inf, -inf, 0.0)]) == "inconclusive"


def test_each_size_has_its_own_noise(tmp_path: Path) -> None:
    path = tmp_path / "noise.csv"
    rows = ["110M,a,3,1.5,0.01", "110M,b,3,1.6,0.01", "1.3B,c,2,1.4,0.1"]
    path.write_text("\n".join(["size,run,seeds,mean,standard_deviation", *rows]) + "\n")
    noise = read_noise(path)
    assert noise.of("110M") == pytest.approx(0.01)
    assert noise.of("1.3B") == pytest.approx(0.1)
    assert noise.of("330M") == pytest.approx(((4 * 0.01**2 + 0.1**2) / 5) ** 0.5)
    assert of(0.05, setup="110M").judge(0.0, noise).verdict == "reproduced"
    assert of(0.05, setup="1.3B").judge(0.0, noise).verdict == "inconclusive"
    assert read_noise(tmp_path / "absent.csv").of("110M") is None


def test_several_seeds_use_their_own_interval() -> None:
    assert verdict([of(0.010, 0.011, 0.012)], noise=9.0) == "reproduced"
    assert verdict([of(0.010, 0.011, -0.012)]) == "inconclusive"
    assert verdict([of(-0.010, -0.011, -0.012)]) == "not reproduced"


def test_exact_effects_have_no_noise() -> None:
    assert verdict([Exact("e", 1e-9)], noise=None) == "reproduced"
    assert verdict([Exact("e", 0.0)], noise=None) == "not reproduced"


def test_thresholds_shift_the_question() -> None:
    assert verdict([Exact("e", 0.5)], threshold=0.6) == "not reproduced"
    assert verdict([Exact("e", -0.1)], threshold=-0.5) == "reproduced"


def test_all_must_hold_unless_fewer_are_asked() -> None:
    good, bad, unsure = of(1.0), of(-1.0), of(0.0)
    assert verdict([good, good]) == "reproduced"
    assert verdict([good, bad]) == "not reproduced"
    assert verdict([good, unsure]) == "inconclusive"
    assert verdict([good, bad, unsure], at_least=1) == "reproduced"
    assert verdict([good, bad, unsure], at_least=2) == "inconclusive"
    assert verdict([good, bad, bad], at_least=2) == "not reproduced"


def test_smoke_judges_nothing_and_tuning_is_circular() -> None:
    assert verdict([of(1.0)], scale="smoke") == "not run"
    assert verdict([of(1.0)], tuned=True) == "inconclusive"
    assert verdict([of(1.0)], scale="paper", tuned=True) == "reproduced"


FRAME = pd.DataFrame(
    [
        ("a", "AdamW", 0, 10, 3.0), ("a", "AdamW", 0, 20, 2.0),
        ("a", "AdamW", 1, 10, 3.1), ("a", "AdamW", 1, 20, 2.1),
        ("a", "AdEMAMix", 1, 10, 2.8), ("a", "AdEMAMix", 1, 20, 1.5),
    ],
    columns=["panel", "series", "seed", "x", "y"],
)  # fmt: skip


def test_values_are_paired_by_seed() -> None:
    effect = difference("d", final(FRAME, "a", "AdamW"), final(FRAME, "a", "AdEMAMix"))
    assert effect.values == (pytest.approx(0.6),)
    assert at(FRAME, "a", "AdamW", 0.5) == {0: 3.0, 1: 3.1}


def test_divergence_is_worse_than_any_loss() -> None:
    rows = [("a", "bad", 1, 10, 2.9), ("a", "bad", 1, 15, float("inf")),
            ("a", "hidden", 1, 10, 2.9), ("a", "hidden", 1, 20, 3.4)]  # fmt: skip
    frame = pd.concat([FRAME, pd.DataFrame(rows, columns=FRAME.columns)])
    good = final(frame, "a", "AdEMAMix")
    for name in ("bad", "hidden"):
        effect = difference("d", final(frame, "a", name), good, "110M")
        judged = effect.judge(0.0, Noise({}, 0.01))
        assert judged.verdict == "reproduced"
        assert judged.as_json()["value"] == "diverged"
        assert (
            difference("d", good, final(frame, "a", name), "110M").judge(0.0, Noise({}, 0.01)).verdict
            == "not reproduced"
        )


def test_nothing_missing_defaults_to_anything() -> None:
    with pytest.raises(UserError, match="no series 'Lion'"):
        final(FRAME, "a", "Lion")
    with pytest.raises(UserError, match="no seed in common"):
        difference("d", {0: 1.0}, {1: 1.0})
