"""The values of a hyperparameter in a sweep: listed, spread over a range, or any of a range."""

import math
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import yaml

from ademamix.errors import UserError

Value = float | int | str | bool | None
SPREADS = ("log", "linear")
DIGITS = 6  # significant ones of values that are computed


@dataclass(frozen=True)
class Values:
    """These values, in this order."""

    values: tuple[Value, ...]

    def __contains__(self, value: Value) -> bool:
        return value in self.values

    def __str__(self) -> str:
        return ",".join(map(text, self.values))


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, evenly or in the logarithm: `count` values, or (None) any that a search draws.

    `whole`: whole numbers only.
    """

    low: float
    high: float
    log: bool
    count: int | None = None
    whole: bool = False

    def __str__(self) -> str:
        inside = [text(self.low), text(self.high), *([str(self.count)] if self.count else [])]
        return f"{'log' if self.log else 'linear'}({','.join(inside)})"

    def __contains__(self, value: Value) -> bool:
        return isinstance(value, float | int) and self.low <= value <= self.high

    def values(self) -> Values:
        """Its `count` values, both ends among them."""
        assert self.count is not None
        places = [i / (self.count - 1) for i in range(self.count)]
        found = (self._value(place) for place in places)
        return Values(tuple(dict.fromkeys(found)))

    def _value(self, place: float) -> float | int:
        """The value at `place` of [0, 1]."""
        if self.log:
            value = self.low * (self.high / self.low) ** place
        else:
            value = self.low + place * (self.high - self.low)
        return round(value) if self.whole else self.rounded(value)

    def rounded(self, value: float) -> float:
        """`value` to six significant digits, within the range."""
        return min(self.high, max(self.low, float(f"{value:.{DIGITS}g}")))


Axis = Values | Range


def read(value: Any) -> Axis:
    """An axis from a file's list, scalar or text, or from a flag's text.

    Raises:
        UserError: it is neither values nor a range; says how both are written.
    """
    if isinstance(value, Values | Range):
        return value
    if isinstance(value, str):
        if found := re.fullmatch(r"(\w+)\((.*)\)", value.strip()):
            return _range(value, found[1], [part.strip() for part in found[2].split(",")])
        value = value.split(",")
    if not isinstance(value, list | tuple):
        value = [value]
    return _listed(value)


def _listed(values: Iterable[Any]) -> Values:
    found = tuple(map(scalar, values))
    if not found or len(set(found)) < len(found):
        raise UserError(f"needs values that differ, not '{Values(found)}'")
    return Values(found)


def _range(whole: str, spread: str, arguments: list[str]) -> Range:
    usage = (
        f"'{whole}': write log(LOW,HIGH,COUNT) or linear(LOW,HIGH,COUNT); a sampling search needs no COUNT"
    )
    if spread not in SPREADS or len(arguments) not in (2, 3):
        raise UserError(usage)
    numbers = [scalar(argument) for argument in arguments]
    if not all(isinstance(number, float | int) and math.isfinite(number) for number in numbers):
        raise UserError(usage)
    low, high, *count = (float(str(number)) for number in numbers)
    if not low < high or (spread == "log" and low <= 0):
        raise UserError(f"'{whole}': needs LOW < HIGH{', both above 0' if spread == 'log' else ''}")
    if count and (count[0] != int(count[0]) or count[0] < 2):
        raise UserError(f"'{whole}': COUNT is a whole number of at least 2")
    return Range(low, high, spread == "log", int(count[0]) if count else None)


def scalar(value: Any) -> Value:
    """A value as YAML reads it, but that 1e-3 is a number, too.

    Raises:
        UserError: it is nothing, a list or a mapping.
    """
    if isinstance(value, str):
        with suppress(ValueError):
            return float(value) if re.search(r"\d", value) else _from_yaml(value)
        return value
    if value is None or isinstance(value, float | int):
        return value
    raise UserError(f"'{value}' is not a single value")


def _from_yaml(word: str) -> Value:
    if not word.strip():
        raise UserError("a value is empty; write null for none")
    try:
        found = yaml.safe_load(word)
    except yaml.YAMLError:
        found = ...
    if found is None or isinstance(found, float | int | str):
        return found
    raise UserError(f"'{word}' is not a single value")


def text(value: Value) -> str:
    """A value as settings and tables have it: 0.001, null, true."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else str(value)
