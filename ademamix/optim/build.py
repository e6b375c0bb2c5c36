"""From a spec to an optimizer, its learning rate at each step, and what a branch carries over."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ademamix.errors import UserError
from ademamix.optim.ademamix import AdEMAMix
from ademamix.optim.schedules import cosine_lr, linear_decay_lr, warmed_up
from ademamix.optim.state import FAST, SLOW, SQUARE
from ademamix.spec import AdamW as AdamWSpec
from ademamix.spec import AdEMAMix as AdEMAMixSpec
from ademamix.spec import Constant, Cosine, LinearDecay


def build(spec: AdamWSpec | AdEMAMixSpec, params: Iterable[Tensor]) -> Optimizer:
    """The optimizer of `spec` over `params`; AdamW is torch's own fused one."""
    if isinstance(spec, AdEMAMixSpec):
        return AdEMAMix(
            params,
            lr=spec.lr,
            betas=(spec.beta1, spec.beta2, spec.beta3),
            alpha=spec.alpha,
            eps=spec.eps,
            weight_decay=spec.weight_decay,
            alpha_warmup=spec.alpha_warmup,
            beta3_warmup=spec.beta3_warmup,
        )
    return torch.optim.AdamW(
        params,
        lr=spec.lr,
        betas=(spec.beta1, spec.beta2),
        eps=spec.eps,
        weight_decay=spec.weight_decay,
        fused=True,
    )


def lr_at(schedule: Cosine | Constant | LinearDecay, lr: float, t: int) -> float:
    """η(t), the learning rate that update t uses."""
    if isinstance(schedule, Cosine):
        return cosine_lr(t, lr, schedule.warmup, schedule.horizon, schedule.final_lr)
    if isinstance(schedule, LinearDecay):
        s = schedule
        return linear_decay_lr(t, lr, s.warmup, s.start, s.end, s.final_lr)
    return warmed_up(t, lr, schedule.warmup)


def carry_over(state: dict[Any, dict[str, Any]], optimizer: Optimizer) -> None:
    """Load a trunk's per-parameter state into a branch's new `optimizer`, whichever the two are.

    m1, ν and their step counts are kept. A branch that switches to AdEMAMix starts m2 at 0 and counts
    the schedules of α and β3 from the switch; one that switches to AdamW drops m2. The groups'
    hyperparameters stay the branch's own.
    """
    convert = _for_ademamix if isinstance(optimizer, AdEMAMix) else _for_adamw
    beta1 = optimizer.param_groups[0]["betas"][0]
    whole = optimizer.state_dict()
    whole["state"] = {index: convert(of_one, beta1) for index, of_one in state.items()}
    optimizer.load_state_dict(whole)


def _for_ademamix(state: dict[str, Any], beta1: float) -> dict[str, Any]:
    step = state["step"].cpu()
    new = {SQUARE: state[SQUARE], "step": step}
    if beta1 > 0:
        new[FAST] = _fast(state)
    if SLOW in state:
        return {**new, SLOW: state[SLOW], "schedule_start": state["schedule_start"]}
    return {**new, SLOW: torch.zeros_like(state[SQUARE]), "schedule_start": int(step)}


def _for_adamw(state: dict[str, Any], beta1: float) -> dict[str, Any]:
    return {"step": state["step"], FAST: _fast(state), SQUARE: state[SQUARE]}


def _fast(state: dict[str, Any]) -> Tensor:
    if FAST not in state:
        raise UserError("a run with beta1 = 0 keeps no m1, so no branch with beta1 > 0 can start there")
    fast: Tensor = state[FAST]
    return fast
