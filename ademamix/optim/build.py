"""From a spec to an optimizer, its learning rate at each step, and what a branch carries over."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ademamix.errors import UserError
from ademamix.optim import ademamix, variants
from ademamix.optim.schedules import cosine_lr, linear_decay_lr, warmed_up
from ademamix.optim.state import FAST, SLOW, SQUARE
from ademamix.spec import (
    Ad3EMAMix,
    AdEMAMix,
    AnyOptimizer,
    Constant,
    ConvexAdEMAMix,
    Cosine,
    LinearDecay,
    Lion,
)


def build(spec: AnyOptimizer, params: Iterable[Tensor]) -> Optimizer:
    """The optimizer of `spec` over `params`; AdamW is torch's own fused one, Lion is timm's."""
    if isinstance(spec, Lion):
        from timm.optim.lion import Lion as TimmLion

        # timm's β1 mixes the step and its β2 the average: the paper's α and β.
        betas = (spec.alpha, spec.beta)
        return TimmLion(params, lr=spec.lr, betas=betas, weight_decay=spec.weight_decay)
    common: dict[str, Any] = {"lr": spec.lr, "eps": spec.eps, "weight_decay": spec.weight_decay}
    if not isinstance(spec, AdEMAMix):
        betas = (spec.beta1, spec.beta2)
        if spec.beta1_warmup:
            return variants.RampedAdamW(params, betas, spec.beta1_warmup, fused=True, **common)
        return torch.optim.AdamW(params, betas=betas, fused=True, **common)
    common |= {
        "alpha": spec.alpha,
        "alpha_warmup": spec.alpha_warmup,
        "beta3_warmup": spec.beta3_warmup,
    }
    if isinstance(spec, Ad3EMAMix):
        return variants.Ad3EMAMix(params, betas=(spec.beta1, spec.beta2, spec.beta3, spec.beta4), **common)
    kind = variants.ConvexAdEMAMix if isinstance(spec, ConvexAdEMAMix) else ademamix.AdEMAMix
    return kind(params, betas=(spec.beta1, spec.beta2, spec.beta3), **common)


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
    convert = _for_ademamix if isinstance(optimizer, ademamix.AdEMAMix) else _for_adamw
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
