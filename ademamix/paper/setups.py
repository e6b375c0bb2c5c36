"""What the paper calls a setting: a model on data, with its best hyperparameters."""

from abc import abstractmethod
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from ademamix.checkout import checkout
from ademamix.errors import UserError
from ademamix.files import read_yaml
from ademamix.spec import RunSpec
from ademamix.values import Frozen, Steps, user_error

M = TypeVar("M", bound=Frozen)
PAPER_HORIZON = 256_000  # steps of the paper's shortest training, the unit in which scales are stated


class Searched(Frozen):
    """A hyperparameter's values as the paper tried them, and the best of them."""

    best: float
    tried: list[float]


class Setup(Frozen):
    """A set-up by name ('110M') with the paper's best values for it."""

    name: str
    batch: Steps  # samples per update
    lr: dict[str, float] = Field(description="best learning rate by optimizer")

    @abstractmethod
    def run(self, optimizer: str, horizon: int, **changes: Any) -> RunSpec:
        """The paper's best run with an optimizer whose fields `changes` replace; it decays over `horizon`."""

    def best_lr(self, optimizer: str) -> float:
        """The paper's best learning rate of an optimizer (by kind).

        Raises:
            UserError: the paper names none.
        """
        if optimizer not in self.lr:
            raise UserError(f"the paper names no best learning rate of {optimizer} for {self.name}")
        return self.lr[optimizer]


def read(model: type[M], file: str, **more: Any) -> M:
    """The file configs/models/`file` as a `model`, or a UserError that names what is wrong in it."""
    path = checkout() / "configs" / "models" / file
    data = {**more, **read_yaml(path)}
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise user_error(error, model, data, str(path)) from None
