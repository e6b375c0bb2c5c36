"""Switching between AdamW and AdEMAMix: the branches of a trunk, and in a user's own training."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from ademamix import AdEMAMix
from ademamix.optim.switch import carry_over
from ademamix.optimizers import AdamWConfig, AdEMAMixConfig

ADAMW = AdamWConfig(kind="adamw", lr=1e-2, weight_decay=0.1)
ADEMAMIX = AdEMAMixConfig(kind="ademamix", lr=1e-2, weight_decay=0.1, beta3=0.99, alpha=4.0, alpha_warmup=10)


def _trained(spec: AdamWConfig, steps: int = 5) -> tuple[torch.Tensor, torch.optim.Optimizer]:
    p = torch.ones(3, requires_grad=True)
    optimizer = spec.build([p])
    for i in range(steps):
        p.grad = torch.full((3,), 0.1 * (i + 1))
        optimizer.step()
    return p, optimizer


def _switched(old: AdamWConfig, new: AdamWConfig) -> tuple[torch.Tensor, torch.optim.Optimizer, dict]:
    p, trunk = _trained(old)
    branch = new.build([p])
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
    with pytest.raises(ValueError, match="keeps no m1"):
        _switched(ADEMAMIX.model_copy(update={"beta1": 0.0}), ADAMW)


def _groups() -> list[dict[str, Any]]:
    """Two groups with options of their own, and a key that a scheduler left."""
    draw = torch.Generator().manual_seed(1)
    first, second = (torch.randn(5, generator=draw, requires_grad=True) for _ in range(2))
    late = torch.zeros(2, requires_grad=True)
    return [
        {"params": [first], "lr": 3e-3, "weight_decay": 0.1, "initial_lr": 1e-2},
        {"params": [second, late], "lr": 1e-3, "betas": (0.0, 0.99), "eps": 1e-6},
    ]


def _step(optimizer: torch.optim.Optimizer, seed: int, late: bool = False) -> None:
    """A step with gradients drawn from the seed; the last parameter gets none unless `late`."""
    draw = torch.Generator().manual_seed(seed)
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = torch.randn(p.shape, generator=draw) if len(p) == 5 or late else None
    optimizer.step()


def _weights(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [p.detach().clone() for group in optimizer.param_groups for p in group["params"]]


def test_from_adamw_without_alpha_goes_on_as_adamw() -> None:
    plain, switched = (torch.optim.AdamW(_groups()) for _ in range(2))
    for t in range(5):
        _step(plain, t)
        _step(switched, t)
    new = AdEMAMix.from_adamw(switched, alpha=0.0)
    assert [group["betas"] for group in new.param_groups] == [(0.9, 0.999, 0.9999), (0.0, 0.99, 0.9999)]
    assert new.param_groups[0]["initial_lr"] == 1e-2
    for t in range(5, 15):
        _step(plain, t, late=True)
        _step(new, t, late=True)
    for mine, theirs in zip(_weights(new), _weights(plain), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


def test_from_adamw_starts_m2_and_the_schedules() -> None:
    old = torch.optim.AdamW(_groups())
    for t in range(5):
        _step(old, t)
    new = AdEMAMix.from_adamw(old, beta3=0.99, alpha=5.0, alpha_warmup=10, beta3_warmup=20)
    first, late = new.param_groups[0]["params"][0], new.param_groups[1]["params"][1]
    assert new.state[first]["schedule_start"] == new.state[first]["step"] == 5
    assert not new.state[first]["exp_avg_slow"].any()
    assert torch.equal(new.state[first]["exp_avg"], old.state[first]["exp_avg"])
    assert new.state[first]["exp_avg"].data_ptr() != old.state[first]["exp_avg"].data_ptr()
    assert "exp_avg" not in new.state[new.param_groups[1]["params"][0]]  # β1 = 0
    assert not new.state[late]  # it has had no gradient yet
    saved = new.state_dict()
    again = AdEMAMix(new.param_groups)
    again.load_state_dict(saved)
    assert again.state[again.param_groups[0]["params"][0]]["schedule_start"] == 5


def test_there_and_back_is_adamw() -> None:
    plain, switched = (torch.optim.AdamW(_groups(), fused=True) for _ in range(2))
    for t in range(3):
        _step(plain, t)
        _step(switched, t)
    back = AdEMAMix.from_adamw(switched, alpha=2.0).to_adamw(fused=True)
    assert type(back) is torch.optim.AdamW
    assert back.param_groups[0]["betas"] == (0.9, 0.999)
    assert "alpha" not in back.param_groups[0]
    for t in range(3, 9):
        _step(plain, t, late=True)
        _step(back, t, late=True)
    for mine, theirs in zip(_weights(back), _weights(plain), strict=True):
        assert torch.equal(mine, theirs)


def test_switching_to_adamw_keeps_the_dtype_that_adamw_uses() -> None:
    p = torch.ones(4, dtype=torch.bfloat16, requires_grad=True)
    optimizer = AdEMAMix([p], state_dtype=torch.float32)
    for t in range(3):
        p.grad = torch.full_like(p, 0.1 * t)
        optimizer.step()
    plain = optimizer.to_adamw()
    assert plain.state[p]["exp_avg"].dtype == torch.bfloat16
    p.grad = torch.ones_like(p)
    plain.step()


def test_named_parameters_keep_their_names() -> None:
    model = nn.Linear(3, 2)
    old = torch.optim.AdamW(model.named_parameters())
    model(torch.ones(1, 3)).sum().backward()
    old.step()
    new = AdEMAMix.from_adamw(old)
    assert new.param_groups[0]["param_names"] == ["weight", "bias"]
    new.step()
    new.to_adamw().step()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: torch.optim.SGD([p]), TypeError, "takes a torch.optim.AdamW, got SGD"),
        (lambda p: torch.optim.AdamW([p], amsgrad=True), ValueError, "amsgrad"),
        (lambda p: torch.optim.Adam([p], weight_decay=0.1), ValueError, "not decoupled"),
        (lambda p: AdEMAMix([p]), TypeError, "got AdEMAMix"),
    ],
)
def test_what_cannot_be_switched_is_refused(
    make: Callable[[torch.Tensor], torch.optim.Optimizer], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        AdEMAMix.from_adamw(make(torch.zeros(2, requires_grad=True)))


def test_master_weights_are_not_lost_silently() -> None:
    p = torch.ones(4, dtype=torch.bfloat16, requires_grad=True)
    optimizer = AdEMAMix([p], master_weights=True)
    p.grad = torch.ones_like(p)
    optimizer.step()
    with pytest.raises(ValueError, match="no master weights"):
        optimizer.to_adamw()


@pytest.mark.parametrize("name", ["lr", "betas", "eps", "weight_decay", "maximize", "capturable"])
def test_options_that_the_groups_keep_are_refused(name: str) -> None:
    p = torch.zeros(2, requires_grad=True)
    for switch in (lambda **o: AdEMAMix.from_adamw(torch.optim.AdamW([p]), **o), AdEMAMix([p]).to_adamw):
        with pytest.raises(TypeError, match=f"keeps each group's {name}"):
            switch(**{name: 1})


def test_groups_added_after_a_switch_get_the_old_defaults() -> None:
    p, later = (torch.zeros(2, requires_grad=True) for _ in range(2))
    new = AdEMAMix.from_adamw(torch.optim.AdamW([p], lr=5e-4, weight_decay=0.1), beta3=0.99)
    new.add_param_group({"params": [later]})
    group = new.param_groups[1]
    assert (group["lr"], group["weight_decay"], group["betas"]) == (5e-4, 0.1, (0.9, 0.999, 0.99))


def test_switching_back_shares_nothing() -> None:
    p = torch.ones(4, requires_grad=True)
    old = AdEMAMix([p])
    p.grad = torch.ones(4)
    old.step()
    before = {name: torch.as_tensor(value).clone() for name, value in old.state[p].items()}
    new = old.to_adamw()
    p.grad = -torch.ones(4)
    new.step()
    assert all(torch.equal(torch.as_tensor(old.state[p][name]), value) for name, value in before.items())
