"""The pages of the report, from a template."""

from collections.abc import Sequence
from pathlib import Path

from ademamix.files import write_atomically
from analysis.artifacts import Contents
from analysis.claims import VERDICTS
from analysis.report.facts import pages


def write_report(contents: Contents, root: Path, out: Path) -> list[Path]:
    """Write `out`/<scale>/index.html for every scale that has results, and `out`/index.html over them."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = pages(contents, root, out)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"value": value, "interval": interval, "shape": SHAPES.__getitem__}
    found = [out / page.name / "index.html" for page in made]
    template = environment.get_template("page.html.j2")
    for page, path in zip(made, found, strict=True):
        write_atomically(path, template.render(page=page, pages=made, verdicts=VERDICTS).encode())
    front, template = out / "index.html", environment.get_template("front.html.j2")
    write_atomically(front, template.render(pages=made, verdicts=VERDICTS).encode())
    return [front, *found]


# Told apart without colour, as in the overview.
SHAPES = {"reproduced": "●", "not reproduced": "✖", "inconclusive": "◆", "not run": "○"}


def value(of: float | str) -> str:
    """An effect's value as people read it."""
    return of if isinstance(of, str) else f"{of:.4g}"


def interval(of: Sequence[float] | None) -> str:
    """'[0.01, 0.03]'; exact values have none, unknown spreads say so."""
    if of is None:
        return "spread unknown"
    low, high = of
    return "exact" if low == high else f"[{low:.4g}, {high:.4g}]"
