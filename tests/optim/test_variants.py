"""The paper's other optimizers, each against its own formula in plain numbers."""

import math

import pytest
import torch
from torch import Tensor

from ademamix.optim.ademamix import AdEMAMix
from ademamix.optim.schedules import beta3_at, convex_form, convex_weights
from ademamix.optim.switch import carry_over
from ademamix.optim.variants import Ad3EMAMix, ConvexAdEMAMix, RampedAdamW
from ademamix.optimizers import LionConfig

STEPS = 30


def gradients(seed: int = 0) -> list[Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [0.3 + torch.randn(9, generator=draw, dtype=torch.float64) for _ in range(STEPS)]


def test_lion_is_the_papers() -> None:
    """θ ← θ − η(sign(α·m + (1−α)·g) + λθ), then m ← β·m + (1−β)·g."""
    p = torch.ones(9, dtype=torch.float64, requires_grad=True)
    optimizer = LionConfig(kind="lion", lr=1e-2, alpha=0.7, beta=0.99, weight_decay=0.25).build([p])
    theta, m = [1.0] * 9, [0.0] * 9
    for g in gradients():
        p.grad = g
        optimizer.step()
        for i, gi in enumerate(g.tolist()):
            theta[i] -= 1e-2 * (math.copysign(1, 0.7 * m[i] + 0.3 * gi) + 0.25 * theta[i])
            m[i] = 0.99 * m[i] + 0.01 * gi
    assert p.tolist() == pytest.approx(theta, rel=1e-9)


def test_a_third_ema_is_the_papers() -> None:
    betas, alpha, warmup = (0.9, 0.999, 0.99, 0.9999), 4.0, 20
    p = torch.ones(9, dtype=torch.float64, requires_grad=True)
    optimizer = Ad3EMAMix([p], 1e-2, betas, alpha, weight_decay=0.1, alpha_warmup=warmup, beta3_warmup=warmup)
    theta = [1.0] * 9
    m1, m2, m3, nu = ([0.0] * 9 for _ in range(4))
    for t, g in enumerate(gradients(), start=1):
        p.grad = g
        optimizer.step()
        b3, b4 = (beta3_at(t, beta, 0.9, warmup) for beta in betas[2:])
        a = alpha * min(t / warmup, 1)
        for i, gi in enumerate(g.tolist()):
            m1[i] = 0.9 * m1[i] + 0.1 * gi
            m2[i] = b3 * m2[i] + (1 - b3) * gi
            m3[i] = b4 * m3[i] + (1 - b4) * gi
            nu[i] = 0.999 * nu[i] + 0.001 * gi**2
            root = math.sqrt(nu[i] / (1 - 0.999**t)) + 1e-8
            theta[i] -= 1e-2 * ((m1[i] / (1 - 0.9**t) + a * (m2[i] + m3[i])) / root + 0.1 * theta[i])
    assert p.tolist() == pytest.approx(theta, rel=1e-9)


@pytest.mark.parametrize("implementation", ["auto", "foreach"])
def test_the_convex_form_is_the_papers(implementation: str) -> None:
    """θ ← θ − η[((1−α)·m̂1 + α·m2)/(√ν̂ + ε) + λθ], with a linear ramp of α to 0.9."""
    p = torch.ones(9, requires_grad=True)
    optimizer = ConvexAdEMAMix([p], lr=1e-2, alpha=0.9, betas=(0.9, 0.999, 0.99), weight_decay=0.1,
                               alpha_warmup=20, implementation=implementation)  # fmt: skip
    theta = [1.0] * 9
    m1, m2, nu = ([0.0] * 9 for _ in range(3))
    for t, g in enumerate(gradients(), start=1):
        p.grad = g.float()
        optimizer.step()
        a = 0.9 * min(t / 20, 1)
        for i, gi in enumerate(g.tolist()):
            m1[i] = 0.9 * m1[i] + 0.1 * gi
            m2[i] = 0.99 * m2[i] + 0.01 * gi
            nu[i] = 0.999 * nu[i] + 0.001 * gi**2
            root = math.sqrt(nu[i] / (1 - 0.999**t)) + 1e-8
            theta[i] -= 1e-2 * (((1 - a) * m1[i] / (1 - 0.9**t) + a * m2[i]) / root + 0.1 * theta[i])
    assert p.tolist() == pytest.approx(theta, rel=1e-5)
    with pytest.raises(ValueError, match=r"alpha must be in \[0, 1\)"):
        ConvexAdEMAMix([p], alpha=1.0)


def test_the_two_forms_convert_into_each_other() -> None:
    lr, alpha = convex_form(1e-3, 8.0)
    assert convex_weights(lr, alpha, 0.1 / 9) == pytest.approx((1e-3, 8.0, 0.1))


def test_adamw_with_a_growing_beta1() -> None:
    p, q = (torch.ones(9, dtype=torch.float64, requires_grad=True) for _ in range(2))
    ramped = RampedAdamW([p], (0.999, 0.99), 20, lr=1e-2, weight_decay=0.1)
    by_hand = torch.optim.AdamW([q], lr=1e-2, weight_decay=0.1)
    half = RampedAdamW([r := torch.ones(9, dtype=torch.float64, requires_grad=True)], (0.999, 0.99), 20,
                       lr=1e-2, weight_decay=0.1)  # fmt: skip
    for t, g in enumerate(gradients(), start=1):
        p.grad = q.grad = r.grad = g
        by_hand.param_groups[0]["betas"] = (beta3_at(t, 0.999, 0.9, 20), 0.99)
        ramped.step()
        by_hand.step()
        if t == 10:  # resumed in the middle, in another optimizer
            state = half.state_dict()
            half = RampedAdamW([r], (0.5, 0.5), 1, lr=1.0)
            half.load_state_dict(state)
        half.step()
    assert torch.equal(p, q)
    assert torch.equal(r, q)
    assert ramped.param_groups[0]["betas"][0] == 0.999


def test_a_switch_counts_the_ramp_from_there() -> None:
    """From a plain AdamW, as in Figure 20b: moments and their counts stay, β1 grows from the switch on."""
    p = torch.ones(9, requires_grad=True)
    plain = torch.optim.AdamW([p], lr=1e-2)
    for g in gradients()[:5]:
        p.grad = g.float()
        plain.step()
    ramped = RampedAdamW([p], (0.999, 0.999), 20, lr=1e-2)
    carry_over(plain.state_dict()["state"], ramped)
    p.grad = gradients()[5].float()
    ramped.step()
    assert ramped.state[p]["step"] == 6
    assert ramped.param_groups[0]["betas"][0] == beta3_at(1, 0.999, 0.9, 20)


def test_the_convex_form_is_an_ademamix_to_everything_else() -> None:
    p = torch.ones(2, requires_grad=True)
    assert isinstance(ConvexAdEMAMix([p], alpha=0.5), AdEMAMix)
    assert ConvexAdEMAMix([p], alpha=0.5).implementation in ("c", "foreach")
