"""Figures as png, pdf and svg, from their tables."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ademamix.errors import Problems
from ademamix.scale import Scale, scales
from analysis import overview
from analysis.artifacts import Artifact, Figure
from analysis.caption import caption
from analysis.judge import folders, has_table
from analysis.noise import read_noise
from analysis.style import FORMATS, PAPER, Look
from analysis.tables import read_table
from analysis.verdicts import read_claims

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

# No dates, so that drawing twice gives the same bytes.
UNDATED = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}


def write_drawing(
    figure: Figure,
    table: Path,
    out: Path,
    look: Look = PAPER,
    scale: Scale | None = None,
    settings: Sequence[str] = (),
) -> list[Path]:
    """Draw `figure` (or its one panel) from the csv `table` into `out`.

    `scale`: that of the runs, with their seeds; by default the one whose folder the table is in. `settings`:
    overrides that were applied to every run.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    frame = read_table(table)
    settings = settings or frame.attrs["changed"]
    if figure.panel:
        frame = frame[frame["panel"] == figure.panel]
    scale = None if figure.exact else scale or scales().get(table.parent.name)
    frame.attrs["scale"] = scale  # for the axis of the paper's steps
    frame.attrs["noise"] = read_noise(table.parent / "noise.csv")  # for the bands of single seeds
    with plt.rc_context(look.settings()):
        with figure.blamed():
            drawing = figure.module.draw(frame)
        drawing.set_figheight(look.heights * drawing.get_figheight())
        words = caption(figure, scale, settings, frame["seed"].unique().tolist()) if scale else ""
        return saved(drawing, out / figure.name, words, look.formats)


def write_overview(artifacts: Sequence[Artifact], folder: Path, out: Path, look: Look = PAPER) -> list[Path]:
    """All verdicts of `folder`/claims.json on one page, `out`/overview.*; none where nothing is judged."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    verdicts = read_claims(folder / "claims.json")
    titles = {a.whole.name: f"{a.title.partition(' (')[0].rstrip('.')}  {_short(a)}" for a in artifacts}
    with plt.rc_context(look.settings()):
        drawing = overview.draw(verdicts, titles, folder.name)
        return saved(drawing, out / "overview", formats=look.formats) if drawing else []


def _short(artifact: Artifact) -> str:
    """'12', '3a', 'Table 1': what its row is called."""
    return f"{artifact.number}{artifact.whole.panel}" if isinstance(artifact, Figure) else artifact.label


def saved(drawing: "Drawing", stem: Path, words: str = "", formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write a drawing in each of `formats`, named after `stem`, and close it; `words`: what it is of."""
    from matplotlib import pyplot as plt

    _set_as_mathematics(drawing)
    if words:
        _sign(drawing, words)
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in formats]
    _lay_out(drawing)
    with plt.rc_context({"figure.constrained_layout.use": False}):  # so that None is none
        drawing.set_layout_engine(None)
        for path, suffix in zip(paths, formats, strict=True):
            drawing.savefig(path, metadata=UNDATED[suffix])
    plt.close(drawing)
    return paths


def _lay_out(drawing: "Drawing") -> None:
    """Lay it out once, as a png, for all formats; else each would be drawn twice, once for that alone."""
    from matplotlib import rcParams

    if (engine := drawing.get_layout_engine()) and drawing.axes:
        before = drawing.dpi
        drawing.set_dpi(rcParams["savefig.dpi"])
        engine.execute(drawing)
        drawing.set_dpi(before)


# β3 and T_α as people write them in tables and on the command line; as mathematics in a drawing.
SUBSCRIPTS = re.compile(r"(?<![$\w])(?:([βθmλ])([1-4])|([A-Za-zβθ])_([A-Za-zατβ]\d?))(?![\w$])")


def _set_as_mathematics(drawing: "Drawing") -> None:
    """Letters with subscripts, in every text of a drawing."""
    from matplotlib.text import Text

    for text in drawing.findobj(Text):
        assert isinstance(text, Text)
        if "$" not in (plain := text.get_text()):
            text.set_text(SUBSCRIPTS.sub(lambda m: f"${m[1] or m[3]}_{{{m[2] or m[4]}}}$", plain))


def _sign(drawing: "Drawing", words: str) -> None:
    """What the drawing is of, small, below."""
    text = drawing.supxlabel(words, x=0.01, ha="left", fontsize="xx-small", color="0.4", wrap=True)
    text.set_in_layout(True)


def redraw(
    figures: Sequence[Figure], scale: str | None, root: Path, out: Path | None, look: Look = PAPER
) -> Iterator[Path]:
    """Draw again every figure that has a table, at one scale or at all.

    Raises:
        UserError: tables are missing or damaged; the others were drawn.
    """
    problems = Problems()
    for folder in folders(root, scale):
        for figure in figures:
            own = folder / f"{figure.name}.csv"
            table = own if own.exists() else folder / f"{figure.whole.name}.csv"
            with problems.collecting():
                if has_table(figure, folder):
                    yield from write_drawing(figure, table, (out or root) / folder.name, look)
    problems.raise_any()
