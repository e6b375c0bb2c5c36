"""What goes along with a table: its series, found once for all the claims that are measured on them."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

from ademamix.errors import UserError
from ademamix.values import Shared

if TYPE_CHECKING:
    import pandas as pd

PLACE = "series"  # in a frame's attrs


@dataclass(frozen=True, eq=False)
class Series(Shared):
    """The series of one frame, which must not be changed from then on: they would be those of before.

    Claims ask for a hundred of them, each for several numbers; to look through all rows and to sort them for
    every one would take most of the time of judging.
    """

    of: "pd.DataFrame"

    @classmethod
    def found(cls, frame: "pd.DataFrame") -> Self:
        """Those of `frame`, which carries them from now on; its parts get them, too, and make their own."""
        kept = frame.attrs.get(PLACE)
        if not isinstance(kept, cls) or kept.of is not frame:
            frame.attrs[PLACE] = kept = cls(frame)
        return kept

    def by_seed(self, panel: str, series: str, until: float = math.inf) -> dict[int, float]:
        """Seed → the last value of a series up to x = `until`, for the seeds that have one."""
        rows = self.rows(panel, series)
        columns = (rows[name].tolist() for name in ("seed", "x", "y"))
        last = {seed: y for seed, x, y in zip(*columns, strict=True) if x <= until}
        return dict(sorted(last.items()))

    def rows(self, panel: str, series: str) -> "pd.DataFrame":
        """The rows of a series, in the order of x; shared by all who ask, so not to be changed either.

        Raises:
            UserError: the table has none.
        """
        found = self._rows.get((panel, series))
        if found is None:
            raise UserError(f"the table has no series '{series}' in panel '{panel}'; make the figure again")
        return found

    @cached_property
    def begins(self) -> dict[str, float]:
        """Panel → the highest first value of its curves."""
        first = self._sorted.groupby(["panel", "series", "seed"])["y"].first()
        return {str(panel): y for panel, y in first.groupby("panel").max().items()}

    @cached_property
    def lengths(self) -> dict[str, float]:
        """Panel → its last x."""
        return {str(panel): x for panel, x in self.of.groupby("panel")["x"].max().items()}

    @cached_property
    def _sorted(self) -> "pd.DataFrame":
        return self.of.sort_values("x", kind="stable")

    @cached_property
    def _rows(self) -> "dict[tuple[str, str], pd.DataFrame]":
        return dict(iter(self._sorted.groupby(["panel", "series"], sort=False)))  # type: ignore[arg-type]
