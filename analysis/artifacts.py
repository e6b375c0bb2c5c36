"""What the paper shows, as code: a figure or a table is a module with a number, needs, a table and claims."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar, Self

from ademamix.errors import UserError, in_one_line, save_traceback, where_raised
from ademamix.scale import Scale
from ademamix.spec import Need

if TYPE_CHECKING:
    import pandas as pd

    from analysis.claims import Claim
    from analysis.results import Results
    from analysis.typeset import PaperTable


@dataclass(frozen=True)
class Artifact:
    """A figure or a table, as its module under experiments/ defines it."""

    KIND: ClassVar[str]
    number: int
    module: ModuleType
    folder: Path
    panel: str = ""

    @property
    def name(self) -> str:
        """'figure-12', 'figure-12a' or 'table-7': the stem of its files."""
        digits = f"{self.number:02d}" if self.KIND == "figure" else str(self.number)
        return f"{self.KIND}-{digits}{self.panel}"

    @property
    def label(self) -> str:
        """'Figure 12', 'Figure 12a' or 'Table 7', for people."""
        return f"{self.KIND.capitalize()} {self.number}{self.panel}"

    @property
    def title(self) -> str:
        return str(self.module.TITLE)

    @property
    def whole(self) -> Self:
        """What its module defines, all panels: claims are judged on them together."""
        return replace(self, panel=getattr(self.module, "PANEL", ""))

    @property
    def exact(self) -> bool:
        """Whether it needs no training, and so no scale."""
        return bool(getattr(self.module, "EXACT", False))

    @property
    def trains(self) -> bool:
        """Whether it may need runs."""
        return not self.exact and hasattr(self.module, "needs")

    @property
    def claims(self) -> "list[Claim]":
        """What the paper says of it."""
        return list(getattr(self.module, "CLAIMS", ()))

    @property
    def judged_with(self) -> str:
        """The figure whose claims are its own, too: '1'; '' where it has its own."""
        return str(getattr(self.module, "JUDGED_WITH", ""))

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """What its module raises is a UserError that names the line, so that the others can go on."""
        try:
            yield
        except (UserError, OSError):
            raise
        except Exception as error:
            raise mistake(error, self.folder) from error

    def needs(self, scale: Scale) -> list[Need]:
        """What it, or its one panel, needs at `scale`."""
        if not self.trains:
            return []
        with self.blamed():
            found: list[Need] = self.module.needs(scale)
        return [need for need in found if not self.panel or need.panel == self.panel]

    @property
    def stated(self) -> bool:
        """Whether it states the paper's set-ups."""
        return False

    @property
    def measured(self) -> bool:
        """Whether it shows a measurement of the machine rather than runs."""
        return hasattr(self.module, "measure")

    def measured_runs(self, scale: Scale) -> list[str]:
        """The ids of the runs whose training a measurement is of."""
        with self.blamed():
            return [spec.id for spec in self.module.measured_runs(scale)]

    def tabulate(self, results: "Results") -> "pd.DataFrame":
        """The long table (`tables.COLUMNS`) of what its runs came to: all that it shows and judges."""
        return self.module.table(results)


def mistake(error: BaseException, folder: Path) -> UserError:
    """A mistake in a module of `folder`, as one line that says where it is."""
    saved = save_traceback(error)
    where = where_raised(error, folder.parent) or folder.name
    return UserError(f"experiments/{where}: {in_one_line(error)}; mend it (the traceback is in {saved})")


@dataclass(frozen=True)
class Figure(Artifact):
    """A figure, or one panel of it when `panel` is not empty.

    A module with a PANEL defines that panel alone: one that trains nothing, of a figure whose other
    panels do, such as 3a and 5a.
    """

    KIND = "figure"

    @property
    def panels(self) -> str:
        """The letters of its panels."""
        return str(self.module.PANELS)


@dataclass(frozen=True)
class Table(Artifact):
    """A table: the paper's values, and at a scale the scale's own beside them.

    One that states set-ups follows from the configurations. One of trained models has `needs`, and `values`
    that make its csv, from which it is typeset and judged as a figure is drawn and judged.
    """

    KIND = "table"

    @property
    def stated(self) -> bool:
        return not self.trains

    def tabulate(self, results: "Results") -> "pd.DataFrame":
        return self.module.values(results)

    def typeset(self, scale: Scale | None, frame: "pd.DataFrame | None" = None) -> "PaperTable":
        """Its cells: the paper's values alone, or a scale's beside them; `frame`: its csv, where trained."""
        return self.module.table(scale, frame) if self.trains else self.module.table(scale)


@dataclass(frozen=True)
class Contents:
    """All that the paper shows: what is defined of it, and a line on each, defined or not."""

    figures: Mapping[str, Figure]
    tables: Mapping[str, Table]
    catalogue: Mapping[str, Mapping[int, Mapping[str, str]]]

    @property
    def artifacts(self) -> list[Artifact]:
        """All figures, then all tables."""
        return [*self.figures.values(), *self.tables.values()]


def needs(chosen: Iterable[Artifact], scale: Scale) -> dict[str, list[Need]]:
    """The needs of the chosen figures, panels and tables, by number ('12') and 'table 7'."""
    found: dict[str, list[Need]] = {}
    for artifact in chosen:
        name = str(artifact.number) if isinstance(artifact, Figure) else f"table {artifact.number}"
        found.setdefault(name, []).extend(artifact.needs(scale))
    return found
