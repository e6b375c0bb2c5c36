"""Checkpoints that are whole or are not used.

A checkpoint is `<step>.pt`, written under a temporary name and renamed, and then `<step>.json` with
its size and hash. Without the latter, or when the two disagree, it does not count. Of a run in shards it is a
folder (`shards.py`), whose marker has size and hash of each of its files.
"""

import json
import os
import warnings
from typing import Any

import torch
from torch import distributed
from torch.distributed.device_mesh import DeviceMesh

from ademamix.files import scratch_beside, signature, synced, write_json
from ademamix.store import Run

FILES = "files"  # in the marker of one in shards


def save(run: Run, step: int, state: dict[str, Any]) -> None:
    """Write checkpoint `step`: the state after that many updates."""
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    path = run.checkpoint_path(step)
    scratch = scratch_beside(path)
    try:
        with scratch.open("wb") as file:
            torch.save(state, file)
            synced(file)
        marker = signature(scratch)
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
    write_json(path.with_suffix(".json"), marker)


def save_shards(
    run: Run, step: int, state: dict[str, Any], rank: int, group: distributed.ProcessGroup
) -> None:
    """As `save`, of a state in shards; every rank of `group` does it."""
    from ademamix.training import shards

    path = run.checkpoint_path(step)
    files = shards.save(run.shards_path(step), state, rank, group)
    if rank == 0:
        path.unlink(missing_ok=True)  # a damaged one of the same step
        write_json(path.with_suffix(".json"), {FILES: files})


def load(run: Run, step: int, device: torch.device, mesh: DeviceMesh | None = None) -> dict[str, Any] | None:
    """The state of checkpoint `step` on `device`, or None when it is missing or damaged.

    `mesh`: of the ranks that are to have it in shards. Of a checkpoint in shards each then reads its part;
    one that is a file stays there, whole, until somebody looks into it.
    """
    path = run.checkpoint_path(step)
    try:
        marker = json.loads(path.with_suffix(".json").read_text())
        if FILES in marker:
            from ademamix.training import shards

            return shards.load(run.shards_path(step), marker[FILES], device, mesh)
        if signature(path) != marker:
            raise ValueError("it does not match its checksum")
        at = device if mesh is None else torch.device("cpu")
        state: dict[str, Any] = torch.load(path, map_location=at, weights_only=True, mmap=mesh is not None)
        return state
    except (OSError, ValueError, RuntimeError) as error:
        if path.with_suffix(".json").exists():
            warnings.warn(f"checkpoint {path} is not usable: {error}", stacklevel=2)
        return None


def latest(run: Run, device: torch.device, mesh: DeviceMesh | None = None) -> dict[str, Any] | None:
    """The newest usable checkpoint, as `load` has it; damaged ones are passed over with a warning."""
    for step in sorted(run.checkpoint_steps(), reverse=True):
        if (state := load(run, step, device, mesh)) is not None:
            return state
    return None
