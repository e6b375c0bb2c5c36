"""Several networks of `transformer_network.py` as one: the first dimension of every weight is the member's.

What a member computes depends on its own weights and tokens alone: members meet in no sum. The results are
those of `Transformer`, but for rounding.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor


def stacked_logits(weights: Mapping[str, Tensor], tokens: Tensor, layers: int, heads: int) -> Tensor:
    """Tokens to logits, (members, batch, sequence) → (members, batch · sequence, vocabulary).

    Args:
        weights: by the names they have in `Transformer`, each (members, …).
        tokens: int64.
        layers, heads: of each member.
    """
    members, batch, sequence = tokens.shape
    table = weights["tokens.weight"]
    vocabulary, width = table.shape[1:]
    first = torch.arange(members, device=tokens.device).mul_(vocabulary).view(-1, 1, 1)
    x = F.embedding(tokens + first, table.reshape(members * vocabulary, width))
    x = x + weights["positions"][:, None, :sequence]
    x = x.view(members, batch * sequence, width)
    for number in range(layers):
        own = {name: weights[f"blocks.{number}.{name}"] for name in BLOCK}
        qkv = _linear(_norm(x, own, "attention_norm"), own["qkv.weight"])
        q, k, v = qkv.view(members * batch, sequence, 3, heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + _linear(mixed.transpose(1, 2).reshape(x.shape), own["attention_out.weight"])
        up = F.gelu(_linear(_norm(x, own, "feedforward_norm"), own["up.weight"]))
        x = x + _linear(up, own["down.weight"])
    return _linear(_norm(x, weights, "norm"), table)


NORMS = ("attention_norm", "feedforward_norm")
BLOCK = (
    *(f"{norm}.{part}" for norm in NORMS for part in ("weight", "bias")),
    *(f"{name}.weight" for name in ("qkv", "attention_out", "up", "down")),
)


def _linear(x: Tensor, weight: Tensor) -> Tensor:
    """(members, rows, in) × (members, out, in) → (members, rows, out)."""
    return torch.bmm(x, weight.transpose(1, 2))


def _norm(x: Tensor, weights: Mapping[str, Tensor], name: str) -> Tensor:
    """A layer norm with each member's own weight and bias."""
    scale, shift = weights[f"{name}.weight"][:, None], weights[f"{name}.bias"][:, None]
    return F.layer_norm(x, x.shape[-1:]) * scale + shift
