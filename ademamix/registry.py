"""The figures that are defined: every `figure*.py` under experiments/ whose NUMBER says which it is."""

import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
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
    """A figure, or one panel of it when `panel` is not empty."""

    number: int
    module: ModuleType
    folder: Path
    panel: str = ""

    @property
    def name(self) -> str:
        """'figure-12' or 'figure-12a': the stem of its files."""
        return f"figure-{self.number:02d}{self.panel}"

    @property
    def exact(self) -> bool:
        """Whether it needs no training, and so no scale."""
        return bool(getattr(self.module, "EXACT", False))

    def needs(self, scale: Scale) -> list[Need]:
        """What it, or its one panel, needs at `scale`."""
        if self.exact:
            return []
        found: list[Need] = self.module.needs(scale)
        return [need for need in found if not self.panel or need.panel == self.panel]


@cache
def figures() -> dict[int, Figure]:
    """All defined figures by number."""
    found = {}
    for path in sorted((checkout() / "experiments").glob("fig*/figure*.py")):
        module = importlib.import_module(f"experiments.{path.parent.name}.{path.stem}")
        found[module.NUMBER] = Figure(module.NUMBER, module, path.parent)
    return dict(sorted(found.items()))


def figure(name: str) -> Figure:
    """The figure called '12', or its panel '12a'; a UserError names what there is."""
    match = re.fullmatch(r"(\d+)([a-z]?)", name.strip().lower())
    defined = figures()
    if not match:
        raise UserError(f"'{name}' is not a figure; write a number, and a letter for one panel: 12, 12a")
    number, panel = int(match[1]), match[2]
    if number not in defined:
        listed = ", ".join(map(str, defined))
        known = catalogue()["figures"]
        what = "not built yet" if number in known else "not in the paper, which has 33"
        raise UserError(f"figure {number} is {what}; there are: {listed}")
    found = defined[number]
    panels = getattr(found.module, "PANELS", "")
    if panel and panel not in panels:
        raise UserError(f"figure {number} has no panel {panel}{did_you_mean(panel, panels)}")
    return Figure(found.number, found.module, found.folder, panel)


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
