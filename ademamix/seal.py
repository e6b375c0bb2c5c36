"""A checksum inside a JSON object, or beside a file: damage is told from what was written."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SEAL = "seal"  # the key


def seal_of(data: Mapping[str, Any], *more: Any) -> str:
    """Sixteen hexadecimal digits, a hash of plain JSON data but for its seal, and of `more` of it."""
    own = {key: value for key, value in data.items() if key != SEAL}
    text = json.dumps([own, *more], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sealed(data: Mapping[str, Any]) -> dict[str, Any]:
    """`data` with its seal."""
    return {**data, SEAL: seal_of(data)}


def broken(data: Mapping[str, Any]) -> bool:
    """Whether `data` is not what was sealed; what has no seal is taken as it is."""
    return SEAL in data and data[SEAL] != seal_of(data)


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
