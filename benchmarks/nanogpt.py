"""The training loop of karpathy/nanoGPT, rebuilt from its published settings, to be measured beside ours.

Its own: GPT-2 with learnt positions, tied embeddings, no biases (config: dropout 0, bias False), AdamW fused
with β (0.9, 0.95) and weight decay 0.1 on matrices alone, gradients clipped at 1, bf16 autocast and TF32 on
GPUs, `torch.compile` of the model, micro-batches of 12, windows at random places of a memory-mapped array of
uint16, read and pinned just after the forward pass, the loss read each 10 steps. The sizes of the model are
given, so that it is the same network as ours.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ademamix.models import TransformerConfig

MICRO_BATCH = 12
LOG_EVERY = 10
LR, BETAS, DECAY, CLIPPING = 6e-4, (0.9, 0.95), 0.1, 1.0


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(width, bias=False)
        self.attn = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width, bias=False)
        self.ln_2 = nn.LayerNorm(width, bias=False)
        self.fc = nn.Linear(width, 4 * width, bias=False)
        self.out = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        parts = self.attn(self.ln_1(x)).split(width, dim=2)
        q, k, v = (p.view(batch, length, self.heads, -1).transpose(1, 2) for p in parts)
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=0.0, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).contiguous().view(batch, length, width))
        return x + self.out(F.gelu(self.fc(self.ln_2(x))))


class GPT(nn.Module):
    """(batch, length) tokens and what follows each → the mean cross-entropy."""

    def __init__(self, of: TransformerConfig) -> None:
        super().__init__()
        self.wte = nn.Embedding(of.vocabulary, of.width)
        self.wpe = nn.Embedding(of.positions, of.width)
        self.blocks = nn.ModuleList(Block(of.width, of.heads) for _ in range(of.layers))
        self.ln_f = nn.LayerNorm(of.width, bias=False)
        self.head = nn.Linear(of.width, of.vocabulary, bias=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                deep = name.endswith(("proj.weight", "out.weight"))
                nn.init.normal_(p, std=0.02 / (2 * of.layers) ** 0.5 if deep else 0.02)
        self.wte.weight = self.head.weight

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.ln_f(x))
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))


class NanoGPT:
    """The loop: `update()` is one of its steps.

    Args:
        of: the sizes of the network.
        sequence: tokens of a window.
        batch: windows of an update, at least; they come in whole micro-batches.
        tokens: a file of uint16.
        device: to train on.
        compiled: whether torch.compile is used, as it is there by default.
    """

    def __init__(
        self,
        of: TransformerConfig,
        sequence: int,
        batch: int,
        tokens: Path,
        device: torch.device,
        compiled: bool,
    ) -> None:
        self.device, self.sequence = device, sequence
        self.micro_batch = min(MICRO_BATCH, batch)
        self.passes = -(-batch // self.micro_batch)
        self.tokens_per_update = self.passes * self.micro_batch * sequence
        if device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self._data = np.memmap(tokens, dtype=np.uint16, mode="r")
        model = GPT(of).to(device)
        matrices = [p for p in model.parameters() if p.dim() >= 2]
        others = [p for p in model.parameters() if p.dim() < 2]
        self._params = [*matrices, *others]
        groups = [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=LR, betas=BETAS, fused=device.type == "cuda")
        self._model: Callable[..., Any] = torch.compile(model) if compiled else model
        self._step = 0
        self._next = self._batch()

    def update(self) -> None:
        """One step."""
        for _ in range(self.passes):
            with self._autocast():
                loss = self._model(*self._next) / self.passes
            self._next = self._batch()
            loss.backward()
        nn.utils.clip_grad_norm_(self._params, CLIPPING)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._step += 1
        if self._step % LOG_EVERY == 0:
            loss.item()

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast("cuda", torch.bfloat16) if self.device.type == "cuda" else nullcontext()

    def _batch(self) -> tuple[Tensor, Tensor]:
        size = self.sequence
        places = torch.randint(len(self._data) - size, (self.micro_batch,)).tolist()
        x = torch.stack([torch.from_numpy(self._data[i : i + size].astype(np.int64)) for i in places])
        y = torch.stack([torch.from_numpy(self._data[i + 1 : i + 1 + size].astype(np.int64)) for i in places])
        if self.device.type == "cpu":
            return x, y
        return tuple(t.pin_memory().to(self.device, non_blocking=True) for t in (x, y))  # type: ignore[return-value]
