"""The figures and tables that are defined: every figure*.py and table*.py here whose NUMBER says which."""

import importlib
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from ademamix.errors import UserError, did_you_mean
from ademamix.files import read_yaml
from ademamix.scale import Scale
from ademamix.spec import Need
from analysis.artifacts import Artifact, Contents, Figure, Table, mistake, needs

A = TypeVar("A", bound=Artifact)
HERE = Path(__file__).parent
_problems: dict[Path, UserError] = {}  # module → what is wrong with it


def problems() -> list[UserError]:
    """What was found wrong with modules so far; their figures are left out and the others go on."""
    return list({str(problem): problem for problem in _problems.values()}.values())


def _defined(kind: type[A]) -> dict[str, A]:
    """All of a kind by name, in the paper's order: '2', '3a', '12'.

    Raises:
        UserError: two modules define the same one.
    """
    found: dict[str, A] = {}
    for path in sorted(HERE.glob(f"*/{kind.KIND}*.py")):
        try:
            artifact = _read(kind, path)
        except UserError as problem:
            _problems[path] = problem
            continue
        for other in found.values():
            if _same(artifact, other):
                raise UserError(
                    f"{artifact.label} is defined twice, in {other.module.__name__.replace('.', '/')}.py and "
                    f"{path.relative_to(HERE.parent)}; give one of them another NUMBER, or PANELS"
                )
        found[f"{artifact.number}{artifact.panel}"] = artifact
    return dict(sorted(found.items(), key=lambda item: (item[1].number, item[1].panel)))


def _read(kind: type[A], path: Path) -> A:
    """What a module defines, or a UserError that names the line that is wrong."""
    try:
        module = importlib.import_module(f"experiments.{path.parent.name}.{path.stem}")
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:  # whatever a module may do, such as sys.exit()
        raise mistake(error, path.parent) from error
    if why := _lacks(kind, module):
        raise UserError(f"{path.relative_to(HERE.parent)}: {why}; see docs/adding-a-figure.md")
    return kind(module.NUMBER, module, path.parent).whole


def _lacks(kind: type[Artifact], module: ModuleType) -> str:
    """What a module does not define as it should; '' when nothing."""
    types: dict[str, type] = {"NUMBER": int, "TITLE": str, "PANEL": str, "CLAIMS": list}
    must, functions = ["NUMBER", "TITLE"], ["table"]
    if kind is Figure:
        types["PANELS"] = str
        must, functions = [*must, "PANELS"], [*functions, "draw"]
        functions += [] if getattr(module, "EXACT", False) else ["needs"]
    missing = [name for name in (*must, *functions) if not hasattr(module, name)]
    if missing:
        return f"it lacks {', '.join(missing)}"
    wrong = [name for name, of in types.items() if not isinstance(getattr(module, name, of()), of)]
    return f"{wrong[0]} is not of type {types[wrong[0]].__name__}" if wrong else ""


def _same(one: Artifact, other: Artifact) -> bool:
    """Whether two modules define the same artifact, or panel of one."""
    panels = [set(getattr(a.module, "PANELS", "")) for a in (one, other)]
    return one.number == other.number and (one.panel == other.panel or bool(panels[0] & panels[1]))


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


def of_scale(scale: Scale) -> list[Artifact]:
    """All artifacts; of a scale that is a check, the figures that it repeats.

    Raises:
        UserError: the check names a figure that is not there.
    """
    if unknown := set(scale.check) - {figure.number for figure in figures().values()}:
        raise UserError(f"scale {scale.name}: check: there is no figure {min(unknown)}")
    return [
        artifact
        for artifact in artifacts()
        if not scale.check or (isinstance(artifact, Figure) and artifact.number in scale.check)
    ]


def needs_of_all(scale: Scale) -> dict[str, list[Need]]:
    """The needs of all of a scale, but for artifacts whose module is wrong: `problems` has these then."""
    found: dict[str, list[Need]] = {}
    for artifact in of_scale(scale):
        try:
            for name, own in needs([artifact], scale).items():
                found.setdefault(name, []).extend(own)
        except UserError as problem:
            _problems[Path(str(artifact.module.__file__))] = problem
    return found


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
    _refuse_wrong(number, parts)
    if not parts:
        what = "not built yet" if number in catalogue()["figures"] else "not in the paper, which has 33"
        raise UserError(f"figure {number} is {what}; there are: {', '.join(figures())}")
    if not panel:
        return parts
    for part in parts:
        if panel in part.panels:  # 3b is all of its module
            return [part if panel == part.panels else replace(part, panel=panel)]
    if panel in str(catalogue()["figures"].get(number, {}).get("panels", "")):
        raise UserError(f"panel {panel} of figure {number} is not built yet")
    letters = [letter for part in parts for letter in part.panels]
    raise UserError(f"figure {number} has no panel {panel}{did_you_mean(panel, letters)}")


def _refuse_wrong(number: int, parts: Iterable[Figure]) -> None:
    """Raise what is wrong with a module of a figure, as far as its file's name tells the number."""
    there = {Path(str(part.module.__file__)) for part in parts}
    for path, problem in _problems.items():
        numbers = re.findall(r"\d+", path.stem) or re.findall(r"\d+", path.parent.name.partition("_")[0])
        if path not in there and str(number) in (str(int(n)) for n in numbers):
            raise problem


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
    path = HERE / "catalogue.yaml"
    try:
        found = read_yaml(path)
        for kind in ("figures", "tables"):
            for number, entry in found[kind].items():
                if not (isinstance(number, int) and {"subject", "kind"} <= entry.keys()):
                    raise ValueError(f"{kind}: {number}: needs a subject and a kind")
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise UserError(f"{path} is damaged ({' '.join(str(problem).split())}); take it from git") from None
    return found
