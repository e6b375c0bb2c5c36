"""Language modelling as a run states it; `language_task.py` is what the loop trains."""

import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator

from ademamix.models import TextModelConfig
from ademamix.spec import RunSpec
from ademamix.values import Role, Steps, canonical

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from ademamix.tasks.language_task import LanguageTask


class LanguageRun(RunSpec):
    """A language model that trains on windows of `sequence` tokens."""

    task: Literal["language"] = "language"
    model: Annotated[TextModelConfig, BeforeValidator(TextModelConfig.read), Role.MODEL]
    sequence: Annotated[Steps, Role.SEQUENCE]

    @model_validator(mode="after")
    def _fits(self) -> "LanguageRun":
        if self.model.longest is not None and self.sequence > self.model.longest:
            raise ValueError(f"sequence {self.sequence} exceeds {self.model.longest} positions")
        return self

    def open(self, data_root: Path, device: "torch.device") -> "LanguageTask":
        from ademamix.tasks.language_task import LanguageTask

        return LanguageTask(self, data_root, device)

    def refused_data(self, data_root: Path, until: int, repeat: bool) -> str:
        from ademamix.data.tokens import opened

        tokens = opened(self.data.folder(data_root))
        if tokens.vocabulary > self.model.vocabulary:
            return (
                f"{tokens.folder} has {tokens.vocabulary} tokens, the model only {self.model.vocabulary}: "
                f"--set model.vocabulary={tokens.vocabulary}, or other data"
            )
        there, wanted = tokens.windows("train", self.sequence), until * self.batch
        if there < self.batch:
            return (
                f"{tokens.folder} holds {there} windows of {self.sequence} tokens, fewer than a batch of "
                f"{self.batch}"
            )
        if there < wanted and not repeat:
            return (
                f"{tokens.folder} holds {there:,} windows of {self.sequence} tokens to train on, and it "
                f"needs {wanted:,}; prepare more, or see them {wanted / there:.1f} times with --repeat-data"
            )
        if not tokens.windows("validation", self.sequence):
            return f"the validation split of {tokens.folder} has no window of {self.sequence} tokens"
        fork = self.fork
        batches = (fork.inject + 1) * self.batch if fork and fork.inject is not None else 0
        if batches > tokens.windows("reserve", self.sequence):
            return f"the reserve split of {tokens.folder} has no batch {fork.inject if fork else 0}"
        return ""

    @property
    def pack_key(self) -> str | None:
        if not (self.model.STACKS and self.optimizer.ELEMENTWISE):
            return None
        shape = [canonical(self.model), self.batch, self.sequence, self.precision, self.compiled]
        return json.dumps([self.task, *shape], sort_keys=True)

    def stacked(self) -> "Callable[[Any, torch.Tensor], torch.Tensor]":
        from ademamix.tasks.language_task import stacked_losses

        return stacked_losses(self.model.stacked())

    def resized(self, batch: Fraction, strict: bool) -> dict[str, Any]:
        """Less than one window per update is a shorter window: a batch is counted in tokens."""
        if batch >= 1:
            return super().resized(batch, strict)
        return {"batch": 1, "sequence": max(1, int(batch * self.sequence))}

    @property
    def sample(self) -> int:
        """Tokens of a window."""
        return self.sequence
