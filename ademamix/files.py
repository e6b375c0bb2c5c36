"""Writing a file so that a reader sees the old one or the new one, never a part."""

import hashlib
import json
import os
from pathlib import Path
from typing import IO, Any

from ademamix.errors import UserError


def write_atomically(path: Path, content: bytes) -> None:
    """Write under a temporary name beside `path`, flush to disk, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = scratch_beside(path)
    try:
        with scratch.open("wb") as file:
            file.write(content)
            synced(file)
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def synced(file: IO[bytes]) -> None:
    """Everything written to `file` so far is on the disk when this returns."""
    file.flush()
    os.fsync(file.fileno())


def signature(path: Path) -> dict[str, Any]:
    """Size and hash of a file."""
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def write_json(path: Path, value: Any) -> None:
    """`value` as indented JSON with a final newline, written atomically."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, text.encode())


def scratch_beside(path: Path) -> Path:
    """A temporary name in the same folder, one for each process."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file of keys and values, such as those of configs/; {} where it is empty.

    Raises:
        UserError: it cannot be read, or holds something else.
    """
    import yaml

    try:
        found = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; take it from git") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict | None) or not all(isinstance(key, str) for key in found or {}):
        raise UserError(f"{path} has to hold keys and values, as in 'key: value'")
    return found or {}
