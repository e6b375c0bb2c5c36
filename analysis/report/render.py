"""Pages from templates: every value escaped, a missing one refused."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.report.words import FILTERS

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= FILTERS
    # Data in a page is read by its script alone: compact, and no number that JSON does not know.
    found.policies["json.dumps_kwargs"] = {
        "separators": (",", ":"),
        "allow_nan": False,
        "ensure_ascii": False,
    }
    return found


def rendered(template: str, **values: Any) -> str:
    """The page of a template."""
    return _environment().get_template(template).render(**values)
