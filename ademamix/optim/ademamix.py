"""The `AdEMAMix` optimizer."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT

from ademamix.optim import foreach as foreach_update
from ademamix.optim import reference
from ademamix.optim.reference import Scalars
from ademamix.optim.schedules import alpha_at, beta3_at

# The state keys that hold tensors of the parameter's shape. The first and last are torch AdamW's own
# names, so that a run can switch between the two optimizers.
FAST, SLOW, SQUARE = "exp_avg", "exp_avg_slow", "exp_avg_sq"


class AdEMAMix(Optimizer):
    """AdEMAMix, Algorithm 1 of arXiv 2409.03137: AdamW plus a slow EMA of the gradients.

        m1 ← β1·m1 + (1−β1)·g          m2 ← β3(t)·m2 + (1−β3(t))·g          ν ← β2·ν + (1−β2)·g²
        θ ← θ − lr·[ (m1/(1−β1^t) + α(t)·m2) / (√(ν/(1−β2^t)) + ε) + λ·θ ]

    The defaults are those of the authors' published code (apple/ml-ademamix); the listing in the
    paper has alpha 5.0. The paper's language models use alpha 8 (5 at 1.3B), weight decay 0.1, and
    both warm-ups equal to the length of the training; without warm-ups a large alpha can diverge
    early (Figures 14 and 27).

    Args:
        params: parameters, named parameters, or dicts of parameter groups; every option below can be
            set per group.
        lr: learning rate η, ≥ 0. Default 1e-3.
        betas: (β1, β2, β3), each in [0, 1). Default (0.9, 0.999, 0.9999). With β1 = 0 no m1 is stored
            and the memory equals AdamW's.
        alpha: weight α ≥ 0 of the slow EMA. Default 2.0. With 0 the update is AdamW's.
        eps: ε > 0, added to the root. Default 1e-8.
        weight_decay: decoupled weight decay λ ≥ 0. Default 0.
        alpha_warmup: T_α in steps (≥ 1): α(t) grows linearly to `alpha`. Default None: no warm-up.
        beta3_warmup: T_β3 in steps (≥ 1): the half-life of β3(t) grows linearly from that of β1 to
            that of β3. Default None: no warm-up.
        maximize: ascend instead of descend. Default False.
        foreach: True for lists of tensors per launch, False for one tensor at a time in the paper's
            own order. Default None: lists, which is faster everywhere.

    State, per parameter: `step` (float32 scalar tensor on the CPU), `schedule_start` (the step from
    which the schedules count; 0 unless the run switched from AdamW), `exp_avg` (m1; absent when
    β1 = 0), `exp_avg_slow` (m2) and `exp_avg_sq` (ν) in fp32, or in fp64 for fp64 parameters. The
    step is counted per parameter: one whose gradient comes late starts at t = 1.

    Raises:
        ValueError: an option is out of range.
        RuntimeError: at `step`, for a complex parameter or a sparse gradient.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: tuple[float, float, float] = (0.9, 0.999, 0.9999),
        alpha: float = 2.0,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        alpha_warmup: int | None = None,
        beta3_warmup: int | None = None,
        maximize: bool = False,
        foreach: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "alpha_warmup": alpha_warmup,
            "beta3_warmup": beta3_warmup,
            "maximize": maximize,
            "foreach": foreach,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group; its options are checked as the constructor's are."""
        check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state dict; moments keep their precision and move to each parameter's device.

        Nothing is shared with `state_dict` afterwards.

        Torch's own loading casts floating-point state to the parameter's dtype, which would round
        the moments of bf16 parameters; they are put back as they were saved.
        """
        super().load_state_dict(state_dict)
        saved = [i for group in state_dict["param_groups"] for i in group["params"]]
        params = [p for group in self.param_groups for p in group["params"]]
        for index, p in zip(saved, params, strict=True):
            if not (own := self.state.get(p)):
                continue
            whole = state_dict["state"][index]
            own["step"] = whole["step"].detach().cpu().clone()  # a step on a GPU would have to be awaited
            for name in (FAST, SLOW, SQUARE):
                if name in own:
                    own[name] = whole[name].detach().clone().to(p.device, state_dtype(p))

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Make one update of every parameter that has a gradient.

        Args:
            closure: re-evaluates the model and returns the loss, which is returned in turn.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            for p in params:
                self._prepare(p, group)
            for (t, since, _, _), same in self._alike(params).items():
                self._update(same, group, t, since)
        return loss

    def _prepare(self, p: Tensor, group: dict[str, Any]) -> None:
        """Refuse what cannot be updated; create the state at the first gradient."""
        assert p.grad is not None
        if p.grad.is_sparse:
            raise RuntimeError("AdEMAMix does not support sparse gradients; use dense ones")
        if torch.is_complex(p):
            raise RuntimeError("AdEMAMix does not support complex parameters; use view_as_real")
        state = self.state[p]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["schedule_start"] = 0
            names = (SLOW, SQUARE) if group["betas"][0] == 0 else (FAST, SLOW, SQUARE)
            for name in names:
                state[name] = torch.zeros_like(p, dtype=state_dtype(p), memory_format=torch.preserve_format)
        state["step"] += 1

    def _alike(
        self, params: Iterable[Tensor]
    ) -> dict[tuple[int, int, torch.device, torch.dtype], list[Tensor]]:
        """Parameters by (step, start of the schedules, device, dtype): those that share all scalars."""
        alike = defaultdict(list)
        for p in params:
            state = self.state[p]
            alike[int(state["step"]), state["schedule_start"], p.device, p.dtype].append(p)
        return alike

    def _update(self, params: list[Tensor], group: dict[str, Any], t: int, since: int) -> None:
        beta1, beta2, beta3 = group["betas"]
        scalars = Scalars(
            lr=float(group["lr"]),
            beta1=beta1,
            beta2=beta2,
            beta3=beta3_at(t - since, beta3, beta1, group["beta3_warmup"]),
            alpha=alpha_at(t - since, group["alpha"], group["alpha_warmup"]),
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            step=t,
        )
        dtype = state_dtype(params[0])
        gs = [p.grad.to(dtype) for p in params if p.grad is not None]
        if group["maximize"]:
            gs = list(torch._foreach_neg(gs))
        # Low-precision parameters are updated in fp32 and rounded once, on the way back.
        thetas = [p.to(dtype) for p in params]
        states = [self.state[p] for p in params]
        m1s = None if beta1 == 0 else [s[FAST] for s in states]
        m2s = [s[SLOW] for s in states]
        nus = [s[SQUARE] for s in states]
        if group["foreach"] is False:
            for i, theta in enumerate(thetas):
                m1 = None if m1s is None else m1s[i]
                reference.update(theta, gs[i], m1, m2s[i], nus[i], scalars)
        else:
            foreach_update.update(thetas, gs, m1s, m2s, nus, scalars)
        for p, theta in zip(params, thetas, strict=True):
            if theta is not p:
                p.copy_(theta)


def state_dtype(p: Tensor) -> torch.dtype:
    """fp32 for every parameter but fp64: in bf16 the decay of m2 by β3 = 0.9999 rounds away."""
    return torch.float64 if p.dtype == torch.float64 else torch.float32


def check_options(options: dict[str, Any]) -> None:
    """Raise ValueError, naming the option, where one is out of range."""
    if not options["lr"] >= 0:
        raise ValueError(f"lr must be ≥ 0, got {options['lr']}")
    if len(options["betas"]) != 3:
        raise ValueError(f"betas must be (β1, β2, β3), got {options['betas']}")
    for i, beta in enumerate(options["betas"], start=1):
        if not 0 <= beta < 1:
            raise ValueError(f"β{i} must be in [0, 1), got {beta}")
    for name in ("alpha", "weight_decay"):
        if not options[name] >= 0:
            raise ValueError(f"{name} must be ≥ 0, got {options[name]}")
    if not options["eps"] > 0:
        raise ValueError(f"eps must be > 0, got {options['eps']}")
    for name in ("alpha_warmup", "beta3_warmup"):
        if options[name] is not None and not options[name] >= 1:
            raise ValueError(f"{name} must be ≥ 1 step, or None for none, got {options[name]}")
