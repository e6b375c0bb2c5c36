"""The Triton kernel: all tensors in one launch, each element read and written once.

Addresses are in a table on the device, made again only when one of them changes. Every scalar (step, α(t),
β3(t), bias corrections) is computed on the device too, by one small launch before, so that nothing waits
for the host and both can be captured in a CUDA graph.
"""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import chain
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from ademamix.optim.bucket import Bucket

BLOCK = 2048  # elements for each program
# Columns of the table of addresses, and of the scalars of one tensor.
P, G, M1, M2, NU, MASTER, STEP, NUMEL, PLACE = (tl.constexpr(i) for i in range(9))
COLUMNS = tl.constexpr(9)
LR, DECAY, FAST, SLOW, SQUARE, ALPHA, EPS, FAST_SCALE, ROOT_SCALE = (tl.constexpr(i) for i in range(9))
SCALARS = tl.constexpr(9)


@triton.jit
def mix(x):
    """`rounding.mix` of uint32 numbers."""
    x ^= x >> 16
    x *= 0x7FEB352D
    x ^= x >> 15
    x *= 0x846CA68B
    return x ^ (x >> 16)


@triton.jit(do_not_specialize=["since", "t"])
def advance(table, constants, lr, scalars, keys, found_inf, since, t, on_device: tl.constexpr,
            tensor_lr: tl.constexpr, scaled: tl.constexpr, beta1_zero: tl.constexpr):  # fmt: skip
    """The scalars of one tensor's update, in double precision; counts its step when it is on the device."""
    i = tl.program_id(0)
    one = tl.load(constants + 8)  # turns numbers into doubles
    if on_device:
        place = tl.load(table + i * COLUMNS + STEP).to(tl.pointer_type(tl.float32))
        step = tl.load(place)
        if scaled:
            step += tl.where(tl.load(found_inf) == 0.0, 1.0, 0.0)
        else:
            step += 1.0
        tl.store(place, step)
        steps = step * one
    else:
        steps = t * one
    beta1 = tl.load(constants + 0)
    beta2 = tl.load(constants + 1)
    beta3 = tl.load(constants + 2)
    alpha = tl.load(constants + 3)
    alpha_warmup = tl.load(constants + 4)  # 0: none
    beta3_warmup = tl.load(constants + 5)
    eps = tl.load(constants + 6)
    decay = tl.load(constants + 7)
    if tensor_lr:
        eta = tl.load(lr) * one
    else:
        eta = lr * one
    count = steps - since
    if count < alpha_warmup:
        alpha = alpha * count / alpha_warmup
    if count < beta3_warmup:
        mu = count / beta3_warmup
        log_end = tl.log(beta3)
        if beta1_zero:
            beta3 = tl.exp(log_end / mu)
        else:
            log_start = tl.log(beta1)
            ramp = tl.exp(log_start * log_end / ((1.0 - mu) * log_end + mu * log_start))
            beta3 = tl.minimum(ramp, beta3)
    fast_scale = one
    if not beta1_zero:
        fast_scale = 1.0 / (1.0 - tl.exp(steps * tl.log(beta1)))
    root_scale = 1.0 / tl.sqrt(1.0 - tl.exp(steps * tl.log(beta2)))
    row = scalars + i * SCALARS
    tl.store(row + LR, eta.to(tl.float32))
    tl.store(row + DECAY, (eta * decay).to(tl.float32))
    tl.store(row + FAST, (1.0 - beta1).to(tl.float32))
    tl.store(row + SLOW, (1.0 - beta3).to(tl.float32))
    tl.store(row + SQUARE, (1.0 - beta2).to(tl.float32))
    tl.store(row + ALPHA, alpha.to(tl.float32))
    tl.store(row + EPS, eps.to(tl.float32))
    tl.store(row + FAST_SCALE, fast_scale.to(tl.float32))
    tl.store(row + ROOT_SCALE, root_scale.to(tl.float32))
    seed = tl.load(constants + 9).to(tl.int64).to(tl.uint32)
    count = steps.to(tl.int64).to(tl.uint32)
    key = mix(mix(mix(seed) ^ count) ^ tl.load(table + i * COLUMNS + PLACE).to(tl.uint32))
    tl.store(keys + i, key.to(tl.int64))


@triton.jit
def to_bf16_randomly(x, random):
    """`rounding.to_bf16_randomly`: `random` has 16 bits."""
    bits = x.to(tl.uint32, bitcast=True)
    finite = (bits & 0x7F800000) != 0x7F800000
    moved = ((bits + random) & 0xFFFF0000).to(tl.float32, bitcast=True)
    return tl.where(finite, moved, x).to(tl.bfloat16)


