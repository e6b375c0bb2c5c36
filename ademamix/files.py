"""Writing a file so that a reader sees the old one or the new one, never a part."""

import json
import os
from pathlib import Path
from typing import Any


def write_atomically(path: Path, content: bytes) -> None:
    """Write under a temporary name beside `path`, flush to disk, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = scratch_beside(path)
    try:
        with scratch.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """`value` as indented JSON with a final newline, written atomically."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, text.encode())


def scratch_beside(path: Path) -> Path:
    """A temporary name in the same folder, one for each process."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")
