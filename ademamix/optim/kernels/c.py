"""The C kernel, called through ctypes: one pass over memory, no temporaries, torch's number of threads."""

import ctypes
from collections.abc import Iterable
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


class Table:
    """What the kernel is told of the tensors of a bucket, but for their gradients.

    Raises:
        RuntimeError: there is no library.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.lib = required()
        self.count = len(bucket.p)
        nothing = [0] * self.count
        # Seven words for each tensor, as `Tensor` of ademamix.c.
        words = zip(
            addresses(bucket.p),
            nothing if bucket.m1 is None else addresses(bucket.m1),
            addresses(bucket.m2),
            addresses(bucket.nu),
            nothing if bucket.master is None else addresses(bucket.master),
            numels := [p.numel() for p in bucket.p],
            [key or 0 for key in bucket.random_keys()],
            strict=True,
        )
        self._words = (ctypes.c_uint64 * (7 * self.count))(*chain.from_iterable(words))
        self._low = tuple(tensors[0].dtype == torch.bfloat16 for tensors in (bucket.p, bucket.m2))
        self._threads = 1 + sum(numels) // FEW

    def update(self, gradients: list[int], s: Scalars) -> None:
        """One update, by gradients at these addresses."""
        self.lib.ademamix_update(
            self._words,
            (ctypes.c_uint64 * self.count)(*gradients),
            ctypes.c_int64(self.count),
            ctypes.byref(CScalars(*s)),
            *self._low,
            min(torch.get_num_threads(), self._threads),
        )


def update(bucket: Bucket, s: Scalars) -> None:
    """One AdEMAMix update of every tensor of the bucket, in place.

    Raises:
        RuntimeError: there is no library.
    """
    Table(bucket).update(addresses(bucket.g), s)


def addresses(tensors: Iterable[Tensor]) -> list[int]:
    """Where they begin in memory."""
    return [t.data_ptr() for t in tensors]