@triton.jit
def store(at, x, type: tl.constexpr, mask):
    """To nearest. bf16 is rounded here, in integers, as Triton's interpreter cuts where devices round."""
    if type == tl.bfloat16:
        bits = x.to(tl.uint32, bitcast=True)
        up = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
        x = tl.where(x == x, up.to(tl.float32, bitcast=True), x)
    tl.store(at, x.to(type), mask=mask)


@triton.jit
def update(table, blocks, scalars, keys, grad_scale, found_inf, p_type: tl.constexpr, s_type: tl.constexpr,
           has_m1: tl.constexpr, has_master: tl.constexpr, maximize: tl.constexpr, scaled: tl.constexpr,
           aligned: tl.constexpr, block: tl.constexpr):  # fmt: skip
    """Elements [first, first + block) of one tensor."""
    i = tl.load(blocks + 2 * tl.program_id(0))
    first = tl.load(blocks + 2 * tl.program_id(0) + 1).to(tl.int64) * block
    row = table + i * COLUMNS
    p = tl.load(row + P).to(tl.pointer_type(p_type))
    g = tl.load(row + G).to(tl.pointer_type(p_type))
    m1 = tl.load(row + M1).to(tl.pointer_type(s_type))
    m2 = tl.load(row + M2).to(tl.pointer_type(s_type))
    nu = tl.load(row + NU).to(tl.pointer_type(s_type))
    master = tl.load(row + MASTER).to(tl.pointer_type(tl.float32))
    if aligned:  # lets 16 bytes move at a time
        p, g = tl.multiple_of(p, 16), tl.multiple_of(g, 16)
        m1, m2, nu = tl.multiple_of(m1, 16), tl.multiple_of(m2, 16), tl.multiple_of(nu, 16)
        master = tl.multiple_of(master, 16)
    at = first + tl.arange(0, block)
    numel = tl.load(row + NUMEL)
    if aligned:  # the mask, too, then changes only every 16 elements
        numel = tl.multiple_of(numel, 16)
    if scaled:
        numel = tl.where(tl.load(found_inf) == 0.0, numel, 0)
    inside = at < numel

    row = scalars + i * SCALARS
    grad = tl.load(g + at, mask=inside, other=0.0).to(tl.float32)
    if scaled:
        grad = grad / tl.load(grad_scale)
    if maximize:
        grad = -grad
    if has_master:
        theta = tl.load(master + at, mask=inside, other=0.0)
    else:
        theta = tl.load(p + at, mask=inside, other=0.0).to(tl.float32)
    fast = grad
    if has_m1:
        fast = tl.load(m1 + at, mask=inside, other=0.0).to(tl.float32)
        fast += tl.load(row + FAST) * (grad - fast)
        store(m1 + at, fast, s_type, inside)
    slow = tl.load(m2 + at, mask=inside, other=0.0).to(tl.float32)
    slow += tl.load(row + SLOW) * (grad - slow)
    square = tl.load(nu + at, mask=inside, other=0.0).to(tl.float32)
    share = tl.load(row + SQUARE)
    square += (share * grad) * grad - share * square  # a large grad * grad may overflow
    random = mix(at.to(tl.uint32) ^ tl.load(keys + i).to(tl.uint32))
    if s_type == tl.bfloat16:
        tl.store(m2 + at, to_bf16_randomly(slow, random & 0xFFFF), mask=inside)
        tl.store(nu + at, to_bf16_randomly(square, random >> 16), mask=inside)
    else:
        tl.store(m2 + at, slow, mask=inside)
        tl.store(nu + at, square, mask=inside)
    root = tl.sqrt_rn(square) * tl.load(row + ROOT_SCALE) + tl.load(row + EPS)
    if has_m1:
        fast = fast * tl.load(row + FAST_SCALE)
    step = tl.div_rn(fast + tl.load(row + ALPHA) * slow, root)
    theta -= tl.load(row + LR) * step + tl.load(row + DECAY) * theta
    if has_master:
        tl.store(master + at, theta, mask=inside)
    if p_type == tl.bfloat16 and not has_master:
        tl.store(p + at, to_bf16_randomly(theta, mix(random) & 0xFFFF), mask=inside)
    else:
        store(p + at, theta, p_type, inside)


TYPES = {torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}


REMEMBERED = 64  # tables and constants, of the buckets seen last


class Table(NamedTuple):
    """What is on the device for a bucket."""

    rows: Tensor  # (tensors, COLUMNS), int64: addresses, sizes, places
    blocks: Tensor  # (tensor, block within it) for each program, int32
    scalars: Tensor  # (tensors, SCALARS), fp32: written by `advance`
    keys: Tensor  # of the random bits
    aligned: bool


