"""The C kernel, called through ctypes: one pass over memory, no temporaries, torch's number of threads."""

import ctypes
from itertools import chain

import torch
from torch import Tensor

from ademamix.optim.bucket import Bucket
from ademamix.optim.kernels.compile import Unavailable, library
from ademamix.optim.scalars import Scalars

FEW = 16_384  # elements for each thread below which waking another costs more than it saves


class CScalars(ctypes.Structure):
    """`Scalars` of ademamix.c."""

    _fields_ = (
        *((name, ctypes.c_double) for name in Scalars._fields[:7]),
        ("step", ctypes.c_int64),
        ("maximize", ctypes.c_int32),
    )


def required() -> ctypes.CDLL:
    """The library.

    Raises:
        RuntimeError: there is none, and why.
    """
    lib = library()
    if isinstance(lib, Unavailable):
        raise RuntimeError(f"implementation='c' cannot be used: {lib}")
    return lib


def update(bucket: Bucket, s: Scalars) -> None:
    """One AdEMAMix update of every tensor of the bucket, in place.

    Raises:
        RuntimeError: there is no library.
    """
    lib = required()
    count = len(bucket.p)
    nothing = [0] * count
    # Eight words for each tensor, as `Tensor` of ademamix.c.
    words = zip(
        _addresses(bucket.p),
        _addresses(bucket.g),
        nothing if bucket.m1 is None else _addresses(bucket.m1),
        _addresses(bucket.m2),
        _addresses(bucket.nu),
        nothing if bucket.master is None else _addresses(bucket.master),
        numels := [p.numel() for p in bucket.p],
        [key or 0 for key in bucket.random_keys()],
        strict=True,
    )
    table = (ctypes.c_uint64 * (8 * count))(*chain.from_iterable(words))
    low = torch.bfloat16
    threads = min(torch.get_num_threads(), 1 + sum(numels) // FEW)
    lib.ademamix_update(
        table,
        ctypes.c_int64(count),
        ctypes.byref(CScalars(*s)),
        bucket.p[0].dtype == low,
        bucket.m2[0].dtype == low,
        threads,
    )


def _addresses(tensors: list[Tensor]) -> list[int]:
    return [t.data_ptr() for t in tensors]
