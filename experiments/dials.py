"""What a figure does more or less of at each scale: numbers in a dials.yaml beside its module.

injected_batches: {smoke: 2, cpu: 12, gpu: 4}    # elsewhere the default, the paper's own

A scale that is `like` another has that one's dials, where it has none itself.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ademamix.errors import UserError
from ademamix.files import read_yaml
from ademamix.scale import Scale, scales


def dial(module: str, name: str, default: Any) -> Callable[[Scale], Any]:
    """Scale → the dial called `name` in the folder of `module` (its `__file__`); else the `default`."""
    folder = Path(module).parent

    def value(scale: Scale) -> Any:
        dials = _dials(folder)
        if name not in dials:
            raise UserError(f"{folder / 'dials.yaml'} lacks '{name}'")
        return dials[name].get(scale.name, dials[name].get(scale.like, default))

    return value


@cache
def _dials(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / "dials.yaml"
    found = read_yaml(path)
    for name, by_scale in found.items():
        if not isinstance(by_scale, dict):
            raise UserError(f"{path}: {name} needs a value for each scale, such as {{cpu: 12}}")
        if unknown := by_scale.keys() - scales().keys():
            raise UserError(f"{path}: {name} names the unknown scale '{min(unknown)}'")
    return found


def thinned(values: Sequence[float], most: int | None) -> list[float]:
    """The values of a grid's axis, or at most so many of them, evenly spaced."""
    n = min(most or len(values), len(values))
    return [values[round(i * (len(values) - 1) / max(1, n - 1))] for i in range(n)]
