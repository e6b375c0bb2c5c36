"""What the task definitions beside this compute."""

from typing import Any

REASONING = {"math-prm", "hep-cpp", "hep-go", "hep-java", "hep-js", "hep-python", "hep-rust"}


def reasoning(documents: Any) -> Any:
    """The pairs of the category `reasoning`."""
    return documents.filter(lambda document: document["subset"] in REASONING)
