"""The csv of a figure, or of a table of trained models: all that drawings, typesetting and claims read."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ademamix.errors import UserError, in_one_line
from ademamix.files import write_atomically, write_json
from ademamix.seal import digest
from ademamix.store import read_json

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["panel", "series", "seed", "x", "y"]
CHANGED = "changed"  # one more, where overrides were applied
AGAIN = "make the figure again, or take it from git"


def tabulate(rows: Iterable[tuple[str, str, int, float, float]]) -> "pd.DataFrame":
    """A long table of (panel, series, seed, x, y)."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=COLUMNS)


def write_table(frame: "pd.DataFrame", path: Path, changed: Sequence[str] = ()) -> None:
    """Write a long table, and beside it what it is and its checksum; equal tables give equal bytes.

    `changed`: overrides that were applied to every run. They are a column of their own, so that no reader
    takes the table for the paper's.
    """
    assert list(frame.columns) == COLUMNS, f"a figure's table has the columns {COLUMNS}"
    if changed:
        frame = frame.assign(**{CHANGED: " ".join(changed)})
    text = frame.to_csv(index=False, float_format="%.9g", lineterminator="\n")
    write_with_checksum(path, text.encode(), changed=list(changed))


def write_with_checksum(path: Path, content: bytes, **about: Any) -> None:
    """Write `content`, and beside it a JSON file with its checksum and what there is to say `about` it."""
    write_atomically(path, content)
    write_json(beside(path), {"file": path.name, **about, "sha256": digest(path)})


def refuse_damaged(path: Path) -> None:
    """Raise UserError where a file is not what its checksum was made of; one without a checksum is taken."""
    note = beside(path)
    if note.exists() and read_json(note).get("sha256") != digest(path):
        raise UserError(f"{path} is not as it was written (see {note.name}); {AGAIN}")


def beside(path: Path) -> Path:
    """The file that says what a table is, and has its checksum."""
    return path.with_suffix(".json")


def read_table(path: Path) -> "pd.DataFrame":
    """A table as it was written; an empty panel stays an empty string. Overrides are in `attrs["changed"]`.

    Raises:
        UserError: it is missing, damaged or not a table.
    """
    import pandas as pd

    if not path.exists():
        raise UserError(f"{path} is missing; {AGAIN}")
    refuse_damaged(path)
    types: dict[str, Any] = {"panel": str, "series": str, CHANGED: str, "seed": int, "x": float, "y": float}
    try:
        frame = pd.read_csv(path, dtype=types, keep_default_na=False)
    except (
        ValueError,
        OverflowError,
    ) as problem:
        raise UserError(f"{path} is damaged ({in_one_line(problem)}); {AGAIN}") from None
    if [name for name in frame.columns if name != CHANGED] != COLUMNS:
        raise UserError(f"{path} has not the columns {', '.join(COLUMNS)}; {AGAIN}")
    if frame.empty or frame[["x", "y"]].isna().any(axis=None):
        raise UserError(f"{path} {'holds no rows' if frame.empty else 'lacks numbers'}; {AGAIN}")
    if (frame["x"] % 1 == 0).all():
        frame["x"] = frame["x"].astype("int64")
    changed = frame.pop(CHANGED).iloc[0] if CHANGED in frame else ""
    frame.attrs["changed"] = changed.split()
    return frame
