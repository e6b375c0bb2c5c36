"""What options may be: refused when an optimizer is made, by name, rather than at its first step."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from numbers import Real
from typing import Any

from torch import Tensor

from ademamix.optim.state import check_state_dtype

NOT_OF_GROUPS = ("implementation",)


def check_options(options: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the option, where one is of a wrong kind or out of range."""
    for name in ("lr", "alpha", "weight_decay"):
        if not _is_number(options[name]) or not options[name] >= 0:
            raise ValueError(f"{name} must be ≥ 0, got {options[name]!r}")
    if not _is_number(options["eps"]) or not options["eps"] > 0:
        raise ValueError(f"eps must be > 0, got {options['eps']!r}")
    _check_betas(options["betas"])
    for name in ("alpha_warmup", "beta3_warmup"):
        if options[name] is not None and not _is_count(options[name]):
            raise ValueError(
                f"{name} must be a whole number of steps ≥ 1, or None for none, got {options[name]!r}"
            )
    check_state_dtype(options["state_dtype"])


def _check_betas(betas: Any) -> None:
    if not isinstance(betas, Sequence) or len(betas) != 3 or not all(map(_is_number, betas)):
        raise ValueError(f"betas must be (β1, β2, β3), got {betas!r}")
    for i, beta in enumerate(betas, start=1):
        if not 0 <= beta < 1:
            raise ValueError(f"β{i} must be in [0, 1), got {beta}")
    if betas[2] < betas[0]:
        raise ValueError(f"β3 must not be below β1: the slow EMA would be the faster one, got {betas!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | Tensor)


def _is_count(value: Any) -> bool:
    return isinstance(value, Real) and float(value) >= 1 and float(value).is_integer()


def refuse_misspelt(group: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Raise ValueError for a key of a group that is nearly an option, or one of the whole optimizer.

    Other unknown keys are somebody's own: schedulers and users keep notes in groups.
    """
    for key in group.keys() - known.keys() - {"params"}:
        if key in NOT_OF_GROUPS:
            raise ValueError(f"{key} is an option of the whole optimizer, not of a group")
        near = [name for name in get_close_matches(key, known, cutoff=0.8) if abs(len(name) - len(key)) <= 2]
        if near:
            raise ValueError(f"unknown option '{key}' of a group (did you mean '{near[0]}'?)")
