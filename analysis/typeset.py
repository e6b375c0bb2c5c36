"""The paper's tables as markdown, LaTeX and csv."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ademamix.files import write_atomically
from analysis.tables import read_table

if TYPE_CHECKING:
    import pandas as pd

    from ademamix.scale import Scale
    from analysis.artifacts import Table


@dataclass(frozen=True)
class Value:
    """One of the values in a cell; `best` ones are bold in the paper."""

    text: str
    best: bool = False


Cell = Sequence[Value]


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper.

    Attributes:
        number: its number in the paper.
        caption: what it says, in our words.
        columns: their headings.
        rows: heading of the row → a cell for each column.
        note: what a reader has to know, in one sentence.
    """

    number: int
    caption: str
    columns: Sequence[str]
    rows: Mapping[str, Sequence[Cell]]
    note: str = ""

    @property
    def name(self) -> str:
        """The stem of its files."""
        return f"table-{self.number}"


def number(value: float | None) -> str:
    """A number as people write it: 0.9999, 1e-3, 3,000; 'none' for None."""
    if value is None:
        return "none"
    if value >= 1_000:
        return f"{value:,.0f}"
    if value == 0 or value >= 0.01:
        return f"{value:.6g}"
    digits, _, exponent = f"{value:.2e}".partition("e")
    return f"{float(digits):g}e{int(exponent)}"


def markdown(table: PaperTable) -> str:
    """A pipe table under its caption."""
    frame = _frame(table, lambda v: f"**{v.text}**" if v.best else v.text)
    note = f"\n{table.note}\n" if table.note else ""
    # Every cell is text already; without disable_numparse 0.90 would lose its zero.
    body = frame.to_markdown(index=False, disable_numparse=True)
    return f"**Table {table.number}.** {table.caption}\n\n{body}\n{note}"


TEX = {  # applied in this order
    "_": r"\_",
    "%": r"\%",
    "·": r"$\cdot$",
    "−": "$-$",
    "β1": r"$\beta_1$",
    "β2": r"$\beta_2$",
    "β3": r"$\beta_3$",
    "β": r"$\beta$",
    "α": r"$\alpha$",
    "λ": r"$\lambda$",
    "–": "--",
}


def latex(table: PaperTable) -> str:
    """A table environment; needs the package booktabs."""

    def escaped(text: str) -> str:
        for plain, tex in TEX.items():
            text = text.replace(plain, tex)
        return text.replace("`", "")

    def cell(value: Value) -> str:
        text = escaped(value.text)
        return rf"\textbf{{{text}}}" if value.best else text

    frame = _frame(table, cell).rename(columns=escaped)
    headings = frame.columns[0]
    frame[headings] = frame[headings].map(escaped)
    frame = frame.replace("–", "--")
    caption = escaped(f"{table.caption} {table.note}".strip())
    label = f"tab:{table.name}"
    text = frame.to_latex(index=False, escape=False, caption=caption, label=label, position="t")
    return text.replace("[t]\n", "[t]\n\\centering\n\\footnotesize\n", 1)


def csv(table: PaperTable) -> str:
    """A line for each value: row, column, value, best (whether it is bold in the paper)."""
    import pandas as pd

    lines = [
        (row, column, value.text, str(value.best).lower())
        for row, cells in table.rows.items()
        for column, cell in zip(table.columns, cells, strict=True)
        for value in cell
    ]
    frame = pd.DataFrame(lines, columns=["row", "column", "value", "best"])
    return frame.to_csv(index=False, lineterminator="\n")


def write_typeset(table: "Table", scale: "Scale | None", folder: Path) -> list[Path]:
    """Write a table into `folder`, as markdown, LaTeX and csv.

    At a scale, one of trained models is typeset from the csv that is there, which stays as it is.
    """
    path = folder / f"{table.name}.csv"
    from_runs = scale is not None and table.trains
    made = table.typeset(scale, read_table(path) if from_runs else None)
    texts = {"md": markdown(made), "tex": latex(made)} | ({} if from_runs else {"csv": csv(made)})
    for suffix, text in texts.items():
        write_atomically(path.with_suffix(f".{suffix}"), text.encode())
    return [path.with_suffix(f".{suffix}") for suffix in ("md", "csv", "tex")]


def _frame(table: PaperTable, written: Callable[[Value], str]) -> "pd.DataFrame":
    import pandas as pd

    rows = [
        [row, *(", ".join(written(value) for value in cell) or "–" for cell in cells)]
        for row, cells in table.rows.items()
    ]
    return pd.DataFrame(rows, columns=["", *table.columns])
