"""How effects become verdicts."""

import math
from pathlib import Path

import pandas as pd
import pytest

from ademamix.errors import UserError
from analysis.claims import (
    Claim,
    Effect,
    Exact,
    Measured,
    Rules,
    Share,
    ShareGap,
    at,
    final,
    rougher,
    roughness,
)
from analysis.judge import rules_of
from analysis.noise import Noise, read_noise
from analysis.paired import Paired, Run, largest, mean_of, smallest


def of(*values: float, runs: int = 2, group: str = "110M AdamW") -> Effect:
    """An effect on losses, for which the spread over seeds stands in."""
    return Effect("e", values, {Run("a", str(i), group): 1.0 for i in range(runs)})


def claim(effects: list[Measured], **changes: object) -> Claim:
    return Claim("name", "statement", "statistic", measure=lambda frame: effects, **changes)  # type: ignore[arg-type]


def verdict(
    effects: list[Measured], scale: str | Rules = "cpu", noise: float | None = 0.01, **changes: object
) -> str:
    rules = scale if isinstance(scale, Rules) else rules_of(scale)
    return str(claim(effects, **changes).judge(pd.DataFrame(), Noise({}, noise), rules)["verdict"])


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
    assert verdict([of()]) == "inconclusive"  # as when every branch diverged before it was looked at


def test_each_group_has_its_own_noise(tmp_path: Path) -> None:
    path = tmp_path / "noise.csv"
    rows = ["110M AdamW,a,3,1.5,0.01", "110M AdamW,b,3,1.6,0.01", "1.3B AdamW,c,2,1.4,0.1"]
    path.write_text("\n".join(["group,run,seeds,mean,standard_deviation", *rows]) + "\n")
    noise = read_noise(path)
    assert noise.of("110M AdamW") == pytest.approx(0.01)
    assert noise.of("1.3B AdEMAMix") == pytest.approx(0.1)  # of its set-up
    assert noise.of("330M AdamW") == pytest.approx(((4 * 0.01**2 + 0.1**2) / 5) ** 0.5)
    assert of(0.05).judge(0.0, noise).verdict == "reproduced"
    assert of(0.05, group="1.3B AdamW").judge(0.0, noise).verdict == "inconclusive"
    both = Effect("e", (0.05,), {Run("a", "x", "110M AdamW"): 1.0, Run("a", "y", "1.3B AdamW"): 1.0})
    interval = both.judge(0.0, noise).interval
    assert interval is not None
    assert interval[1] - 0.05 == pytest.approx(2 * (0.01**2 + 0.1**2) ** 0.5)
    assert both.judge(0.0, noise).as_json()["resolution"] == pytest.approx(0.200998, abs=1e-6)
    assert read_noise(tmp_path / "absent.csv").of("110M AdamW") is None


def test_a_value_of_no_known_run_decides_nothing_alone() -> None:
    assert verdict([Effect("e", (5.0,))]) == "inconclusive"
    assert verdict([of(5.0, group="")]) == "inconclusive"


def test_weights_enter_the_spread() -> None:
    """0.1·a + 0.9·b − c: a run that enters twice counts once, with its whole weight."""
    a, b, c = (Paired({0: value}, {Run("p", name, "110M AdamW"): 1.0}) for name, value in
               (("a", 3.0), ("b", 2.0), ("c", 2.5)))  # fmt: skip
    gain = (a - c) - 0.9 * (a - b)
    effect = Effect.of("gain", gain)
    assert effect.values == (pytest.approx(-0.4),)
    interval = effect.judge(0.0, Noise({}, 0.1)).interval
    assert interval is not None
    width = 2 * 0.1 * (0.1**2 + 0.9**2 + 1.0) ** 0.5
    assert (interval[1] - interval[0]) / 2 == pytest.approx(width)


def test_the_same_run_at_two_points_does_not_cancel() -> None:
    early, late = (Paired({0: value}, {Run("p", "a", "110M AdamW", at): 1.0}) for value, at in
                   ((3.0, 0.1), (2.0, 1.0)))  # fmt: skip
    interval = Effect.of("fall", early - late).judge(0.0, Noise({}, 0.1)).interval
    assert interval is not None
    assert (interval[1] - interval[0]) / 2 == pytest.approx(2 * 0.1 * 2**0.5)


def test_combinations_are_made_seed_by_seed() -> None:
    a = Paired({0: 1.0, 1: 2.0, 2: 9.0}, {Run("p", "a"): 1.0})
    b = Paired({1: 1.5, 0: 3.0}, {Run("p", "b"): 1.0})
    assert dict(a - b) == {0: -2.0, 1: 0.5}
    assert dict(abs(a - b)) == {0: 2.0, 1: 0.5}
    assert dict(1 - b) == {0: -2.0, 1: -0.5}
    assert dict(mean_of([a, b])) == {0: 2.0, 1: 1.75}
    assert dict(largest([a, b])) == {0: 3.0, 1: 2.0}
    assert dict(smallest([a, b])) == {0: 1.0, 1: 1.5}
    assert (a - b).terms == {Run("p", "a"): 1.0, Run("p", "b"): -1.0}


