"""The `AdEMAMix` optimizer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT

from ademamix.optim.bucket import Bucket
from ademamix.optim.implementations import NAMES, UPDATES, choose, kernel_updates
from ademamix.optim.options import check_options, refuse_misspelt
from ademamix.optim.prepared import Prepared
from ademamix.optim.scalars import Scalars, scalars_at
from ademamix.optim.slots import COUNTED_ON_DEVICE, Slot, alike, bucket
from ademamix.optim.state import (
    MASTER,
    MOMENTS,
    complete,
    fresh,
    from_apple,
    laid_out_as,
    moments_dtype,
    refuse_others,
)
from ademamix.optim.switch import carry_over, groups_of_adamw, groups_of_ademamix, kept_defaults, refuse_kept

if TYPE_CHECKING:
    from ademamix.optim.kernels.triton import DeviceUpdate


class AdEMAMix(Optimizer):
    """AdEMAMix, Algorithm 1 of arXiv 2409.03137: AdamW plus a slow EMA of the gradients.

        m1 ← β1·m1 + (1−β1)·g          m2 ← β3(t)·m2 + (1−β3(t))·g          ν ← β2·ν + (1−β2)·g²
        θ ← θ − lr·[ (m1/(1−β1^t) + α(t)·m2) / (√(ν/(1−β2^t)) + ε) + λ·θ ]

    The defaults are those of the authors' published code (apple/ml-ademamix); the listing in the
    paper has alpha 5.0. The paper's language models use alpha 8 (5 at 1.3B), weight decay 0.1, and
    both warm-ups equal to the length of the training; without warm-ups a large alpha can diverge
    early (Figures 14 and 27).

    Args:
        params: parameters, named parameters, or dicts of parameter groups; every option below but
            `implementation` can be set per group.
        lr: learning rate η, ≥ 0. Default 1e-3. A tensor on the parameters' device when `capturable`.
        betas: (β1, β2, β3), each in [0, 1). Default (0.9, 0.999, 0.9999). With β1 = 0 no m1 is stored
            and the memory equals AdamW's.
        alpha: weight α ≥ 0 of the slow EMA. Default 2.0. With 0 the update is AdamW's.
        eps: ε > 0, added to the root. Default 1e-8.
        weight_decay: decoupled weight decay λ ≥ 0. Default 0.
        alpha_warmup: T_α in steps (≥ 1): α(t) grows linearly to `alpha`. Default None: no warm-up.
        beta3_warmup: T_β3 in steps (≥ 1): the half-life of β3(t) grows linearly from that of β1 to
            that of β3. Default None: no warm-up.
        maximize: ascend instead of descend. Default False.
        state_dtype: of the moments. Default None: fp32 (fp64 for fp64 parameters), whatever the
            parameters' dtype. torch.bfloat16 halves them; m2 and ν are then rounded stochastically.
        master_weights: keep an fp32 copy of bf16 and fp16 parameters and update that. Default False:
            bf16 parameters are updated in fp32 and rounded stochastically; fp16 ones are refused.
        seed: of the stochastic rounding. Default 0.
        capturable: keep the step on the device and wait for nothing, so that `step` can be captured in
            a CUDA graph. Needs the Triton kernel. Default False.
        implementation: "c" (one pass over memory, CPU), "triton" (the same, CUDA), "foreach" (lists of
            tensors, any device), "reference" (one tensor at a time, in the paper's own order). Default
            "auto": the fastest that the device and the machine have.

    State, per parameter: `step` (float32 scalar tensor, on the CPU unless `capturable`),
    `schedule_start` (the step from which the schedules count; 0 unless the run switched from AdamW),
    `exp_avg` (m1; absent when β1 = 0), `exp_avg_slow` (m2), `exp_avg_sq` (ν), and `master` where there
    is one. The step is counted per parameter: one whose gradient comes late starts at t = 1.

    Raises:
        ValueError: an option is out of range, or known to break.
        RuntimeError: at `step`, for a complex or fp16 parameter or a sparse gradient, or when the
            implementation that was asked for cannot be used.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float, float] = (0.9, 0.999, 0.9999),
        alpha: float = 2.0,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        alpha_warmup: int | None = None,
        beta3_warmup: int | None = None,
        maximize: bool = False,
        state_dtype: torch.dtype | None = None,
        master_weights: bool = False,
        seed: int = 0,
        capturable: bool = False,
        implementation: str = "auto",
    ) -> None:
        if implementation not in NAMES:
            raise ValueError(f"implementation must be one of {', '.join(NAMES)}, got '{implementation}'")
        self._asked = implementation
        self._device_update: DeviceUpdate | None = None
        self._slots: dict[int, Slot] = {}
        self._prepared: dict[int, Prepared] = {}  # by the number of the group
        defaults = {
            "lr": lr,
            "betas": betas,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "alpha_warmup": alpha_warmup,
            "beta3_warmup": beta3_warmup,
            "maximize": maximize,
            "state_dtype": state_dtype,
            "master_weights": master_weights,
            "seed": seed,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    @property
    def _step_supports_amp_scaling(self) -> bool:
        """Told to torch.amp's GradScaler: a step that waits for nothing unscales its gradients itself, and
        leaves itself out where one is not finite. Otherwise the scaler does both, as for any optimizer.
        """
        return all(group["capturable"] for group in self.param_groups)

    @property
    def implementation(self) -> str:
        """What makes the updates of the first parameter: 'c', 'triton', 'foreach' or 'reference'.

        Parameters that a kernel cannot take (fp64, holes in memory) go through foreach.
        """
        group = self.param_groups[0]
        p = group["params"][0]
        name = choose(self._asked, p.device)
        if name in ("c", "triton") and not kernel_updates(p, moments_dtype(p, group["state_dtype"])):
            return "foreach"
        return name

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group; its options are checked as the constructor's are."""
        refuse_misspelt(param_group, self.defaults)
        check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_asked": self._asked}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._device_update, self._slots, self._prepared = None, {}, {}
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state dict, this optimizer's or that of Apple's implementation.

        Moments keep their precision and move to each parameter's device; nothing is shared with
        `state_dict` afterwards. Options that it lacks take their defaults.

        Raises:
            ValueError: it is another optimizer's, or an option in it is out of range.
            RuntimeError: at the next `step`, when a moment has not its parameter's shape.
        """
        state_dict = from_apple(state_dict)
        refuse_others(state_dict)
        for group in state_dict["param_groups"]:
            check_options({**self.defaults, **group})
        # Torch casts what it loads to the parameter's dtype, which would round the moments of bf16
        # parameters: they are put back as they were saved, after its own hooks and before other people's.
        saved: dict[str, Any] = {}
        hooks = (
            self.register_load_state_dict_pre_hook(lambda _, found: saved.update(found)),
            self.register_load_state_dict_post_hook(lambda _: self._put_back(saved), prepend=True),
        )
        try:
            super().load_state_dict(state_dict)
        finally:
            for hook in hooks:
                hook.remove()

    def _put_back(self, saved: dict[str, Any]) -> None:
        """The tensors of a state dict that was loaded, copied, each in the dtype that it should have."""
        indices = [i for group in saved["param_groups"] for i in group["params"]]
        owners = [(p, group) for group in self.param_groups for p in group["params"]]
        for index, (p, group) in zip(indices, owners, strict=True):
            if not (own := self.state.get(p)):
                continue
            whole = saved["state"][index]
            # A step on a GPU would have to be waited for, unless nothing on the host reads it.
            at = p.device if group["capturable"] else torch.device("cpu")
            own["step"] = torch.as_tensor(whole["step"], dtype=torch.float32).detach().clone().to(at)
            for name in (*MOMENTS, MASTER):
                if name in own:
                    dtype = torch.float32 if name == MASTER else moments_dtype(p, group["state_dtype"])
                    own[name] = laid_out_as(p, whole[name].detach().to(p.device, dtype, copy=True))

    @classmethod
    def from_adamw(
        cls, optimizer: torch.optim.Optimizer, *, beta3: float = 0.9999, alpha: float = 2.0, **options: Any
    ) -> "AdEMAMix":
        """Go on with AdEMAMix where a torch AdamW is (paper, Figures 5b, 5c and 26).

        m1, ν, the step counts and the groups with their lr, (β1, β2), ε and weight decay are kept; m2
        starts at 0. A warm-up of α or β3 counts from here. The paper switches with a smaller α than
        from scratch (2 in place of 8 at 110M, 1 in place of 5 at 1.3B) and without warm-ups: longer
        ones only delay the gain.

        Args:
            optimizer: torch.optim.AdamW; it is not used any more afterwards. A scheduler of its learning
                rate has to be made again, for the new optimizer.
            beta3: β3. Default 0.9999.
            alpha: α. Default 2.0.
            options: further options of `AdEMAMix`, such as `alpha_warmup`, `state_dtype`, `implementation`.

        Raises:
            TypeError: `optimizer` is not an AdamW, or an option is one that the groups keep.
            ValueError: it uses amsgrad, or a weight decay that is not decoupled.
        """
        refuse_kept("from_adamw", options)
        groups = groups_of_adamw(optimizer, beta3)
        betas = (*optimizer.defaults["betas"], beta3)
        new = cls(groups, betas=betas, alpha=alpha, **kept_defaults(optimizer), **options)
        carry_over(optimizer.state_dict()["state"], new)
        return new

    def to_adamw(self, **options: Any) -> torch.optim.AdamW:
        """Go on with torch's AdamW from here: m2 is dropped, all the rest kept (Figure 11).

        The loss falls at first and then rises; the end lies between those of the two optimizers.

        Args:
            options: of torch.optim.AdamW, such as `fused=True`.

        Raises:
            TypeError: an option is one that the groups keep.
            ValueError: this optimizer has master weights.
        """
        refuse_kept("to_adamw", options)
        betas = self.defaults["betas"][:2]
        new = torch.optim.AdamW(groups_of_ademamix(self), betas=betas, **kept_defaults(self), **options)
        carry_over(self.state_dict()["state"], new)
        return new

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    # Never traced by torch.compile: the step number would be a constant of the graph.
    @torch._disable_dynamo  # type: ignore[attr-defined]
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
        place = 0  # among all parameters: what a parameter's random bits depend on
        for number, group in enumerate(self.param_groups):
            if self._as_before(number, group):
                place += len(group["params"])
                continue
            slots = [
                self._slot(p, group, place + i) for i, p in enumerate(group["params"]) if p.grad is not None
            ]
            place += len(group["params"])
            for (name, t, since, *_), same in alike(slots, group["capturable"]).items():
                if t != COUNTED_ON_DEVICE:
                    t += 1
                    for slot in same:
                        slot.step.fill_(t)
                together = bucket(same, group["seed"], t)
                if group["capturable"] and name != "triton":
                    raise RuntimeError(f"capturable=True needs the Triton kernel, and {name} is in use")
                if name == "triton":
                    self._update_on_device(together, group, since, [slot.step for slot in same])
                else:
                    UPDATES[name](together, self.scalars(group, t, since))
                if name == "c" and Prepared.fits(same, group["params"], together):
                    self._prepared[number] = Prepared(same, together, t)
            for slot in slots:
                slot.g = None
        return loss

    def _as_before(self, number: int, group: dict[str, Any]) -> bool:
        """Make the step of a group as the last one was made, if only gradients and options have changed."""
        prepared = self._prepared.pop(number, None)
        if prepared is None or group["capturable"]:
            return False
        gradients = prepared.gradients(group["params"], self.state)
        if gradients is None or not prepared.count():
            return False
        prepared.update(gradients, self.scalars(group, prepared.t, prepared.since))
        self._prepared[number] = prepared
        return True

    def scalars(self, group: dict[str, Any], t: int, since: int) -> Scalars:
        """Every number of update t of a group whose schedules count from step `since`."""
        return scalars_at(group, t, since)

    def scheduled(self) -> dict[str, float]:
        """α(t) and β3(t) of the last update, of the first parameter that had one; empty before the first.

        Where the step is counted on a device, this waits for it.
        """
        for group in self.param_groups:
            for p in group["params"]:
                if state := self.state.get(p):
                    s = scalars_at(group, int(state["step"]), state["schedule_start"])
                    return {"alpha": s.alpha, "beta3": s.beta3}
        return {}

    def _slot(self, p: Tensor, group: dict[str, Any], place: int) -> Slot:
        """A parameter with its gradient and its state, made at its first gradient."""
        if p.grad is not None and p.grad.is_sparse:
            raise RuntimeError("AdEMAMix does not support sparse gradients; use dense ones")
        state = self.state[p]
        slot = self._slots.get(place)
        if slot is None or not state or not slot.fits(p, state):
            new = state or fresh(p, group)
            complete(p, new, group)
            self.state[p] = new
            self._slots[place] = slot = Slot.of(p, new, place, self._asked)
        slot.take(p)
        return slot

    def _update_on_device(
        self, together: Bucket, group: dict[str, Any], since: int, steps: list[Tensor]
    ) -> None:
        """An update by the Triton kernel, which computes its scalars itself."""
        from ademamix.optim.kernels.triton import DeviceUpdate

        if self._device_update is None:
            self._device_update = DeviceUpdate()
        scale, inf = getattr(self, "grad_scale", None), getattr(self, "found_inf", None)
        self._device_update(together, group, since, steps, scale, inf)
