"""Language modelling as a run states it; `language_task.py` is what the loop trains."""

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import model_validator

from ademamix.errors import UserError
from ademamix.models.transformer import TransformerConfig
from ademamix.spec import RunSpec
from ademamix.values import Role, Steps

if TYPE_CHECKING:
    import torch

    from ademamix.tasks.language_task import LanguageTask


class LanguageRun(RunSpec):
    """A language model that trains on windows of `sequence` tokens."""

    task: Literal["language"] = "language"
    model: Annotated[TransformerConfig, Role.MODEL]
    sequence: Annotated[Steps, Role.SEQUENCE]

    @model_validator(mode="after")
    def _fits(self) -> "LanguageRun":
        if self.sequence > self.model.positions:
            raise ValueError(f"sequence {self.sequence} exceeds {self.model.positions} positions")
        return self

    def open(self, data_root: Path, device: "torch.device") -> "LanguageTask":
        from ademamix.tasks.language_task import LanguageTask

        return LanguageTask(self, data_root, device)

    def refuse_data(self, data_root: Path) -> None:
        from ademamix.data.locate import ensure
        from ademamix.data.tokens import Tokens

        tokens = Tokens(ensure(self.data, data_root))
        if tokens.vocabulary > self.model.vocabulary:
            raise UserError(
                f"{tokens.folder} has {tokens.vocabulary} tokens, the model only {self.model.vocabulary}: "
                f"--set model.vocabulary={tokens.vocabulary}, or other data"
            )
        if (held := tokens.windows("train", self.sequence)) < self.batch:
            raise UserError(
                f"{tokens.folder} holds {held} windows of {self.sequence} tokens, fewer than a batch of "
                f"{self.batch}"
            )
        if not tokens.windows("validation", self.sequence):
            raise UserError(
                f"the validation split of {tokens.folder} has no window of {self.sequence} tokens"
            )

    def resized(self, batch: Fraction, strict: bool) -> dict[str, Any]:
        """Less than one window per update is a shorter window: a batch is counted in tokens."""
        if batch >= 1:
            return super().resized(batch, strict)
        return {"batch": 1, "sequence": max(1, int(batch * self.sequence))}

    @property
    def sample(self) -> int:
        """Tokens of a window."""
        return self.sequence