def test_a_share_has_the_interval_of_its_cells() -> None:
    """Cells far from the level are certain; those within its noise are not."""
    noise = Noise({}, 0.01)
    clear = Share("s", (1.0, 1.1, 1.2, 2.0), 1.5, 0.5, "110M AdamW").judge(0.0, noise)
    assert clear.interval == (0.25, 0.25)
    assert clear.verdict == "reproduced"
    close = Share("s", (1.495, 1.505, 1.0, 2.0), 1.5, 0.5, "110M AdamW").judge(0.0, noise)
    assert close.interval is not None
    assert close.interval[0] < 0 < close.interval[1]
    assert close.verdict == "inconclusive"
    assert Share("s", (1.0,), 1.5, 0.5, "").judge(0.0, noise).verdict == "inconclusive"


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
    assert verdict([of(1.0)], scale=Rules(judges=True, tuned=True), tuned=True) == "inconclusive"
    assert rules_of("smoke").tuned  # which has a slow half-life of its own
    assert verdict([of(1.0)], scale="cpu", tuned=True) == "reproduced"  # nothing of β3 is tuned there
    assert verdict([of(1.0)], scale="paper", tuned=True) == "reproduced"


FRAME = pd.DataFrame(
    [
        ("a", "AdamW", 0, 10, 3.0), ("a", "AdamW", 0, 20, 2.0),
        ("a", "AdamW", 1, 10, 3.1), ("a", "AdamW", 1, 20, 2.1),
        ("a", "AdEMAMix", 1, 10, 2.8), ("a", "AdEMAMix", 1, 20, 1.5),
    ],
    columns=["panel", "series", "seed", "x", "y"],
)  # fmt: skip


def test_roughness_is_what_a_curve_rises_after_its_first_quarter() -> None:
    smooth, spiky, broken = (2.0, 1.5, 1.2, 1.1, 1.0), (2.0, 2.5, 1.2, 1.5, 1.4), (2.0, 1.5, math.inf)
    rows = [
        ("", name, 0, x, y)
        for name, curve in {"smooth": smooth, "spiky": spiky, "broken": broken}.items()
        for x, y in enumerate(curve)
    ]
    frame = pd.DataFrame(rows, columns=["panel", "series", "seed", "x", "y"])
    found = {name: roughness(frame, "", name)[0] for name in ("smooth", "spiky", "broken")}
    assert found == {"smooth": 0.0, "spiky": pytest.approx(0.3), "broken": math.inf}
    (effect,) = rougher("", "smooth", ["spiky"])(frame)
    assert effect.values == (pytest.approx(0.3),)
    assert effect.judge(0.0, Noise({}, 0.01)).verdict == "inconclusive"  # one seed: nothing stands in


def test_values_are_paired_by_seed() -> None:
    effect = Effect.of("d", final(FRAME, "a", "AdamW") - final(FRAME, "a", "AdEMAMix"))
    assert effect.values == (pytest.approx(0.6),)
    assert dict(at(FRAME, "a", "AdamW", 0.5)) == {0: 3.0, 1: 3.1}


def test_divergence_is_worse_than_any_loss() -> None:
    rows = [("a", "bad", 1, 10, 2.9), ("a", "bad", 1, 15, float("inf")),
            ("a", "hidden", 1, 10, 2.9), ("a", "hidden", 1, 20, 3.4)]  # fmt: skip
    frame = pd.concat([FRAME, pd.DataFrame(rows, columns=FRAME.columns)])
    good = final(frame, "a", "AdEMAMix")
    for name in ("bad", "hidden"):
        effect = Effect.of("d", final(frame, "a", name) - good)
        judged = effect.judge(0.0, Noise({}, 0.01))
        assert judged.verdict == "reproduced"
        assert judged.as_json()["value"] == "diverged"
        other_way = Effect.of("d", good - final(frame, "a", name))
        assert other_way.judge(0.0, Noise({}, 0.01)).verdict == "not reproduced"


def test_nothing_missing_defaults_to_anything() -> None:
    with pytest.raises(UserError, match="no series 'Lion'"):
        final(FRAME, "a", "Lion")
    with pytest.raises(UserError, match="no seed in common"):
        _ = Paired({0: 1.0}, {}) - Paired({1: 1.0}, {})


def test_a_share_may_bring_its_own_spread() -> None:
    losses = (1.0, 1.1, 1.2, 2.0)
    assert Share("s", losses, 1.5, 0.5, sigma=0.01).judge(0.0, Noise({}, None)).verdict == "reproduced"
    assert Share("s", losses, 1.5, 0.5, sigma=5.0).judge(0.0, Noise({}, None)).verdict == "inconclusive"


def test_a_gap_between_shares_has_the_noise_of_both() -> None:
    noise = Noise({}, None)
    most, few = (Share("s", losses, 1.5, 0.0, sigma=0.01) for losses in ((1.0, 1.1, 1.2), (1.0, 2.0, 2.1)))
    gap = ShareGap("g", most, few).judge(0.0, noise)
    assert gap.mean == pytest.approx(2 / 3)
    assert gap.verdict == "reproduced"
    assert ShareGap("g", few, most).judge(0.0, noise).verdict == "not reproduced"
    vague = Share("s", (1.5, 1.5, 1.5), 1.5, 0.0, sigma=0.01)
    assert ShareGap("g", most, vague).judge(0.0, noise).verdict == "inconclusive"
    assert ShareGap("g", most, Share("s", (1.0,), 1.5, 0.0)).judge(0.0, noise).interval is None
