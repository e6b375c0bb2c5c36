"""The network of `mamba.py`: Mamba (Gu and Dao 2023), as the authors' code initialises it."""

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ademamix.models.selective_scan import selective_scan

if TYPE_CHECKING:
    from ademamix.models.mamba import MambaConfig

SLOWEST, FASTEST = 1e-3, 1e-1  # initial step sizes Δ
LEAST_STEP = 1e-4
EPS = 1e-5


class Block(nn.Module):
    """A causal convolution and a selective state space, gated; the norm comes first."""

    def __init__(self, config: "MambaConfig") -> None:
        super().__init__()
        channels, states, rank = config.channels, config.state, config.step_rank
        self.sizes = [rank, states, states]
        self.norm = nn.RMSNorm(config.width, eps=EPS)
        self.into = nn.Linear(config.width, 2 * channels, bias=False)
        self.convolution = nn.Conv1d(
            channels, channels, config.kernel, groups=channels, padding=config.kernel - 1
        )
        self.select = nn.Linear(channels, rank + 2 * states, bias=False)  # Δ in its rank, B, C
        self.step = nn.Linear(rank, channels)
        self.A_log = nn.Parameter(torch.empty(channels, states))
        self.D = nn.Parameter(torch.empty(channels))
        self.out = nn.Linear(channels, config.width, bias=False)
        for p in () if config.decay_state else (self.A_log, self.D):
            p.no_weight_decay = True  # type: ignore[attr-defined]

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        u, gate = self.into(self.norm(x)).chunk(2, dim=-1)
        u = F.silu(self.convolution(u.transpose(1, 2))[..., :length].transpose(1, 2))
        low, b, c = self.select(u).split(self.sizes, dim=-1)
        with torch.autocast(x.device.type, enabled=False):
            # In fp32, as the errors of a recurrence add up.
            delta = F.softplus(F.linear(low.float(), self.step.weight, self.step.bias))
            y = selective_scan(u.float(), delta, -self.A_log.exp(), b.float(), c.float(), self.D)
        return x + self.out(y.to(u.dtype) * F.silu(gate))

    def initialise(self, generator: torch.Generator, layers: int) -> None:
        """Step sizes are even in their logarithm; A is −1, −2, …; `out` is scaled down with the depth."""
        for layer in (self.into, self.select, self.out):
            default(layer.weight, generator)
        with torch.no_grad():
            self.out.weight /= math.sqrt(layers)
            bound = 1 / math.sqrt(self.convolution.kernel_size[0])
            assert self.convolution.bias is not None
            for p in (self.convolution.weight, self.convolution.bias):
                p.uniform_(-bound, bound, generator=generator)
            bound = 1 / math.sqrt(self.step.in_features)
            self.step.weight.uniform_(-bound, bound, generator=generator)
            place = torch.empty_like(self.step.bias).uniform_(generator=generator)
            steps = (SLOWEST * (FASTEST / SLOWEST) ** place).clamp(min=LEAST_STEP)
            self.step.bias.copy_(steps + torch.log(-torch.expm1(-steps)))  # the inverse of softplus
            self.A_log.copy_(torch.arange(1.0, self.A_log.shape[1] + 1).log().expand_as(self.A_log))
            self.D.fill_(1.0)


class Mamba(nn.Module):
    """Tokens to logits, (batch, sequence) → (batch, sequence, vocabulary).

    Under bf16 autocast the residual stream, the norms, the recurrence and the loss stay in fp32.
    """

    def __init__(self, config: "MambaConfig") -> None:
        super().__init__()
        self.init_std = config.init_std
        self.tokens = nn.Embedding(config.vocabulary, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=EPS)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw all weights."""
        nn.init.normal_(self.tokens.weight, std=self.init_std, generator=generator)
        for block in self.blocks:
            assert isinstance(block, Block)
            block.initialise(generator, len(self.blocks))
        default(self.head.weight, generator)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def default(weight: Tensor, generator: torch.Generator) -> None:
    """What torch draws for a linear layer: uniform within ± 1 / √inputs."""
    bound = 1 / math.sqrt(weight.shape[1])
    nn.init.uniform_(weight, -bound, bound, generator=generator)
