"""The optimizers that runs can use, each declared in one place.

A declaration is a class: its fields with their roles and symbols, how it is called and drawn, whose best
learning rate its own is relative to, and how it is built. Adding an optimizer is adding one such class
(docs/adding-an-optimizer.md); nothing else in the project has a list of them. Planning imports this, so
torch is imported where an optimizer is built.
"""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import model_validator

from ademamix.values import NonNegative, Positive, Role, Share, Symbol, Variant, Warmup

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.optimizer import ParamsT

FAST, SLOW, SQUARE = "exp_avg", "exp_avg_slow", "exp_avg_sq"  # moments, as optimizers call their state

Beta = Annotated[Share, Role.BETA]


class OptimizerConfig(Variant):
    """An optimizer and its hyperparameters, in the paper's notation."""

    FAMILY = "optimizer"
    TITLE: ClassVar[str]  # for people: legends, descriptions, tables
    COLOUR: ClassVar[str]  # in every figure; of Okabe and Ito's palette
    RATE_OF: ClassVar[str | None] = None  # whose best learning rate its own is relative to; None: its own
    HAS_SLOW_EMA: ClassVar[bool] = False  # has slow EMAs: takes the paper's α, β3 and warm-ups
    ELEMENTWISE: ClassVar[bool] = False  # updates each element by itself: runs of it can be packed
    SWITCHABLE: ClassVar[bool] = False  # a branch may go on with another such optimizer's state

    kind: str
    lr: Annotated[NonNegative, Role.RATE]
    weight_decay: Annotated[NonNegative, Symbol("λ")]

    def build(self, params: "ParamsT") -> "Optimizer":
        """The optimizer over `params`, tensors or groups of them."""
        raise NotImplementedError

    @property
    def moments(self) -> frozenset[str]:
        """The names of what it keeps of each parameter: what `MomentumNorm` can observe."""
        raise NotImplementedError

    def implementation(self, optimizer: "Optimizer") -> str:
        """What makes the updates, for records: a kernel's name or a package's."""
        return str(getattr(optimizer, "implementation", type(optimizer).__module__))

    @classmethod
    def rate_of(cls) -> str:
        """The kind whose best learning rate its own is relative to."""
        return cls.RATE_OF or str(cls.tag())


class AdamFamily(OptimizerConfig):
    """What the optimizers that divide by the root of ν share."""

    ELEMENTWISE: ClassVar[bool] = True

    beta1: Annotated[Beta, Symbol("β1")] = 0.9
    beta2: Annotated[Share, Role.SQUARED_BETA, Symbol("β2")] = 0.999
    eps: Positive = 1e-8

    @property
    def moments(self) -> frozenset[str]:
        return frozenset({FAST, SQUARE})

    def _common(self) -> dict[str, Any]:
        return {"lr": self.lr, "eps": self.eps, "weight_decay": self.weight_decay}


class AdamWConfig(AdamFamily):
    """torch's AdamW; with `beta1_warmup`, β1 grows from 0.9 as AdEMAMix's β3 does (Figure 19b)."""

    TITLE, COLOUR, SWITCHABLE = "AdamW", "#D55E00", True
    kind: Literal["adamw"] = "adamw"
    beta1_warmup: Annotated[Warmup, Role.STEPS, Symbol("T_β1")] = None

    def build(self, params: "ParamsT") -> "Optimizer":
        import torch

        from ademamix.optim.variants import RampedAdamW

        betas = (self.beta1, self.beta2)
        if self.beta1_warmup:
            return RampedAdamW(params, betas, self.beta1_warmup, fused=True, **self._common())
        return torch.optim.AdamW(params, betas=betas, fused=True, **self._common())

    def implementation(self, optimizer: "Optimizer") -> str:
        return "fused"


