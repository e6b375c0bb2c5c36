"""The csv of a figure, or of a table of trained models: all that drawings, typesetting and claims read."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ademamix.files import write_atomically

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["panel", "series", "seed", "x", "y"]


def tabulate(rows: Iterable[tuple[str, str, int, float, float]]) -> "pd.DataFrame":
    """A long table of (panel, series, seed, x, y)."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=COLUMNS)


def write_table(frame: "pd.DataFrame", path: Path) -> None:
    """Write a long table; equal tables give equal bytes."""
    assert list(frame.columns) == COLUMNS, f"a figure's table has the columns {COLUMNS}"
    text = frame.to_csv(index=False, float_format="%.9g", lineterminator="\n")
    write_atomically(path, text.encode())


def read_table(path: Path) -> "pd.DataFrame":
    """A table as it was written; an empty panel stays an empty string."""
    import pandas as pd

    return pd.read_csv(path, dtype={"panel": str, "series": str}, keep_default_na=False)
