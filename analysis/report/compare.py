"""The page that shows runs beside each other."""

from pathlib import Path

from ademamix.errors import UserError
from ademamix.files import write_atomically
from analysis.report.comparison import Comparison
from analysis.report.render import rendered

MOST = 10_000_000  # bytes of a page: larger ones load slowly, and draw slower


def compare_page(found: Comparison, title: str, live: float | None = None, template: str = "compare.html.j2",
                 **more: object) -> str:  # fmt: skip
    """The page of a comparison.

    Args:
        live: seconds after which it asks its server for a newer one; None: it stands as it is.
        template: one that extends the usual one, with `more` values of its own.

    Raises:
        UserError: there is nothing to show, or too much for a page.
    """
    if not found.runs and live is None:
        raise UserError("no such runs; 'ademamix runs' lists those there are")
    units = {"images" if run.spec.task == "vision" else "tokens" for run in found.runs if run.spec}
    text = rendered(
        template,
        found=found,
        title=title,
        live=live,
        differing=[setting for setting in found.settings if setting.differs],
        same=[setting for setting in found.settings if not setting.differs],
        units=" or ".join(sorted(units)) or "tokens",
        **more,
    )
    if (size := len(text.encode())) > MOST:
        raise UserError(
            f"{len(found.runs)} runs make a page of {size / 1e6:.0f} MB, which browsers are slow to show; "
            "choose fewer, with --figure, --scale, --state or --where"
        )
    return text


def write_compare(found: Comparison, title: str, path: Path) -> None:
    """Write the page of a comparison to a file that opens from disk."""
    write_atomically(path, compare_page(found, title).encode())