class AdEMAMixConfig(AdamFamily):
    """`ademamix.AdEMAMix`; warm-ups of α and β3 in steps, None for none."""

    TITLE, COLOUR, HAS_SLOW_EMA, SWITCHABLE = "AdEMAMix", "#0072B2", True, True
    kind: Literal["ademamix"] = "ademamix"
    alpha: Annotated[NonNegative, Symbol("α", brief=True)]
    beta3: Annotated[Beta, Symbol("β3", brief=True)]
    alpha_warmup: Annotated[Warmup, Role.STEPS, Symbol("T_α")] = None
    beta3_warmup: Annotated[Warmup, Role.STEPS, Symbol("T_β3")] = None

    @model_validator(mode="after")
    def _slow_ema_is_slower(self) -> "AdEMAMixConfig":
        if self.beta3 < self.beta1:
            raise ValueError(f"beta3 {self.beta3:g} is below beta1 {self.beta1:g}")
        return self

    @property
    def moments(self) -> frozenset[str]:
        return frozenset({SLOW, SQUARE} | ({FAST} if self.beta1 else set()))

    def _schedules(self) -> dict[str, Any]:
        return {
            **self._common(),
            "alpha": self.alpha,
            "alpha_warmup": self.alpha_warmup,
            "beta3_warmup": self.beta3_warmup,
        }

    def build(self, params: "ParamsT") -> "Optimizer":
        from ademamix.optim.ademamix import AdEMAMix

        return AdEMAMix(params, betas=(self.beta1, self.beta2, self.beta3), **self._schedules())


class ConvexAdEMAMixConfig(AdEMAMixConfig):
    """AdEMAMix with (1 − α)·m1 + α·m2 for its step (Figure 24b).

    The two weights sum to 1, so its steps are as long as AdamW's, and so is its best learning rate.
    """

    TITLE, RATE_OF = "AdEMAMix (convex)", "adamw"
    kind: Literal["ademamix-convex"] = "ademamix-convex"  # type: ignore[assignment]
    alpha: Annotated[Share, Symbol("α", brief=True)]

    def build(self, params: "ParamsT") -> "Optimizer":
        from ademamix.optim.variants import ConvexAdEMAMix

        return ConvexAdEMAMix(params, betas=(self.beta1, self.beta2, self.beta3), **self._schedules())


class Ad3EMAMixConfig(AdEMAMixConfig):
    """AdEMAMix with a third EMA, whose β4 grows as β3 does (Figure 33)."""

    TITLE, COLOUR, RATE_OF, SWITCHABLE = "Ad3EMAMix", "#009E73", "ademamix", False
    kind: Literal["ad3emamix"] = "ad3emamix"  # type: ignore[assignment]
    beta4: Annotated[Beta, Symbol("β4")]

    @property
    def moments(self) -> frozenset[str]:
        return frozenset({FAST, SLOW, "exp_avg_slower", SQUARE})

    def build(self, params: "ParamsT") -> "Optimizer":
        from ademamix.optim.variants import Ad3EMAMix

        betas = (self.beta1, self.beta2, self.beta3, self.beta4)
        return Ad3EMAMix(params, betas=betas, **self._schedules())


class LionConfig(OptimizerConfig):
    """Lion in the paper's notation: the step is the sign of α·m + (1−α)·g; then m ← β·m + (1−β)·g."""

    TITLE, COLOUR, RATE_OF, ELEMENTWISE = "Lion", "#CC79A7", "adamw", True
    kind: Literal["lion"] = "lion"
    alpha: Annotated[Share, Symbol("α")]
    beta: Annotated[Beta, Symbol("β")]

    @property
    def moments(self) -> frozenset[str]:
        return frozenset({FAST})

    def build(self, params: "ParamsT") -> "Optimizer":
        from timm.optim.lion import Lion

        # timm's β1 mixes the step and its β2 the average: the paper's α and β.
        betas = (self.alpha, self.beta)
        return Lion(params, lr=self.lr, betas=betas, weight_decay=self.weight_decay)
