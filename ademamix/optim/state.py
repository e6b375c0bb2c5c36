"""The optimizer's state of one parameter: its names, its dtypes, and other implementations' names for it."""

from typing import Any

import torch
from torch import Tensor

from ademamix.optim.bucket import working_dtype

# The first and last of the moments have torch AdamW's own names, so that a run can switch between the two.
FAST, SLOW, SQUARE = "exp_avg", "exp_avg_slow", "exp_avg_sq"
MASTER = "master"
MOMENTS = (FAST, SLOW, SQUARE)

EIGHT_BITS = "8-bit moments end with a higher loss: their errors are of the size of m2 itself"
REFUSED = {
    torch.float16: "float16 cannot hold ν, whose values span more than its exponents",
    torch.int8: EIGHT_BITS,
    torch.uint8: EIGHT_BITS,
}
KNOWN = (None, torch.float32, torch.float64, torch.bfloat16)


def check_state_dtype(dtype: torch.dtype | None) -> None:
    """Raise ValueError, with the reason, for moments in a dtype that is known to break."""
    if dtype not in KNOWN:
        reason = REFUSED.get(dtype, "not known to work") if dtype else ""
        raise ValueError(f"state_dtype {dtype}: {reason}; use float32, or bfloat16 (rounded stochastically)")


def moments_dtype(p: Tensor, asked: torch.dtype | None) -> torch.dtype:
    """What was asked for; otherwise fp32 whatever the parameter's dtype, or fp64 for fp64 ones."""
    return asked or working_dtype(p.dtype)


def fresh(p: Tensor, group: dict[str, Any]) -> dict[str, Any]:
    """The state before the first gradient of `p`."""
    on = p.device if group["capturable"] else torch.device("cpu")
    state: dict[str, Any] = {"step": torch.zeros((), dtype=torch.float32, device=on), "schedule_start": 0}
    dtype = moments_dtype(p, group["state_dtype"])
    for name in (SLOW, SQUARE) if group["betas"][0] == 0 else MOMENTS:
        state[name] = torch.zeros_like(p, dtype=dtype, memory_format=torch.preserve_format)
    return state


def complete(p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    """Add the master that the options ask for, also to a state that came from elsewhere.

    Raises:
        RuntimeError: the parameter or its state cannot be updated.
    """
    if torch.is_complex(p):
        raise RuntimeError("AdEMAMix does not support complex parameters; use view_as_real")
    for name in MOMENTS:
        if name in state and state[name].shape != p.shape:
            shapes = f"{tuple(state[name].shape)}, its parameter {tuple(p.shape)}"
            raise RuntimeError(f"{name} has the shape {shapes}: the state belongs to another model")
    if state[SLOW].dtype == torch.float64 and p.dtype != torch.float64:
        raise RuntimeError(f"state_dtype float64 is for float64 parameters, and this one is {p.dtype}")
    if p.dtype in (torch.bfloat16, torch.float16) and group["master_weights"] and MASTER not in state:
        state[MASTER] = p.detach().float()
    if p.dtype == torch.float16 and MASTER not in state:
        raise RuntimeError("float16 parameters lose small updates; use master_weights=True, or bfloat16 ones")


def laid_out_as(p: Tensor, value: Tensor) -> Tensor:
    """`value` with the memory layout of `p`, which kernels need; as it is where it cannot have it."""
    if value.shape != p.shape or value.stride() == p.stride():
        return value
    return torch.empty_like(p, dtype=value.dtype).copy_(value)


def from_apple(state_dict: dict[str, Any]) -> dict[str, Any]:
    """The state dict of Apple's implementation (apple/ml-ademamix) in our names; any other as it is.

    Its `exp_avg_fast` is our `exp_avg` (and None where β1 = 0), its `step` a plain number; the groups'
    options have the same names.
    """
    if not any("exp_avg_fast" in of_one for of_one in state_dict["state"].values()):
        return state_dict
    converted = {}
    for index, theirs in state_dict["state"].items():
        ours = {SLOW: theirs["exp_avg_slow"], SQUARE: theirs["exp_avg_sq"], "schedule_start": 0}
        ours["step"] = torch.tensor(float(theirs["step"]))
        if theirs["exp_avg_fast"] is not None:
            ours[FAST] = theirs["exp_avg_fast"]
        converted[index] = ours
    return {**state_dict, "state": converted}


def refuse_others(state_dict: dict[str, Any]) -> None:
    """Raise ValueError for the state dict of another optimizer, such as AdamW's."""
    slow = all(SLOW in of_one for of_one in state_dict["state"].values() if of_one)
    groups = state_dict["param_groups"]
    if not slow or any(len(group.get("betas", (0, 0, 0))) == 2 for group in groups):
        raise ValueError(
            "this is the state of another optimizer, such as AdamW: load it into that one, and go on from it "
            "with AdEMAMix.from_adamw"
        )
