"""The networks that runs can train, as they are stated; each module beside this one builds one of them."""

from typing import TYPE_CHECKING, Any, ClassVar

from ademamix.values import Steps, Variant

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import nn


class ModelConfig(Variant):
    """A network: its sizes, what it costs, and how it is built."""

    FAMILY: ClassVar[str] = "model"
    COMPILES: ClassVar[bool] = False  # torch.compile makes one graph of it and its task's loss
    STACKS: ClassVar[bool] = False  # `stacked` computes several of it at once

    kind: str

    def network(self, generator: "torch.Generator | None" = None) -> "nn.Module":
        """The network on the CPU, its initial weights drawn from `generator` (see `models.build`).

        Without one they are whatever they are: for counting on torch's meta device.
        """
        raise NotImplementedError

    def stacked(self) -> "Callable[[Any, torch.Tensor], torch.Tensor]":
        """Several of these networks as one function of their parameters and inputs, each (members, …)."""
        raise NotImplementedError

    def parameters(self) -> int:
        """The number of parameters, counted without torch."""
        raise NotImplementedError

    def training_flops(self, sample: int) -> float:
        """Floating-point operations of one sample's forward and backward pass.

        `sample`: its size in the model's own unit (tokens of a sequence; 1 for an image).
        """
        raise NotImplementedError

    @property
    def brief(self) -> str:
        """The model in a few words, for descriptions of runs."""
        raise NotImplementedError


class TextModelConfig(ModelConfig):
    """A network that turns tokens, (batch, sequence), into logits, (batch, sequence, vocabulary)."""

    vocabulary: Steps

    @property
    def longest(self) -> int | None:
        """The longest sequence that it takes; None: any."""
        raise NotImplementedError
