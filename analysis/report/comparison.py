"""Runs beside each other: what tells them apart, where they stand, their curves as plain data."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ademamix.describe import describe_all
from ademamix.spec import Fork, RunSpec
from ademamix.store import CLOCK
from ademamix.values import Frozen
from analysis.report.seen import Seen

COLOURS, DASHES = 7, 4  # of curves, as the page's style has them: a colour each, then the next dashes
ABSENT = "none"
FIRST = ("validation", "loss")  # what people look at first, of what equally many runs have


@dataclass(frozen=True)
class Setting:
    """A value that runs state: its dotted key, and what each of the runs has ("": it has no such key)."""

    key: str
    values: Sequence[str]

    @property
    def differs(self) -> bool:
        """Whether runs have different values; that some have no such key and the others none is the same."""
        return len({value or ABSENT for value in self.values}) > 1

    @property
    def shared(self) -> str:
        """The value of those that have the key."""
        return next(filter(None, self.values), ABSENT)

    @property
    def usual(self) -> str | None:
        """The value that most have; None: no two have the same."""
        ((value, count),) = Counter(self.values).most_common(1)
        return value if count > 1 else None


@dataclass(frozen=True)
class Quantity:
    """A column of metrics.jsonl that the page can show.

    Attributes:
        name: the column's.
        label: for people.
        runs: how many have it.
    """

    name: str
    runs: int

    @property
    def label(self) -> str:
        return "training loss" if self.name == "loss" else self.name


@dataclass(frozen=True)
class Comparison:
    """Runs, to be shown beside each other.

    Attributes:
        runs: in the order in which they are shown.
        sizes: the paper's names of their models, '' where there is none.
    """

    runs: Sequence[Seen]
    sizes: Sequence[str]

    @cached_property
    def _described(self) -> tuple[str, list[str]]:
        sound = [(r.spec, size) for r, size in zip(self.runs, self.sizes, strict=True) if r.spec]
        common, each = describe_all([spec for spec, _ in sound], [size for _, size in sound])
        words = iter(each)
        return common, [next(words) if run.spec else "" for run in self.runs]

    @property
    def common(self) -> str:
        """What all runs have in common, in a line."""
        return self._described[0]

    @property
    def labels(self) -> list[str]:
        """What tells each of them from the others."""
        return self._described[1]

    @cached_property
    def settings(self) -> list[Setting]:
        """Every value that any run states, those that differ first."""
        each = [settings(run.spec) if run.spec else {} for run in self.runs]
        keys = dict.fromkeys(key for values in each for key in values)
        found = [Setting(key, [values.get(key, "") for values in each]) for key in keys]
        return sorted(found, key=lambda setting: not setting.differs)

    @cached_property
    def quantities(self) -> list[Quantity]:
        """What can be shown: first what most runs have, of these validation and training loss."""
        counts = Counter(name for run in self.runs for name in {name for row in run.rows for name in row})
        found = [Quantity(name, runs) for name, runs in counts.items() if name not in ("step", CLOCK)]
        return sorted(found, key=lambda quantity: (-quantity.runs, *_rank(quantity.name)))

    @property
    def active(self) -> int:
        """How many are being trained."""
        return sum(run.state == "running" for run in self.runs)

    def style(self, number: int) -> str:
        """The classes of the curve of a run, by its place: a colour and, after all colours, dashes."""
        return f"colour{number % COLOURS} dash{number // COLOURS % DASHES}"

    def data(self) -> dict[str, Any]:
        """The curves as plain data, for the page's script."""
        return {
            "quantities": {quantity.name: quantity.label for quantity in self.quantities},
            "runs": [
                {
                    "id": run.run.id,
                    "label": self.labels[number] or run.run.id,
                    "style": self.style(number),
                    "units": run.spec.units_per_step if run.spec else 0,
                    "columns": _columns(run),
                }
                for number, run in enumerate(self.runs)
            ],
        }


def _rank(name: str) -> tuple[int, list[int | str]]:
    """Where a quantity stands in the list of those to choose from; 'batch_loss:9' before 'batch_loss:10'."""
    parts: list[int | str] = [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
    return next((i for i, word in enumerate(FIRST) if name.startswith(word)), len(FIRST)), parts


def _columns(run: Seen) -> dict[str, list[list[float | None]]]:
    """Column → its steps and its values; None: not finite."""
    found: dict[str, list[list[float | None]]] = {}
    for row in run.rows:
        for name, value in row.items():
            if name != "step":
                steps, values = found.setdefault(name, [[], []])
                steps.append(row["step"])
                values.append(value)
    return found


def settings(spec: RunSpec) -> dict[str, str]:
    """Every value of a run under its dotted key, defaults too; a branch's trunk is its id."""
    return _flat(spec, "")


def _flat(value: Frozen, place: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in type(value).model_fields:
        field, key = getattr(value, name), f"{place}{name}"
        if isinstance(value, Fork) and name == "parent":
            found[key] = value.parent.id
        elif isinstance(field, Frozen):
            found |= _flat(field, f"{key}.")
        elif isinstance(field, Mapping):
            found |= {f"{key}.{inner}": _text(one) for inner, one in field.items()}
        else:
            found[key] = _text(field)
    return found


def _text(value: Any) -> str:
    if value is None:
        return ABSENT
    return f"{value:.12g}" if isinstance(value, float) else str(value)
