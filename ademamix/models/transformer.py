"""The paper's language model, a decoder-only Transformer (appendix B.1): its sizes and what it costs."""

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import model_validator

from ademamix.models.configs import TextModelConfig
from ademamix.values import Positive, Steps

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from ademamix.models.transformer_network import Transformer


class TransformerConfig(TextModelConfig):
    """Sizes in the paper's terms (Table 1).

    `init_std`: of the initial weights, 0.02 at the paper's width; it goes with the inverse root of the width.
    `tied`: whether the output layer has the embeddings' weights, as the paper's has.
    """

    COMPILES: ClassVar[bool] = True
    STACKS: ClassVar[bool] = True

    kind: Literal["transformer"] = "transformer"
    width: Steps
    layers: Steps
    heads: Steps
    positions: Steps
    vocabulary: Steps
    init_std: Positive = 0.02
    tied: bool = True

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "TransformerConfig":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self

    def network(self, generator: "torch.Generator | None" = None) -> "Transformer":
        from ademamix.models.transformer_network import Transformer

        model = Transformer(self)
        if generator is not None:
            model.initialise(generator)
        return model

    def stacked(self) -> "Callable[[Any, torch.Tensor], torch.Tensor]":
        from ademamix.models.transformer_stacked import stacked_logits

        return partial(stacked_logits, layers=self.layers, heads=self.heads)

    def parameters(self) -> int:
        """Embeddings and positions counted, biases in the norms only."""
        block = 12 * self.width**2 + 4 * self.width
        vocabularies = self.vocabulary * (1 if self.tied else 2)
        embeddings = (vocabularies + self.positions) * self.width
        return embeddings + self.layers * block + 2 * self.width

    def training_flops(self, sample: int) -> float:
        """Of a sequence of `sample` tokens.

        Six per token and weight that enters a matrix product (the head counts, tied or not; the positions do
        not), and the attention scores and their use, of which the causal half is computed.
        """
        products = self.vocabulary * self.width + self.layers * 12 * self.width**2
        attention = self.layers * 2 * sample * self.width / 2
        return 6.0 * (products + attention) * sample

    @property
    def longest(self) -> int:
        return self.positions

    @property
    def brief(self) -> str:
        return f"width {self.width}"
