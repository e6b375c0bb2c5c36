"""Stochastic rounding to bf16, from a counter instead of a generator's state.

bf16 has 8 bits of precision, so an EMA with β3 = 0.9999 stored to nearest would not decay at all: each step
changes it by less than half a unit in the last place. Rounded up or down at random, with the probabilities
that keep the mean, it decays as it should.

The random bits of an element are a hash of (seed, step, parameter, offset), so they are the same after a
resume, under any number of threads and any chunking, and in every implementation of the optimizer.
"""

import torch
from torch import Tensor

MASK = 0xFFFFFFFF


def mix(x: int) -> int:
    """A 32-bit hash of a 32-bit number ("lowbias32"); the C and Triton kernels have the same."""
    x ^= x >> 16
    x = x * 0x7FEB352D & MASK
    x ^= x >> 15
    x = x * 0x846CA68B & MASK
    return x ^ x >> 16


def key(seed: int, step: int, parameter: int) -> int:
    """The 32 bits that a parameter's random numbers at one step depend on.

    `parameter`: its place among all parameters of the optimizer.
    """
    return mix(mix(mix(seed & MASK) ^ step & MASK) ^ parameter & MASK)


def random_bits(like: Tensor, key: int, start: int = 0) -> Tensor:
    """32 random bits for each element of `like`, as int64: hash of its place in memory and `key`.

    Places are counted from the tensor's first element, as the kernels count them, which is at place `start`;
    those of a tensor with holes are counted as if it had none.
    """
    strides = torch.empty_like(like, device="meta").stride()  # as `like`'s, without its holes
    places = torch.arange(start, start + like.numel(), device=like.device).as_strided(like.shape, strides)
    return _mix(places & MASK ^ key)


def more_bits(bits: Tensor) -> Tensor:
    """32 further random bits, from those of `random_bits`."""
    return _mix(bits)


def _mix(x: Tensor) -> Tensor:
    """`mix` of every element; products wrap in 64 bits, of which the lower 32 are right."""
    x = x ^ x >> 16
    x = x * 0x7FEB352D & MASK
    x = x ^ x >> 15
    x = x * 0x846CA68B & MASK
    return x ^ x >> 16


def to_bf16_randomly(x: Tensor, random: Tensor) -> Tensor:
    """`x` (fp32) as bf16: one of the two neighbours, up with the probability that keeps the mean.

    Args:
        x: fp32.
        random: 16 random bits for each element, int64.
    """
    moved = (x.view(torch.int32) + random.to(torch.int32)).bitwise_and_(-0x10000)
    # Adding to the bits of an infinity or NaN would make another number of it.
    return torch.where(x.isfinite(), moved.view(torch.float32), x).to(torch.bfloat16)
