"""What can be observed of a run, as values with one text form: `ValidationLoss(windows=256)` is
'validation_loss:256', and the column of that name in metrics.jsonl.

What a quantity depends on is part of it, so two figures that ask for the same thing share it and two that
do not cannot mix. A task that can observe something of its own declares it here in the same way: one class.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationError

from ademamix.errors import UserError, did_you_mean
from ademamix.optimizers import OptimizerConfig
from ademamix.values import Frozen, Number, Steps


class Quantity(Frozen):
    """Something that can be measured of the state of a run, at a step, without changing it.

    A member has a `NAME` and at most one field, its argument.
    """

    NAME: ClassVar[str]
    NAMES: ClassVar[dict[str, type["Quantity"]]] = {}
    LATER: ClassVar[bool] = True  # a checkpoint of the step is enough to measure it

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "NAME" not in cls.__dict__:  # what several have in common
            return
        taken = cls.NAMES.get(cls.NAME)
        if taken is not None and taken.__qualname__ != cls.__qualname__:
            raise TypeError(f"{cls.__name__}: the quantity '{cls.NAME}' is {taken.__name__}; name another")
        cls.NAMES[cls.NAME] = cls

    def __str__(self) -> str:
        arguments = [str(getattr(self, name)) for name in type(self).model_fields]
        return ":".join([self.NAME, *arguments])

    def refused(self, optimizer: OptimizerConfig, first: int, steps: frozenset[int]) -> str:
        """Why it cannot be observed of a run from step `first` on at `steps`; '' when it can."""
        return ""


class ValidationLoss(Quantity):
    """Mean loss over that many fixed windows of the validation split (nats per token)."""

    NAME = "validation_loss"
    windows: Steps


class ReserveLoss(Quantity):
    """Mean loss on one batch of the reserve split, which only branches that inject it train on."""

    NAME = "reserve_loss"
    batch: Number


class BatchLoss(Quantity):
    """Mean loss on the batch that update `update` trains on."""

    NAME = "batch_loss"
    update: Steps


class Displacement(Quantity):
    """‖θ(t) − θ(t − lag)‖, the Euclidean distance over all parameters (Figure 27a)."""

    NAME = "displacement"
    LATER = False  # it needs the weights of two steps
    lag: Steps

    def refused(self, optimizer: OptimizerConfig, first: int, steps: frozenset[int]) -> str:
        early = [step for step in steps if step - self.lag < first]
        return (
            f"needs the weights of {self.lag} steps before, and step {min(early)} has none" if early else ""
        )


class MomentumNorm(Quantity):
    """Euclidean norm of a moment over all parameters, by its name in the optimizer's state."""

    NAME = "momentum_norm"
    moment: str

    def refused(self, optimizer: OptimizerConfig, first: int, steps: frozenset[int]) -> str:
        if self.moment in optimizer.moments:
            return ""
        return f"{optimizer.TITLE} keeps no '{self.moment}'{did_you_mean(self.moment, optimizer.moments)}"


class Accuracy(Quantity):
    """The share of a task's questions that the model answers right (Figure 8, Table 7).

    'accuracy:arc_easy'; 'accuracy:arc_easy/100' asks the first 100 questions alone.
    """

    NAME = "accuracy"
    task: Annotated[str, Field(pattern=r"^\w[\w.-]*(/[1-9]\d*)?$")]

    @property
    def name(self) -> str:
        """The task."""
        return self.task.partition("/")[0]

    @property
    def questions(self) -> int | None:
        """How many of its questions are asked; None: all."""
        count = self.task.partition("/")[2]
        return int(count) if count else None


class Observed(float):
    """A measured value with what it rests on: `evidence`, a JSON object, kept beside the run's rows."""

    def __new__(cls, value: float, evidence: Mapping[str, Any]) -> "Observed":
        found = super().__new__(cls, value)
        found.evidence = evidence
        return found

    evidence: Mapping[str, Any]


def is_quantity(column: str) -> bool:
    """Whether a column of metrics.jsonl is something observed; the others are logged in any case."""
    return column.partition(":")[0] in Quantity.NAMES


@cache
def parse(text: str) -> Quantity:
    """The quantity written `text`.

    Raises:
        UserError: there is none of that name, or its argument is missing or out of range.
    """
    name, _, argument = text.partition(":")
    kind = Quantity.NAMES.get(name)
    if kind is None:
        raise UserError(f"unknown quantity '{text}'{did_you_mean(name, Quantity.NAMES)}")
    fields = list(kind.model_fields)
    if bool(argument) != bool(fields):
        needs = f"is written '{name}:{fields[0].upper()}'" if fields else "takes no argument"
        raise UserError(f"quantity '{text}' {needs}")
    try:
        return kind.model_validate({fields[0]: argument} if fields else {})
    except ValidationError as error:
        raise UserError(f"quantity '{text}': {error.errors()[0]['msg']}") from None
