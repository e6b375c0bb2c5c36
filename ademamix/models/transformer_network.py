"""The network of `transformer.py`."""

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from ademamix.models.transformer import TransformerConfig


class Block(nn.Module):
    """Causal self-attention, then a feed-forward layer four times as wide; norms come first."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.attention_out = nn.Linear(width, width, bias=False)
        self.feedforward_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, sequence, width = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(batch, sequence, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attention_out(mixed.transpose(1, 2).reshape(batch, sequence, width))
        return x + self.down(F.gelu(self.up(self.feedforward_norm(x))))


class Transformer(nn.Module):
    """Tokens to logits, (batch, sequence) → (batch, sequence, vocabulary).

    Learnt positions, embeddings tied to the output layer (or not, as the configuration says), no biases in
    linear layers. Under bf16 autocast the norms, the softmax and the loss stay in fp32.
    """

    def __init__(self, config: "TransformerConfig") -> None:
        super().__init__()
        self.init_std = config.init_std
        self.tokens = nn.Embedding(config.vocabulary, config.width)
        self.positions = nn.Parameter(torch.empty(config.positions, config.width))
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = None if config.tied else nn.Linear(config.width, config.vocabulary, bias=False)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw all weights from N(0, init_std²); what is added to the residual stream scales with depth."""
        residual = self.init_std / math.sqrt(2 * len(self.blocks))
        for name, p in self.named_parameters():
            if p.ndim == 2:
                std = residual if name.endswith(("attention_out.weight", "down.weight")) else self.init_std
                nn.init.normal_(p, std=std, generator=generator)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        whole = length == len(self.positions)  # a slice would cost its backward pass a copy
        x = self.tokens(tokens) + (self.positions if whole else self.positions[:length])
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), (self.head or self.tokens).weight)
