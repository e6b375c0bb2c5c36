"""The figures that are defined: every `figure*.py` under experiments/ whose NUMBER says which it is."""

import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType

import yaml

from ademamix.checkout import checkout
from ademamix.errors import UserError, did_you_mean
from ademamix.scale import Scale
from ademamix.spec import Need


@dataclass(frozen=True)
class Figure:
    """A figure, or one panel of it when `panel` is not empty.

    A module with a PANEL defines that panel alone: one that trains nothing, of a figure whose other
    panels do, such as 3a and 5a.
    """

    number: int
    module: ModuleType
    folder: Path
    panel: str = ""

    @property
    def name(self) -> str:
        """'figure-12' or 'figure-12a': the stem of its files."""
        return f"figure-{self.number:02d}{self.panel}"

    @property
    def label(self) -> str:
        """'Figure 12' or 'Figure 12a', for people."""
        return f"Figure {self.number}{self.panel}"

    @property
    def whole(self) -> "Figure":
        """What its module defines, all panels: claims are judged on them together."""
        return replace(self, panel=getattr(self.module, "PANEL", ""))

    @property
    def exact(self) -> bool:
        """Whether it needs no training, and so no scale."""
        return bool(getattr(self.module, "EXACT", False))

    @property
    def measured(self) -> bool:
        """Whether it shows a measurement of the machine rather than runs."""
        return hasattr(self.module, "measure")

    def needs(self, scale: Scale) -> list[Need]:
        """What it, or its one panel, needs at `scale`."""
        if self.exact:
            return []
        found: list[Need] = self.module.needs(scale)
        return [need for need in found if not self.panel or need.panel == self.panel]


@cache
def figures() -> dict[str, Figure]:
    """All that is defined by name, in the paper's order: '2', '3a', '12'."""
    found = []
    for path in (checkout() / "experiments").glob("fig*/figure*.py"):
        module = importlib.import_module(f"experiments.{path.parent.name}.{path.stem}")
        found.append(Figure(module.NUMBER, module, path.parent).whole)
    return {f"{f.number}{f.panel}": f for f in sorted(found, key=lambda f: (f.number, f.panel))}


def named(name: str) -> list[Figure]:
    """The figure called '12' (all of it that is built), or its panel '12a'.

    Raises:
        UserError: there is none; names what there is.
    """
    match = re.fullmatch(r"(\d+)([a-z]?)", name.strip().lower())
    if not match:
        raise UserError(f"'{name}' is not a figure; write a number, and a letter for one panel: 12, 12a")
    number, panel = int(match[1]), match[2]
    parts = [figure for figure in figures().values() if figure.number == number]
    if not parts:
        what = "not built yet" if number in catalogue()["figures"] else "not in the paper, which has 33"
        raise UserError(f"figure {number} is {what}; there are: {', '.join(figures())}")
    if not panel:
        return parts
    for part in parts:
        if panel in part.module.PANELS:
            return [replace(part, panel=panel)]
    if panel in str(catalogue()["figures"].get(number, {}).get("panels", "")):
        raise UserError(f"panel {panel} of figure {number} is not built yet")
    letters = [letter for part in parts for letter in part.module.PANELS]
    raise UserError(f"figure {number} has no panel {panel}{did_you_mean(panel, letters)}")


def needs(chosen: Iterable[Figure], scale: Scale) -> dict[str, list[Need]]:
    """The needs of the chosen figures and panels, by the figure's number."""
    found: dict[str, list[Need]] = {}
    for figure in chosen:
        found.setdefault(str(figure.number), []).extend(figure.needs(scale))
    return found


@cache
def catalogue() -> dict[str, dict[int, dict[str, str]]]:
    """Every figure and table of the paper: number → subject and kind, built or not."""
    path = checkout() / "experiments" / "catalogue.yaml"
    found: dict[str, dict[int, dict[str, str]]] = yaml.safe_load(path.read_text())
    return found
