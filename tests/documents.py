"""Code blocks of the documentation, run as they stand."""

import re

from ademamix.checkout import checkout


def block(page: str, language: str = "python", number: int = 0) -> str:
    """A fenced block of docs/`page`."""
    text = (checkout() / "docs" / page).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)[number]
