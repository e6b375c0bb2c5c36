"""Figures as png and pdf, from their tables."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from analysis.artifacts import Figure
from analysis.judge import folders
from analysis.noise import read_noise
from analysis.tables import read_table


def write_drawing(figure: Figure, table: Path, out: Path) -> list[Path]:
    """Draw `figure` (or its one panel) from the csv `table` into the folder `out`.

    Files carry no dates, so drawing twice gives the same bytes.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    from analysis.style import SETTINGS

    frame = read_table(table)
    if figure.panel:
        frame = frame[frame["panel"] == figure.panel]
    frame.attrs["noise"] = read_noise(table.parent / "noise.csv")  # for the bands of single seeds
    out.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(SETTINGS):
        drawing = figure.module.draw(frame)
        paths = []
        for suffix, metadata in (("png", {"Software": None}), ("pdf", {"CreationDate": None})):
            paths.append(out / f"{figure.name}.{suffix}")
            drawing.savefig(paths[-1], metadata=metadata)
        plt.close(drawing)
    return paths


def redraw(figures: Sequence[Figure], scale: str | None, root: Path, out: Path | None) -> Iterator[Path]:
    """Draw again every figure that has a table, at one scale or at all."""
    for folder in folders(root, scale):
        for figure in figures:
            own = folder / f"{figure.name}.csv"
            table = own if own.exists() else folder / f"{figure.whole.name}.csv"
            if table.exists():
                yield from write_drawing(figure, table, (out or root) / folder.name)
