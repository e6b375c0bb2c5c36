"""The paper's other optimizers: AdamW with a growing β1, the convex form of AdEMAMix, a third EMA."""

from collections.abc import Callable
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT

from ademamix.optim.ademamix import AdEMAMix
from ademamix.optim.scalars import Scalars, scalars_at
from ademamix.optim.schedules import alpha_at, beta3_at, convex_weights


class RampedAdamW(torch.optim.AdamW):
    """AdamW whose β1 grows with the schedule of AdEMAMix's β3 (Figures 19b and 20b).

    Args:
        params: as torch.optim.AdamW, and so are the other options.
        betas: (β1 at the end, β2).
        beta1_start: β1 before the first step. Default 0.9.
        beta1_warmup: T_β1 in steps, ≥ 1, counted from the first step of this optimizer.
        options: of torch.optim.AdamW.
    """

    def __init__(
        self,
        params: ParamsT,
        betas: tuple[float, float],
        beta1_warmup: int,
        beta1_start: float = 0.9,
        **options: Any,
    ) -> None:
        super().__init__(params, betas=betas, **options)
        for group in self.param_groups:
            group |= {
                "beta1_start": beta1_start,
                "beta1_end": betas[0],
                "beta1_warmup": beta1_warmup,
                "steps": 0,
            }

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of AdamW with β1(t)."""
        for group in self.param_groups:
            group["steps"] += 1
            beta1 = beta3_at(group["steps"], group["beta1_end"], group["beta1_start"], group["beta1_warmup"])
            group["betas"] = (beta1, group["betas"][1])
        return super().step(closure)

    def scheduled(self) -> dict[str, float]:
        """β1(t) of the last update."""
        return {"beta1": self.param_groups[0]["betas"][0]}


class ConvexAdEMAMix(AdEMAMix):
    """AdEMAMix with the step (1 − α)·m̂1 + α·m2, α in [0, 1) (Figure 24b).

    The same update as AdEMAMix's at every t, with lr·(1 − α), α/(1 − α) and λ/(1 − α) in place of lr, α and
    λ. Takes AdEMAMix's arguments; on CUDA it is made with foreach.
    """

    def __init__(self, params: ParamsT, *, alpha: float, **options: Any) -> None:
        if not 0 <= alpha < 1:
            raise ValueError(f"alpha must be in [0, 1), got {alpha}")
        super().__init__(params, alpha=alpha, **options)
        if self.implementation == "triton":  # which computes its scalars on the device
            self._asked = "foreach"

    def scalars(self, group: dict[str, Any], t: int, since: int) -> Scalars:
        s = scalars_at(group, t, since)
        lr, alpha, weight_decay = convex_weights(s.lr, s.alpha, s.weight_decay)
        return s._replace(lr=lr, alpha=alpha, weight_decay=weight_decay)


class Ad3EMAMix(Optimizer):
    """AdEMAMix with a third EMA: the step is m̂1 + α·(m2 + m3) (Figure 33).

        m3 ← β4(t)·m3 + (1−β4(t))·g, and the rest as in AdEMAMix

    Args:
        params: parameters or groups.
        lr: η.
        betas: (β1, β2, β3, β4).
        alpha: α, which both slow EMAs share.
        eps: ε. Default 1e-8.
        weight_decay: decoupled λ. Default 0.
        alpha_warmup: T_α in steps; None: none.
        beta3_warmup: T_β3 in steps, for β3 and β4 alike; None: none.

    State, per parameter: `step`, `exp_avg`, `exp_avg_slow`, `exp_avg_slower`, `exp_avg_sq`, in the
    parameter's dtype: it is meant for fp32 parameters.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float,
        betas: tuple[float, float, float, float],
        alpha: float,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        alpha_warmup: int | None = None,
        beta3_warmup: int | None = None,
    ) -> None:
        options = {"lr": lr, "betas": betas, "alpha": alpha, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**options, "alpha_warmup": alpha_warmup, "beta3_warmup": beta3_warmup})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, p.grad, group)
        return loss

    def scheduled(self) -> dict[str, float]:
        """α(t), β3(t) and β4(t) of the last update; empty before the first."""
        group = self.param_groups[0]
        if not (state := self.state.get(group["params"][0])):
            return {}
        t = int(state["step"])
        beta1, _, *slow = group["betas"]
        beta3, beta4 = (beta3_at(t, beta, beta1, group["beta3_warmup"]) for beta in slow)
        return {"alpha": alpha_at(t, group["alpha"], group["alpha_warmup"]), "beta3": beta3, "beta4": beta4}

    def _update(self, p: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["step"] = torch.zeros(())
            for name in ("exp_avg", "exp_avg_slow", "exp_avg_slower", "exp_avg_sq"):
                state[name] = torch.zeros_like(p)
        state["step"] += 1
        t = int(state["step"])
        beta1, beta2, *slow = group["betas"]
        beta3, beta4 = (beta3_at(t, beta, beta1, group["beta3_warmup"]) for beta in slow)
        alpha = alpha_at(t, group["alpha"], group["alpha_warmup"])
        fast = state["exp_avg"].lerp_(g, 1 - beta1)
        slow_sum = state["exp_avg_slow"].lerp_(g, 1 - beta3) + state["exp_avg_slower"].lerp_(g, 1 - beta4)
        nu = state["exp_avg_sq"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
        root = (nu / (1 - beta2**t)).sqrt_().add_(group["eps"])
        step = slow_sum.mul_(alpha).add_(fast, alpha=1 / (1 - beta1**t)).div_(root)
        p.sub_(step.add_(p, alpha=group["weight_decay"]), alpha=group["lr"])
