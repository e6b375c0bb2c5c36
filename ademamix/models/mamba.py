"""The paper's Mamba (appendix B.2), a state-space model without attention: its sizes and what it costs."""

from typing import TYPE_CHECKING, Literal

from ademamix.models.configs import TextModelConfig
from ademamix.values import Positive, Steps

if TYPE_CHECKING:
    import torch

    from ademamix.models.mamba_network import Mamba


class MambaConfig(TextModelConfig):
    """Sizes in the paper's terms; the head is not tied to the embeddings.

    Attributes:
        state: numbers that each channel remembers.
        expansion: channels of a block, in widths of the residual stream.
        kernel: tokens that the causal convolution of a block sees.
        init_std: of the embeddings, 0.02 at the paper's width; it goes with the inverse root of the width.
        decay_state: whether weight decay applies to A_log and D, too. Decay would pull A_log to 0, where all
            states forget at one rate, and D, which lets a block pass its input on, to nothing; so the authors
            of Mamba leave both out, and the paper, which says no more than "0.1", is taken to do as they do.
    """

    kind: Literal["mamba"] = "mamba"
    width: Steps
    layers: Steps
    state: Steps = 16
    expansion: Steps = 2
    kernel: Steps = 4
    init_std: Positive = 0.02
    decay_state: bool = False

    def network(self, generator: "torch.Generator | None" = None) -> "Mamba":
        from ademamix.models.mamba_network import Mamba

        model = Mamba(self)
        if generator is not None:
            model.initialise(generator)
        return model

    @property
    def channels(self) -> int:
        """Channels of a block."""
        return self.expansion * self.width

    @property
    def step_rank(self) -> int:
        """The rank of what the step sizes Δ are computed through."""
        return -(-self.width // 16)

    @property
    def longest(self) -> None:
        return None

    def parameters(self) -> int:
        block = self._products() + self.channels * (self.kernel + self.state + 3) + self.width
        return self.layers * block + (2 * self.vocabulary + 1) * self.width

    def training_flops(self, sample: int) -> float:
        """Of a sequence of `sample` tokens.

        Six per token and weight that enters a matrix product or the convolution, and the recurrence: per
        number of the state nine forward (decay, input, update, output), and twice that backward.
        """
        products = self.vocabulary * self.width
        products += self.layers * (self._products() + self.channels * self.kernel)
        recurrence = self.layers * 9 * 3 * self.channels * self.state
        return (6.0 * products + recurrence) * sample

    def _products(self) -> int:
        """Weights of a block that enter matrix products."""
        c, r = self.channels, self.step_rank
        return self.width * 2 * c + c * (r + 2 * self.state) + r * c + c * self.width

    @property
    def brief(self) -> str:
        return f"Mamba, width {self.width}"