class DeviceUpdate:
    """Updates buckets, and keeps the tables of those it has seen on the device.

    A captured graph goes on reading its table, so the tables of capturable steps are kept for good.
    """

    def __init__(self) -> None:
        self._tables: OrderedDict[tuple[int, ...], Table] = OrderedDict()
        self._captured: dict[tuple[int, ...], Table] = {}
        self._constants: OrderedDict[tuple[Any, ...], Tensor] = OrderedDict()

    def __call__(
        self,
        bucket: Bucket,
        group: Mapping[str, Any],
        since: int,
        steps: list[Tensor],
        grad_scale: Tensor | None = None,
        found_inf: Tensor | None = None,
    ) -> None:
        """One AdEMAMix update of every tensor of the bucket, in place.

        Args:
            bucket: tensors on one device. Where its step is below 0, it is counted there, in `steps`.
            group: the parameter group, with its options.
            since: the step from which the schedules count.
            steps: a scalar for each tensor.
            grad_scale: divides the gradients; with `found_inf`, as torch's fused optimizers take them.
            found_inf: where not 0, nothing is changed.
        """
        on_device = bucket.step < 0
        table = self._table(bucket, steps, on_device)
        if not table.blocks.numel():
            return
        device = table.rows.device
        scaled = found_inf is not None
        one = torch.ones((), device=device) if scaled and grad_scale is None else grad_scale
        lr = group["lr"]
        if isinstance(lr, Tensor) and lr.device != device:
            lr = float(lr)
        with torch.cuda.device_of(table.rows):
            advance[(len(bucket.p),)](
                table.rows, self._constant(group, device), lr, table.scalars, table.keys, found_inf, since,
                bucket.step, on_device=on_device, tensor_lr=isinstance(lr, Tensor), scaled=scaled,
                beta1_zero=group["betas"][0] == 0,
            )  # fmt: skip
            update[(table.blocks.numel() // 2,)](
                table.rows, table.blocks, table.scalars, table.keys, one, found_inf,
                p_type=TYPES[bucket.p[0].dtype], s_type=TYPES[bucket.m2[0].dtype],
                has_m1=bucket.m1 is not None, has_master=bucket.master is not None,
                maximize=group["maximize"], scaled=scaled, aligned=table.aligned, block=BLOCK,
            )  # fmt: skip

    def _table(self, bucket: Bucket, steps: list[Tensor], on_device: bool) -> Table:
        """The bucket's table, made where it or an address in it is new."""
        nothing = [0] * len(bucket.p)
        lists = (bucket.p, bucket.g, bucket.m1, bucket.m2, bucket.nu, bucket.master)
        columns = [nothing if ts is None else [x.data_ptr() for x in ts] for ts in lists]
        columns.append([x.data_ptr() for x in steps] if on_device else nothing)
        numels = [x.numel() for x in bucket.p]
        signature = tuple(chain(*columns, numels, bucket.places))
        known = self._captured if on_device else self._tables
        if signature not in known:
            if bucket.p[0].is_cuda and torch.cuda.is_current_stream_capturing():
                raise RuntimeError(
                    "capturing AdEMAMix: a tensor is new. Make a step before capturing, and capture steps "
                    "alone, with gradients that stay in place (zero_grad(set_to_none=False))"
                )
            known[signature] = _make_table(columns, numels, bucket)
        if not on_device:
            _keep_recent(self._tables, signature)
        return known[signature]

    def _constant(self, group: Mapping[str, Any], device: torch.device) -> Tensor:
        """The options that do not change, as doubles: Triton's own number arguments are fp32."""
        values = (
            *group["betas"], group["alpha"], group["alpha_warmup"] or 0, group["beta3_warmup"] or 0,
            group["eps"], group["weight_decay"], 1, group["seed"] & 0xFFFFFFFF,
        )  # fmt: skip
        if (device, *values) not in self._constants:
            self._constants[device, *values] = torch.tensor(values, dtype=torch.float64, device=device)
        if not group["capturable"]:
            _keep_recent(self._constants, (device, *values))
        return self._constants[device, *values]


def _keep_recent(cache: "OrderedDict[Any, Any]", key: tuple[Any, ...]) -> None:
    cache.move_to_end(key)
    while len(cache) > REMEMBERED:
        cache.popitem(last=False)


def _make_table(columns: list[list[int]], numels: list[int], bucket: Bucket) -> Table:
    device = bucket.p[0].device
    rows = torch.tensor([*columns, numels, bucket.places], dtype=torch.int64).t().contiguous()
    spans = [(i, j) for i, n in enumerate(numels) for j in range(triton.cdiv(n, BLOCK))]
    return Table(
        rows=rows.to(device),
        blocks=torch.tensor(spans, dtype=torch.int32).flatten().to(device),
        scalars=torch.empty(len(numels), SCALARS.value, device=device),
        keys=torch.empty(len(numels), dtype=torch.int64, device=device),
        aligned=all(word % 16 == 0 for word in chain(*columns[:6], numels)),
    )
