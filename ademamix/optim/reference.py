"""AdEMAMix for one tensor, written to be read beside Algorithm 1 of the paper."""

import math
from typing import NamedTuple

from torch import Tensor


class Scalars(NamedTuple):
    """Every number that update t needs, in double precision; the tensors hold the rest."""

    lr: float
    beta1: float
    beta2: float
    beta3: float  # β3(t)
    alpha: float  # α(t)
    eps: float
    weight_decay: float
    step: int  # t, counted per parameter, from 1


def update(
    theta: Tensor,
    g: Tensor,
    m1: Tensor | None,
    m2: Tensor,
    nu: Tensor,
    s: Scalars,
) -> None:
    """One AdEMAMix update, in place.

    All tensors have the same shape; `m1` is None when β1 = 0, since then m̂1 is the gradient.
    m2 is not bias-corrected. Weight decay is added to the step, θ − (ηu + ηλθ), rather than folded
    into θ·(1−ηλ), which loses most of a small ηλ to rounding in fp32.
    """
    if m1 is None:
        m1_hat = g
    else:
        m1.mul_(s.beta1).add_(g, alpha=1 - s.beta1)
        m1_hat = m1 / (1 - s.beta1**s.step)

    # As a step towards g: for β3 near 1 this rounds better than β3·m2 + (1−β3)·g.
    m2.add_(g - m2, alpha=1 - s.beta3)
    nu.mul_(s.beta2).addcmul_(g, g, value=1 - s.beta2)

    root = nu.sqrt() / math.sqrt(1 - s.beta2**s.step)
    step = (m1_hat + s.alpha * m2) / (root + s.eps) + s.weight_decay * theta
    theta.sub_(s.lr * step)
