"""A sweep as its file or the flags state it.

A file of configs/sweeps, or anywhere:

    title: AdamW at 110M (Table 2)
    size: 110M
    optimizer: adamw
    units: paper
    set:
      optimizer.lr: [5.0e-3, 2.0e-3, 1.0e-3]
      clipping: [null, 1, 0.5]
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from ademamix.errors import UserError
from ademamix.paper.setups import PAPER_HORIZON
from ademamix.sweeps.axes import Axis, Range, read
from ademamix.values import Frozen, Number, Steps, user_error

DEEPEST = 8  # halvings


class Sweep(Frozen):
    """Values of hyperparameters to try, from the paper's best run of a set-up.

    Attributes:
        name: what its folder of results is called.
        size, optimizer: the set-up ('110M') and the optimizer by kind.
        horizon: length of the training, in steps of the paper.
        units: of the values: the scale's own, or the paper's, each then mapped as figures map theirs.
        seeds: of every trial. None: the scale's tuning seeds, which no figure reports.
        search: 'grid': every combination. 'coordinates': one key after the other, in their order, from the
            best so far. 'tpe': drawn by Optuna's sampler.
        trials: how many points, of a search that draws them.
        halving: how many times the worse half is left behind: with 2, every trial is trained for a quarter of
            the steps, the better half of them up to a half, the better half of these to the end.
        rounds: at most so many times through all keys, of a search by coordinates.
        set: key of the run → its values. One value: fixed.
        scales: scale → what is otherwise there; of `set`, the keys that are.
    """

    name: str
    title: str = ""
    size: str
    optimizer: str
    horizon: Steps = PAPER_HORIZON
    units: Literal["scale", "paper"] = "scale"
    seeds: tuple[Number, ...] | None = Field(default=None, min_length=1)
    search: Literal["grid", "coordinates", "tpe"] = "grid"
    trials: Steps | None = None
    halving: Annotated[int, Field(ge=0, le=DEEPEST)] = 0
    rounds: Steps = 1
    settings: dict[str, Axis] = Field(alias="set", min_length=1)
    scales: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("settings", mode="before")
    @classmethod
    def _axes(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError("needs a mapping: key of the run → its values")
        found = {}
        for key, axis in value.items():
            try:
                found[str(key)] = read(axis)
            except UserError as error:
                raise ValueError(f"{key}: {error}") from None
        return found

    @model_validator(mode="after")
    def _makes_sense(self) -> "Sweep":
        if not re.fullmatch(r"[\w.-]+", self.name):
            raise ValueError(f"the name '{self.name}' becomes a folder: letters, digits, '-', '_' and '.'")
        if self.search == "tpe" and not self.trials:
            raise ValueError("a search that draws its trials needs their number: --trials N")
        if self.search != "tpe" and self.trials:
            raise ValueError(
                f"the values decide how many trials a {self.search} search has; leave trials out"
            )
        if self.search != "tpe" and any(isinstance(a, Range) and not a.count for a in self.settings.values()):
            raise ValueError("a range without a COUNT is for --search tpe")
        if self.search == "coordinates" and self.halving:
            raise ValueError("halving goes with grid and tpe: coordinates compare trials at their end")
        return self

    def at(self, scale: str) -> "Sweep":
        """The sweep with what is otherwise at a scale."""
        if not (others := self.scales.get(scale)):
            return self
        data = {name: getattr(self, name) for name in type(self).model_fields} | others
        data["settings"] = {**self.settings, **(others.get("set") or {})}
        data.pop("set", None)
        return _checked({**data, "scales": {}}, f"sweep {self.name}, scale {scale}")

    def as_file(self) -> str:
        """YAML that reads back as the same sweep."""
        plain = self.model_dump(mode="json", by_alias=True, exclude={"settings"}, exclude_defaults=True)
        plain["set"] = {key: str(axis) for key, axis in self.settings.items()}
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def read_file(path: Path) -> Sweep:
    """The sweep of a YAML file, named after it.

    Raises:
        UserError: it cannot be read, or says what is wrong in it.
    """
    try:
        data = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, Mapping):
        raise UserError(f"{path} is not a sweep: it needs size, optimizer and set")
    return _checked({"name": path.stem, **data}, str(path))


def from_flags(settings: Iterable[str], **fields: Any) -> Sweep:
    """The sweep that flags state; fields that are None are left at their defaults.

    Raises:
        UserError: says what is wrong with a setting or a field.
    """
    return _checked({**_given(fields), "set": split(settings)}, "")


def changed(sweep: Sweep, settings: Iterable[str], **fields: Any) -> Sweep:
    """A file's sweep with what flags state otherwise."""
    data = {name: getattr(sweep, name) for name in type(sweep).model_fields}
    return _checked({**data, **_given(fields), "settings": {**sweep.settings, **split(settings)}}, sweep.name)


def split(settings: Iterable[str]) -> dict[str, str]:
    """'optimizer.alpha=2,4' → the key and the text of its values."""
    found = {}
    for setting in settings:
        key, equals, values = setting.partition("=")
        if not equals or not key:
            raise UserError(f"'{setting}' is not KEY=VALUES, such as optimizer.alpha=2,4,8")
        found[key] = values
    return found


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _checked(data: dict[str, Any], where: str) -> Sweep:
    try:
        return Sweep.model_validate(data)
    except ValidationError as error:
        raise user_error(error, Sweep, data, where) from None
