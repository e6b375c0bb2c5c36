"""Language modelling as a run states it; `language_task.py` is what the loop trains."""

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator

from ademamix.models import TextModelConfig
from ademamix.spec import RunSpec
from ademamix.values import Role, Steps

if TYPE_CHECKING:
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

    def resized(self, batch: Fraction, strict: bool) -> dict[str, Any]:
        """Less than one window per update is a shorter window: a batch is counted in tokens."""
        if batch >= 1:
            return super().resized(batch, strict)
        return {"batch": 1, "sequence": max(1, int(batch * self.sequence))}

    @property
    def sample(self) -> int:
        """Tokens of a window."""
        return self.sequence
