"""AdEMAMix over lists of tensors: the arithmetic of `reference.py` in few, large launches."""

import math

import torch
from torch import Tensor

from ademamix.optim.reference import Scalars


def update(
    thetas: list[Tensor],
    gs: list[Tensor],
    m1s: list[Tensor] | None,
    m2s: list[Tensor],
    nus: list[Tensor],
    s: Scalars,
) -> None:
    """One AdEMAMix update of every tensor in the lists, in place.

    All tensors share device and dtype, and all parameters their step. `m1s` is None when β1 = 0.
    """
    torch._foreach_lerp_(m2s, gs, 1 - s.beta3)
    torch._foreach_mul_(nus, s.beta2)
    torch._foreach_addcmul_(nus, gs, gs, 1 - s.beta2)

    steps = torch._foreach_mul(m2s, s.alpha)
    if m1s is None:
        torch._foreach_add_(steps, gs)
    else:
        torch._foreach_lerp_(m1s, gs, 1 - s.beta1)
        torch._foreach_add_(steps, m1s, alpha=1 / (1 - s.beta1**s.step))

    roots = torch._foreach_sqrt(nus)
    torch._foreach_div_(roots, math.sqrt(1 - s.beta2**s.step))
    torch._foreach_add_(roots, s.eps)
    torch._foreach_div_(steps, roots)
    if s.weight_decay:
        torch._foreach_add_(steps, thetas, alpha=s.weight_decay)
    torch._foreach_add_(thetas, steps, alpha=-s.lr)
