"""Which implementation makes the update: chosen for a device, or asked for by name."""

import functools
import warnings
from collections.abc import Callable
from importlib.util import find_spec

import torch
from torch import Tensor

from ademamix.optim import foreach, reference
from ademamix.optim.bucket import Bucket, dense
from ademamix.optim.kernels import c
from ademamix.optim.kernels.compile import Unavailable, library
from ademamix.optim.scalars import Scalars

NAMES = ("auto", "c", "foreach", "triton", "reference")
Update = Callable[[Bucket, Scalars], None]
UPDATES: dict[str, Update] = {
    "c": c.update,
    "foreach": foreach.update,
    "reference": reference.update,
}


def choose(asked: str, device: torch.device) -> str:
    """The implementation in use on `device` when `asked` was asked for.

    'auto' is the C kernel on a CPU, the Triton kernel on CUDA, and foreach where there is neither.

    Raises:
        RuntimeError: one that was asked for by name cannot be used; says why.
    """
    if asked in ("foreach", "reference"):
        return asked
    if asked == "auto":
        if device.type == "cpu":
            return "c" if c_kernel() else "foreach"
        return "triton" if device.type == "cuda" and find_spec("triton") else "foreach"
    if asked == "c":
        if device.type != "cpu":
            raise RuntimeError(f"implementation='c' is for CPUs, and a parameter is on {device}")
        c.required()
    if asked == "triton":
        if not find_spec("triton"):
            raise RuntimeError("implementation='triton' cannot be used: triton is not installed")
        if device.type != "cuda" and not (device.type == "cpu" and interpreted()):
            raise RuntimeError(f"implementation='triton' is for CUDA, and a parameter is on {device}")
    return asked


KERNEL_DTYPES = (torch.float32, torch.bfloat16)


def kernel_takes(p: Tensor, moments: list[Tensor], master: Tensor | None) -> bool:
    """Whether a kernel can update this parameter: dtypes, devices, and one layout without holes."""
    stored = [p, *moments, *([] if master is None else [master])]
    return (
        p.dtype in KERNEL_DTYPES
        and moments[0].dtype in KERNEL_DTYPES
        and all(m.dtype == moments[0].dtype for m in moments)
        and (master is None or master.dtype == torch.float32)
        and all(t.device == p.device and t.shape == p.shape for t in stored)
        and dense(stored)
    )


def kernel_updates(p: Tensor, moments: torch.dtype) -> bool:
    """Whether a kernel takes a parameter whose moments are laid out as it is, in the dtype `moments`."""
    return p.dtype in KERNEL_DTYPES and moments in KERNEL_DTYPES and dense([p])


def interpreted() -> bool:
    """Whether Triton interprets its kernels, which then run on CPU tensors (TRITON_INTERPRET=1)."""
    import triton

    return bool(triton.knobs.runtime.interpret)


@functools.cache
def c_kernel() -> bool:
    """Whether there is a C kernel. Warns, once, when there is a compiler and it failed."""
    lib = library()
    if isinstance(lib, Unavailable) and lib.failed:
        warnings.warn(
            f"AdEMAMix falls back to implementation='foreach', which is slower: {lib}", stacklevel=2
        )
    return not isinstance(lib, Unavailable)
