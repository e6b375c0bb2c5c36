"""The figures and tables that are defined: every figure*.py and table*.py here whose NUMBER says which."""

import importlib
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TypeVar

import yaml

from ademamix.errors import UserError, did_you_mean
from analysis.artifacts import Artifact, Contents, Figure, Table

A = TypeVar("A", bound=Artifact)
HERE = Path(__file__).parent


def _defined(kind: type[A]) -> dict[str, A]:
    """All of a kind by name, in the paper's order: '2', '3a', '12'.

    Raises:
        UserError: two modules define the same one.
    """
    found: dict[str, A] = {}
    for path in sorted(HERE.glob(f"*/{kind.KIND}*.py")):
        module = importlib.import_module(f"experiments.{path.parent.name}.{path.stem}")
        artifact = kind(module.NUMBER, module, path.parent).whole
        name = f"{artifact.number}{artifact.panel}"
        if name in found:
            raise UserError(f"{artifact.label} is defined twice, in {found[name].folder} and {path.parent}")
        found[name] = artifact
    return dict(sorted(found.items(), key=lambda item: (item[1].number, item[1].panel)))


@cache
def figures() -> dict[str, Figure]:
    """All figures that are defined."""
    return _defined(Figure)


@cache
def tables() -> dict[str, Table]:
    """All tables that are defined."""
    return _defined(Table)


def artifacts() -> list[Artifact]:
    """All figures, then all tables."""
    return contents().artifacts


@cache
def contents() -> Contents:
    """All that is defined, and the catalogue."""
    return Contents(figures(), tables(), catalogue())


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
        if panel in part.panels:
            return [replace(part, panel=panel)]
    if panel in str(catalogue()["figures"].get(number, {}).get("panels", "")):
        raise UserError(f"panel {panel} of figure {number} is not built yet")
    letters = [letter for part in parts for letter in part.panels]
    raise UserError(f"figure {number} has no panel {panel}{did_you_mean(panel, letters)}")


def named_table(name: str) -> Table:
    """The table called '4', or a UserError that says what there is."""
    if name in tables():
        return tables()[name]
    known = name.isdecimal() and int(name) in catalogue()["tables"]
    what = "not built yet" if known else "not in the paper, which has 8"
    raise UserError(f"table {name} is {what}; there are: {', '.join(tables())}")


@cache
def catalogue() -> dict[str, dict[int, dict[str, str]]]:
    """Every figure and table of the paper: number → subject and kind, built or not."""
    found: dict[str, dict[int, dict[str, str]]] = yaml.safe_load((HERE / "catalogue.yaml").read_text())
    return found
