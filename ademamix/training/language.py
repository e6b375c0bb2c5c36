"""Language modelling: the batches of each update, the loss, the validation windows."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ademamix.data.locate import load
from ademamix.data.sampler import order
from ademamix.errors import UserError
from ademamix.models.transformer import Transformer
from ademamix.spec import RunSpec

AHEAD = 64  # updates whose windows are looked up at once
RESERVE = 0  # the order in which batches are taken from the reserve split


class LanguageTask:
    """What the loop knows of language modelling.

    Args:
        spec: the run.
        data_root: where prepared data lives.
        device: where batches go.
    """

    def __init__(self, spec: RunSpec, data_root: Path, device: torch.device) -> None:
        self.spec = spec
        self.device = device
        self.tokens = load(spec.data, data_root)
        if self.tokens.vocabulary > spec.model.vocabulary:
            raise UserError(
                f"{self.tokens.folder} has {self.tokens.vocabulary} tokens, "
                f"the model only {spec.model.vocabulary}"
            )
        self.train = self.tokens.split("train", spec.sequence)
        if len(self.train) < spec.batch:
            raise UserError(f"{self.tokens.folder} holds fewer windows than one batch")
        self._block = -1
        self._indices = np.empty((0, spec.batch), dtype=np.int64)

    def model(self) -> nn.Module:
        """The network with its initial weights, a function of the seed; drawn on the CPU."""
        network = Transformer(self.spec.model)
        network.initialise(torch.Generator().manual_seed(self.spec.seed))
        return network.to(self.device)

    def batch(self, t: int) -> Tensor:
        """The windows of update t, int64, (batch, sequence + 1)."""
        fork = self.spec.fork
        if fork and fork.inject is not None and t == fork.step + 1:
            return self.reserve(fork.inject)
        block, row = divmod(t - 1, AHEAD)
        if block != self._block:
            size = self.spec.batch
            places = order(self.spec.seed, block * AHEAD * size, AHEAD * size, len(self.train))
            self._indices = places.reshape(AHEAD, size)
            self._block = block
        return self._to_device(self.train.read(self._indices[row]))

    def reserve(self, number: int) -> Tensor:
        """Batch `number` of the reserve split, windows in an order that no run's seed changes."""
        split = self.tokens.split("reserve", self.spec.sequence)
        size = self.spec.batch
        if (number + 1) * size > len(split):
            raise UserError(f"the reserve split of {self.tokens.folder} has no batch {number}")
        return self._to_device(split.read(order(RESERVE, number * size, size, len(split))))

    def loss(self, model: nn.Module, windows: Tensor) -> Tensor:
        """Mean cross-entropy, in nats per token, of predicting each next token."""
        logits = model(windows[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1).float(), windows[:, 1:].flatten())

    def validation_batches(self, windows: int, size: int) -> list[Tensor]:
        """`windows` fixed windows, spread evenly over the validation split, in batches of `size`."""
        split = self.tokens.split("validation", self.spec.sequence)
        count = min(windows, len(split))
        if not count:
            raise UserError(f"the validation split of {self.tokens.folder} is empty")
        indices = np.linspace(0, len(split) - 1, count).astype(np.int64)
        return list(self._to_device(split.read(indices)).split(size))

    def _to_device(self, windows: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(windows)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor
