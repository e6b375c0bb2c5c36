"""Every number of one update, from a group's options and the step."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ademamix.optim.schedules import alpha_at, beta3_at


class Scalars(NamedTuple):
    """Every number that update t needs, in double precision; the tensors hold the rest."""

    lr: float
    beta1: float
    beta2: float
    beta3: float  # β3(t)
    alpha: float  # α(t)
    eps: float
    weight_decay: float
    step: int  # t, counted per parameter, from 1
    maximize: bool = False


def scalars_at(group: Mapping[str, Any], t: int, since: int) -> Scalars:
    """Of update t of a parameter group, whose schedules of α and β3 count from step `since`."""
    beta1, beta2, beta3 = group["betas"]
    return Scalars(
        lr=float(group["lr"]),
        beta1=beta1,
        beta2=beta2,
        beta3=beta3_at(t - since, beta3, beta1, group["beta3_warmup"]),
        alpha=alpha_at(t - since, group["alpha"], group["alpha_warmup"]),
        eps=group["eps"],
        weight_decay=group["weight_decay"],
        step=t,
        maximize=group["maximize"],
    )
