"""From a spec to an optimizer, and its learning rate at each step."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ademamix.optim import ademamix, variants
from ademamix.optim.schedules import cosine_lr, linear_decay_lr, warmed_up
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
