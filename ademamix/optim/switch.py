"""Switching between AdamW and AdEMAMix in the middle of a training (Figures 5, 11 and 26)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ademamix.optim.state import FAST, MASTER, SLOW, SQUARE

State = Mapping[str, Any]  # of one parameter


def to_ademamix(state: State, beta1: float) -> dict[str, Any]:
    """AdamW's state of a parameter as AdEMAMix's, or AdEMAMix's own.

    m1, ν and the step count are kept; m2 starts at 0, and the schedules of α and β3 count from here.

    Raises:
        ValueError: the state has no m1 and β1 > 0.
    """
    new = {SQUARE: state[SQUARE], "step": state["step"]}
    if beta1 > 0:
        new[FAST] = _fast(state)
    if SLOW in state:
        return {**new, SLOW: state[SLOW], "schedule_start": state["schedule_start"]}
    return {**new, SLOW: torch.zeros_like(state[SQUARE]), "schedule_start": int(state["step"])}


def to_adamw(state: State, beta1: float) -> dict[str, Any]:
    """AdEMAMix's state of a parameter as AdamW's, or AdamW's own, copied: m2 is dropped.

    Raises:
        ValueError: the state has no m1 and β1 > 0.
    """
    # With β1 = 0, AdamW writes the gradient over its m1 before it reads it.
    fast = _fast(state).clone() if beta1 > 0 else torch.zeros_like(state[SQUARE])
    return {"step": state["step"].clone(), FAST: fast, SQUARE: state[SQUARE].clone()}


def _fast(state: State) -> Tensor:
    if FAST not in state:
        raise ValueError("a run with beta1 = 0 keeps no m1, so it cannot go on with beta1 > 0")
    fast: Tensor = state[FAST]
    return fast


def carry_over(state: Mapping[Any, State], optimizer: Optimizer) -> None:
    """Load a trunk's per-parameter state into a branch's new `optimizer`, whichever the two are.

    The groups' hyperparameters stay the branch's own.
    """
    whole = optimizer.state_dict()
    whole["state"] = {
        index: (to_ademamix if len(group["betas"]) == 3 else to_adamw)(state[index], group["betas"][0])
        for group in whole["param_groups"]
        for index in group["params"]
        if index in state
    }
    optimizer.load_state_dict(whole)


KEPT = ("lr", "betas", "eps", "weight_decay", "maximize", "capturable")  # of each group
# Whatever else groups hold stays: options that both have, and what schedulers and users put there.
ADAMW_ONLY = ("amsgrad", "foreach", "fused", "differentiable", "decoupled_weight_decay")
ADEMAMIX_ONLY = ("alpha", "alpha_warmup", "beta3_warmup", "state_dtype", "master_weights", "seed")


def groups_of_adamw(optimizer: Optimizer, beta3: float) -> list[dict[str, Any]]:
    """The parameter groups of a torch AdamW as AdEMAMix's, with β3 added.

    Raises:
        TypeError: it is not an AdamW.
        ValueError: it is one that keeps something else than m1 and ν.
    """
    # AdamW became a kind of Adam with torch 2.7.
    if not isinstance(optimizer, torch.optim.Adam | torch.optim.AdamW):
        raise TypeError(f"from_adamw takes a torch.optim.AdamW, got {type(optimizer).__name__}")
    decoupled = isinstance(optimizer, torch.optim.AdamW)
    found = []
    for group in optimizer.param_groups:
        if group["amsgrad"]:
            raise ValueError("from_adamw: amsgrad divides by the largest ν so far, which AdEMAMix does not")
        if group["weight_decay"] and not group.get("decoupled_weight_decay", decoupled):
            raise ValueError("from_adamw: Adam's weight decay is not decoupled; use torch.optim.AdamW")
        kept = {name: value for name, value in group.items() if name not in (*ADAMW_ONLY, "betas")}
        beta1, beta2 = (float(beta) for beta in group["betas"])
        found.append({**kept, "params": list(group["params"]), "betas": (beta1, beta2, beta3)})
    return found


def groups_of_ademamix(optimizer: Optimizer) -> list[dict[str, Any]]:
    """The parameter groups of an AdEMAMix as torch AdamW's.

    Raises:
        ValueError: it has master weights, which AdamW knows nothing of.
    """
    if any(MASTER in state for state in optimizer.state.values()):
        raise ValueError("to_adamw: torch's AdamW keeps no master weights")
    return [
        {
            **{name: value for name, value in group.items() if name not in ADEMAMIX_ONLY},
            "params": list(group["params"]),
            "betas": group["betas"][:2],
        }
        for group in optimizer.param_groups
    ]


def kept_defaults(optimizer: Optimizer) -> dict[str, Any]:
    """The defaults that a switch keeps for groups added later, but for the betas."""
    return {name: optimizer.defaults[name] for name in KEPT if name != "betas"}


def refuse_kept(method: str, options: Mapping[str, Any]) -> None:
    """Raise TypeError for an option that a switch takes from the groups, where it would be without effect."""
    for name in KEPT:
        if name in options:
            raise TypeError(f"{method} keeps each group's {name}; change it in param_groups afterwards")
