"""bf16 state and parameters: stochastic rounding, the same in every implementation, and what it is for."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ademamix import AdEMAMix
from ademamix.optim import rounding

BF16 = torch.bfloat16


def rounded(value: float, count: int, key: int = 1) -> Tensor:
    x = torch.full((count,), value)
    return rounding.to_bf16_randomly(x, rounding.random_bits(x, key) & 0xFFFF)


@given(st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False), st.integers(0, 2**32 - 1))
def test_rounding_lands_on_a_neighbour_and_keeps_the_mean(value: float, key: int) -> None:
    count = 4096
    found = rounded(value, count, key).double()
    near = torch.tensor(value).to(BF16)
    steps = [near, torch.nextafter(near, torch.tensor(math.inf, dtype=BF16)),
             torch.nextafter(near, torch.tensor(-math.inf, dtype=BF16))]  # fmt: skip
    below = max(float(s) for s in steps if float(s) <= value)
    above = min(float(s) for s in steps if float(s) >= value)
    assert set(found.tolist()) <= {below, above}
    share = (value - below) / (above - below) if above > below else 0.0
    deviation = (above - below) * math.sqrt(share * (1 - share) / count)
    # The hash has 16 bits, so a share is right to one part in 65,536.
    assert abs(float(found.mean()) - value) <= 5 * deviation + (above - below) / 2**15


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 0.0, 1.0])
def test_what_bf16_holds_stays(value: float) -> None:
    found = rounded(value, 64).float()
    assert torch.equal(found, torch.full((64,), value)) or found.isnan().all()


def test_random_bits_are_a_function_of_seed_step_parameter_and_offset() -> None:
    keys = {rounding.key(seed, step, place) for seed in (0, 1) for step in (1, 2) for place in (0, 1)}
    assert len(keys) == 8
    bits = rounding.random_bits(torch.empty(64, 64), min(keys))
    assert torch.equal(bits.flatten()[:100], rounding.random_bits(torch.empty(100), min(keys)))
    # Counted along memory, wherever a tensor starts and however it is seen.
    assert torch.equal(bits, rounding.random_bits(torch.empty(64, 64).t(), min(keys)).t())
    assert int(bits[0, 5]) == rounding.mix(5 ^ min(keys))
    ones = torch.stack([bits >> i & 1 for i in range(32)]).double().mean(dim=(1, 2))
    assert (ones - 0.5).abs().max() < 5 * 0.5 / 64  # each bit is fair within 5 σ of 4,096


STORED = [
    (torch.float32, BF16, False),
    (BF16, None, False),
    (BF16, BF16, False),
    (BF16, None, True),
    (BF16, BF16, True),
]


@pytest.mark.parametrize("implementation", ["foreach", "c", "triton"])
@pytest.mark.parametrize(("dtype", "state_dtype", "master"), STORED)
@pytest.mark.parametrize("beta1", [0.9, 0.0])
def test_every_implementation_rounds_alike(
    dtype: torch.dtype, state_dtype: torch.dtype | None, master: bool, beta1: float, implementation: str
) -> None:
    """Against the reference: equal but where an fp32 sum, rounded in another order, tips the balance."""
    ps = []
    for name in ("reference", implementation):
        draw = torch.Generator().manual_seed(0)
        p = torch.randn(3001, generator=draw).to(dtype).requires_grad_()
        optimizer = AdEMAMix([p], lr=1e-2, betas=(beta1, 0.999, 0.9999), alpha=4.0, weight_decay=0.1,
                             state_dtype=state_dtype, master_weights=master, implementation=name)  # fmt: skip
        for _ in range(5):
            p.grad = torch.randn(3001, generator=draw).to(dtype)
            optimizer.step()
        ps.append((p, optimizer.state[p]))
    (p, theirs), (q, ours) = ps
    assert theirs.keys() == ours.keys()
    pairs = [(p.detach(), q.detach()), *((theirs[k], ours[k]) for k in theirs if torch.is_tensor(theirs[k]))]
    for a, b in pairs:
        assert a.dtype == b.dtype
        if a.dtype == BF16:
            assert (a != b).double().mean() < 0.01
        atol = 2**-8 * float(a.abs().max()) if a.dtype == BF16 else 1e-6
        torch.testing.assert_close(a.float(), b.float(), rtol=2**-6, atol=atol)


@pytest.mark.parametrize("implementation", ["reference", "c"])
def test_a_slow_average_forgets_in_bf16(implementation: str) -> None:
    """After a burst of gradients, m2 decays by β3 = 0.9999 a step; rounded to nearest it would not move."""
    steps, count = 2_000, 4_000
    p = torch.zeros(count, requires_grad=True)
    optimizer = AdEMAMix([p], betas=(0.9, 0.999, 0.9999), state_dtype=BF16, implementation=implementation)
    p.grad = torch.full((count,), 100.0)
    optimizer.step()
    start = optimizer.state[p]["exp_avg_slow"].double().mean()
    p.grad = torch.zeros(count)
    for _ in range(steps):
        optimizer.step()
    left = float(optimizer.state[p]["exp_avg_slow"].double().mean() / start)
    assert left == pytest.approx(0.9999**steps, abs=0.01)


def test_small_updates_of_bf16_parameters_are_not_lost() -> None:
    """Updates of a thousandth of the spacing of bf16: the mean of many parameters moves by their sum."""
    moved = []
    for options in ({}, {"master_weights": True}):
        p = torch.ones(20_000, dtype=BF16, requires_grad=True)
        optimizer = AdEMAMix([p], lr=4e-6, alpha=0.0, **options)
        for _ in range(1_000):
            p.grad = torch.ones_like(p)
            optimizer.step()
        moved.append(1 - float(p.detach().double().mean()))
    assert moved == pytest.approx([4e-3, 2**-8], rel=0.05)  # the master's nearest bf16 is 1 − 2⁻⁸


@pytest.mark.parametrize("dtype", [torch.float32, BF16])
def test_bytes_of_state_for_each_parameter(dtype: torch.dtype) -> None:
    def size(**options: object) -> float:
        p = torch.ones(1000, dtype=dtype, requires_grad=True)
        p.grad = torch.ones_like(p)
        optimizer = AdEMAMix([p], **options)  # type: ignore[arg-type]
        optimizer.step()
        moments = [v for name, v in optimizer.state[p].items() if torch.is_tensor(v) and v.dim()]
        return sum(v.numel() * v.element_size() for v in moments) / 1000

    assert size() == 12
    assert size(betas=(0.0, 0.999, 0.9999)) == 8
    assert size(state_dtype=BF16) == 6
    assert size(state_dtype=BF16, betas=(0.0, 0.999, 0.9999)) == 4
    assert size(master_weights=True) == (16 if dtype == BF16 else 12)


@pytest.mark.parametrize(("dtype", "state_dtype", "master"), [(torch.float32, None, False), *STORED])
def test_the_two_kernels_agree_to_the_bit_in_the_interpreter(
    dtype: torch.dtype, state_dtype: torch.dtype | None, master: bool
) -> None:
    found = []
    for name in ("c", "triton"):
        draw = torch.Generator().manual_seed(5)
        p = torch.randn(2_500, generator=draw).to(dtype).requires_grad_()
        optimizer = AdEMAMix([p], lr=1e-2, alpha=8.0, weight_decay=0.1, alpha_warmup=9, beta3_warmup=9,
                             state_dtype=state_dtype, master_weights=master, implementation=name)  # fmt: skip
        for _ in range(6):
            p.grad = torch.randn(2_500, generator=draw).to(dtype)
            optimizer.step()
        found.append([p.detach(), *(v for v in optimizer.state[p].values() if torch.is_tensor(v))])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("implementation", ["c", "triton"])
def test_random_bits_follow_memory_in_channels_last(implementation: str) -> None:
    ends = []
    for name in ("reference", implementation):
        draw = torch.Generator().manual_seed(6)
        p = torch.randn(4, 3, 5, 5, generator=draw).to(BF16, memory_format=torch.channels_last)
        p.requires_grad_()
        optimizer = AdEMAMix([p], lr=1e-2, implementation=name)
        for _ in range(3):
            p.grad = torch.randn(4, 3, 5, 5, generator=draw).to(BF16)
            optimizer.step()
        ends.append(p.detach())
    assert (ends[0] != ends[1]).double().mean() < 0.01
