"""What a branch carries over from its trunk."""

import pytest
import torch

from ademamix import AdEMAMix
from ademamix.errors import UserError
from ademamix.optim.build import build, carry_over
from ademamix.spec import AdamW as AdamWSpec
from ademamix.spec import AdEMAMix as AdEMAMixSpec

ADAMW = AdamWSpec(kind="adamw", lr=1e-2, weight_decay=0.1)
ADEMAMIX = AdEMAMixSpec(kind="ademamix", lr=1e-2, weight_decay=0.1, beta3=0.99, alpha=4.0, alpha_warmup=10)


def _trained(spec: AdamWSpec, steps: int = 5) -> tuple[torch.Tensor, torch.optim.Optimizer]:
    p = torch.ones(3, requires_grad=True)
    optimizer = build(spec, [p])
    for i in range(steps):
        p.grad = torch.full((3,), 0.1 * (i + 1))
        optimizer.step()
    return p, optimizer


def _switched(old: AdamWSpec, new: AdamWSpec) -> tuple[torch.Tensor, torch.optim.Optimizer, dict]:
    p, trunk = _trained(old)
    branch = build(new, [p])
    carry_over(trunk.state_dict()["state"], branch)
    return p, branch, dict(trunk.state[p])


def test_switch_to_ademamix_keeps_m1_nu_and_counts_schedules_from_there() -> None:
    p, branch, before = _switched(ADAMW, ADEMAMIX)
    state = branch.state[p]
    assert torch.equal(state["exp_avg"], before["exp_avg"])
    assert torch.equal(state["exp_avg_sq"], before["exp_avg_sq"])
    assert state["step"] == 5
    assert state["schedule_start"] == 5
    assert not state["exp_avg_slow"].any()


def test_switch_to_ademamix_without_alpha_is_adamw() -> None:
    p, branch, _ = _switched(ADAMW, ADEMAMIX.model_copy(update={"alpha": 0.0}))
    q, plain = _trained(ADAMW)
    for g in (0.7, -0.2, 0.4):
        p.grad, q.grad = torch.full((3,), g), torch.full((3,), g)
        branch.step()
        plain.step()
    torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-7)


def test_the_first_step_after_a_switch_uses_the_schedules_first_value() -> None:
    p, branch, before = _switched(ADAMW, ADEMAMIX.model_copy(update={"lr": 1.0, "weight_decay": 0.0}))
    start = p.detach().clone()
    p.grad = torch.full((3,), 0.5)
    branch.step()
    m1 = 0.9 * before["exp_avg"] + 0.1 * 0.5
    nu = 0.999 * before["exp_avg_sq"] + 0.001 * 0.25
    m2 = 0.01 * torch.full((3,), 0.5)  # no ramp of β3
    direction = m1 / (1 - 0.9**6) + 0.4 * m2  # α(1) = 4 · 1/10
    torch.testing.assert_close(start - p, direction / ((nu / (1 - 0.999**6)).sqrt() + 1e-8))


def test_switch_to_adamw_drops_m2() -> None:
    p, branch, before = _switched(ADEMAMIX, ADAMW)
    assert isinstance(branch, torch.optim.AdamW)
    assert set(branch.state[p]) == {"step", "exp_avg", "exp_avg_sq"}
    assert torch.equal(branch.state[p]["exp_avg"], before["exp_avg"])
    assert branch.param_groups[0]["betas"] == (0.9, 0.999)


def test_ademamix_to_ademamix_keeps_everything() -> None:
    p, branch, before = _switched(ADEMAMIX, ADEMAMIX.model_copy(update={"alpha": 1.0}))
    assert isinstance(branch, AdEMAMix)
    assert torch.equal(branch.state[p]["exp_avg_slow"], before["exp_avg_slow"])
    assert branch.state[p]["schedule_start"] == 0
    assert branch.param_groups[0]["alpha"] == 1.0


def test_without_m1_there_is_nothing_to_switch_to() -> None:
    with pytest.raises(UserError, match="keeps no m1"):
        _switched(ADEMAMIX.model_copy(update={"beta1": 0.0}), ADAMW)
