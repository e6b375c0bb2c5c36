"""Checkpoints that are whole or are not used.

A checkpoint is `<step>.pt`, written under a temporary name and renamed, and then `<step>.json` with
its size and hash. Without the latter, or when the two disagree, it does not count.
"""

import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any

import torch

from ademamix.files import scratch_beside, write_json
from ademamix.store import Run


def save(run: Run, step: int, state: dict[str, Any]) -> None:
    """Write checkpoint `step`: the state after that many updates."""
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    path = run.checkpoint_path(step)
    scratch = scratch_beside(path)
    try:
        with scratch.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        digest = _digest(scratch)
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
    write_json(path.with_suffix(".json"), {"size": path.stat().st_size, "sha256": digest})


def load(run: Run, step: int, device: torch.device) -> dict[str, Any] | None:
    """The state of checkpoint `step` on `device`, or None when it is missing or damaged."""
    path = run.checkpoint_path(step)
    try:
        marker = json.loads(path.with_suffix(".json").read_text())
        if {"size": path.stat().st_size, "sha256": _digest(path)} != marker:
            raise ValueError("it does not match its checksum")
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        return state
    except (OSError, ValueError, RuntimeError) as error:
        if path.with_suffix(".json").exists():
            warnings.warn(f"checkpoint {path} is not usable: {error}", stacklevel=2)
        return None


def latest(run: Run, device: torch.device) -> dict[str, Any] | None:
    """The state of the newest usable checkpoint; damaged ones are passed over with a warning."""
    for step in sorted(run.checkpoint_steps(), reverse=True):
        if (state := load(run, step, device)) is not None:
            return state
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
