"""AdEMAMix over lists of tensors: the arithmetic of `reference.py` in few, large launches.

It is made piece by piece of the parameters: temporaries are small, and stay in the cache of a CPU.
"""

import math

import torch

from ademamix.optim.bucket import Bucket
from ademamix.optim.scalars import Scalars

# Elements of a piece: multiples of what vector instructions take, so that pieces round as the whole does.
PIECE = {"cpu": 2**19, "cuda": 2**24}


def update(bucket: Bucket, s: Scalars) -> None:
    """One AdEMAMix update of every tensor of the bucket, in place."""
    for piece in bucket.pieces(PIECE.get(bucket.p[0].device.type, 2**24)):
        _update(piece, s)


def _update(bucket: Bucket, s: Scalars) -> None:
    b = bucket.opened(s.maximize)
    torch._foreach_lerp_(b.m2, b.g, 1 - s.beta3)
    torch._foreach_mul_(b.nu, s.beta2)
    torch._foreach_addcmul_(b.nu, b.g, b.g, 1 - s.beta2)

    steps = torch._foreach_mul(b.m2, s.alpha)
    if b.m1 is None:
        torch._foreach_add_(steps, b.g)
    else:
        torch._foreach_lerp_(b.m1, b.g, 1 - s.beta1)
        torch._foreach_add_(steps, b.m1, alpha=1 / (1 - s.beta1**s.step))

    roots = torch._foreach_sqrt(b.nu)
    torch._foreach_div_(roots, math.sqrt(1 - s.beta2**s.step))
    torch._foreach_add_(roots, s.eps)
    torch._foreach_div_(steps, roots)
    if s.weight_decay:
        torch._foreach_add_(steps, b.p, alpha=s.weight_decay)
    torch._foreach_add_(b.p, steps, alpha=-s.lr)
    bucket.close(b)
