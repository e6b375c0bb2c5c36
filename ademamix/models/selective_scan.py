"""The recurrence of Mamba (Gu and Dao 2023, section 3), forward and backward, as one function of autograd.

    h(t) = exp(Δ(t)·A) ⊙ h(t−1) + Δ(t)·u(t)·B(t)        h(0) = 0, a (channels, states) matrix
    y(t) = h(t)·C(t) + D ⊙ u(t)

Everything that does not depend on h(t−1) is computed for all t at once; what is left is one fused operation
per token, forward and back. On CUDA the kernel of the package mamba_ssm is taken where it can be imported.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor


def selective_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:  # noqa: N803
    """y, in the shape of `u`; all in fp32.

    Args:
        u: the input, (batch, length, channels).
        delta: the step sizes, positive, in the shape of `u`.
        A: (channels, states), negative.
        B, C: (batch, length, states).
        D: (channels,).
    """
    kernel = fused() if u.is_cuda else None
    if kernel is None:
        y: Tensor = SelectiveScan.apply(u, delta, A, B, C, D)
        return y
    u, delta, B, C = (x.transpose(1, 2).contiguous() for x in (u, delta, B, C))  # noqa: N806
    return kernel(u, delta, A, B, C, D).transpose(1, 2)


@cache
def fused() -> Callable[..., Tensor] | None:
    """The CUDA kernel of mamba_ssm, or None without it (or with a build that has none)."""
    try:
        import selective_scan_cuda  # noqa: F401
        from mamba_ssm.ops.selective_scan_interface import selective_scan_fn
    except ImportError:
        return None
    return selective_scan_fn


class SelectiveScan(torch.autograd.Function):
    """The recurrence; keeps two tensors (length, batch, states, channels)."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:  # noqa: N803
        u, delta, B, C = (x.transpose(0, 1).contiguous() for x in (u, delta, B, C))  # noqa: N806
        A = A.t().contiguous()  # noqa: N806
        decay = (delta.unsqueeze(2) * A).exp_()
        h = (delta * u).unsqueeze(2) * B.unsqueeze(3)
        states, decays = h.unbind(), decay.unbind()
        for t in range(1, len(states)):
            states[t].addcmul_(decays[t], states[t - 1])
        ctx.save_for_backward(u, delta, A, B, C, D, decay, h)
        return (h * C.unsqueeze(3)).sum(2).addcmul_(u, D).transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        u, delta, A, B, C, D, decay, h = ctx.saved_tensors  # noqa: N806
        dy = gradients[0].transpose(0, 1).contiguous()
        dh = dy.unsqueeze(2) * C.unsqueeze(3)
        of_states, decays = dh.unbind(), decay.unbind()
        for t in range(len(of_states) - 2, -1, -1):
            of_states[t].addcmul_(decays[t + 1], of_states[t + 1])
        scratch = dh * B.unsqueeze(3)
        d_input = scratch.sum(2)  # of Δ·u
        d_b = torch.mul(dh, (delta * u).unsqueeze(2), out=scratch).sum(3)
        d_c = torch.mul(h, dy.unsqueeze(2), out=scratch).sum(3)
        # Of the exponent Δ·A, from the second token on: before the first nothing decays.
        d_exponent = dh[1:].mul_(h[:-1]).mul_(decay[1:])
        d_a = torch.mul(d_exponent, delta[1:].unsqueeze(2), out=scratch[1:]).sum((0, 1))
        d_delta = d_input * u
        d_delta[1:] += torch.mul(d_exponent, A, out=scratch[1:]).sum(2)
        d_u = torch.addcmul(d_input * delta, dy, D)
        by_batch = (x.transpose(0, 1) for x in (d_u, d_delta))
        return (*by_batch, d_a.t(), d_b.transpose(0, 1), d_c.transpose(0, 1), (dy * u).sum((0, 1)))
