"""What a figure does more or less of at each scale: numbers in a dials.yaml beside its module.

injected_batches: {smoke: 2, cpu: 12, gpu: 4}    # elsewhere the default, the paper's own
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ademamix.errors import UserError
from ademamix.scale import Scale, scales


def dial(module: str, name: str, default: Any) -> Callable[[Scale], Any]:
    """Scale → the dial called `name` in the folder of `module` (its `__file__`); else the `default`."""
    folder = Path(module).parent
    return lambda scale: _dials(folder)[name].get(scale.name, default)


@cache
def _dials(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / "dials.yaml"
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())
    for name, by_scale in found.items():
        if unknown := by_scale.keys() - scales().keys():
            raise UserError(f"{path}: {name} names the unknown scale '{min(unknown)}'")
    return found


def thinned(values: Sequence[float], most: int | None) -> list[float]:
    """The values of a grid's axis, or at most so many of them, evenly spaced."""
    n = min(most or len(values), len(values))
    return [values[round(i * (len(values) - 1) / max(1, n - 1))] for i in range(n)]
