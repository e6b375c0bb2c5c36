"""Where the repository is: experiments, configs and figures live beside the package."""

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

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


def data_root() -> Path:
    """Where prepared data lives: what ADEMAMIX_DATA names (--data sets it), or data/ in the checkout."""
    return Path(os.environ.get("ADEMAMIX_DATA") or checkout() / "data")


@cache
def commit() -> dict[str, Any]:
    """The commit of the checkout, and whether files that it tracks were changed; nothing without git."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        now, changed = (
            subprocess.run([*git, *command], capture_output=True, text=True, check=True).stdout.strip()
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"commit": now, "dirty": bool(changed)}
