"""The pages of the report, from a template."""

from pathlib import Path

from ademamix.files import write_atomically
from analysis.artifacts import Contents
from analysis.claims import VERDICTS
from analysis.report.facts import pages
from analysis.report.render import rendered


def report_pages(contents: Contents, root: Path, out: Path) -> dict[Path, str]:
    """Where every page belongs → its text: `out`/index.html, and `out`/<scale>/index.html for each scale
    that has results.
    """
    made = pages(contents, root, out)
    found = {out / "index.html": rendered("front.html.j2", pages=made, verdicts=VERDICTS)}
    for page in made:
        text = rendered("page.html.j2", page=page, pages=made, verdicts=VERDICTS)
        found[out / page.name / "index.html"] = text
    return found


def write_report(contents: Contents, root: Path, out: Path) -> list[Path]:
    """Write `out`/<scale>/index.html for every scale that has results, and `out`/index.html over them."""
    found = report_pages(contents, root, out)
    for path, text in found.items():
        write_atomically(path, text.encode())
    return list(found)
