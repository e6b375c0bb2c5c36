"""Where the repository is: experiments, configs and figures live beside the package."""

from functools import cache
from pathlib import Path

from ademamix.errors import UserError


@cache
def checkout() -> Path:
    """The root of the checkout, or a UserError when only the package is installed."""
    root = Path(__file__).resolve().parent.parent
    if not (root / "experiments").is_dir():
        raise UserError(
            "the reproduction suite is used from a checkout: clone the repository and run make there "
            "(the optimizer alone works as installed)"
        )
    return root
