"""Checkpoints of a run in shards: a folder, `<step>.sharded`, in which each rank writes its own part.

It holds what torch.distributed.checkpoint writes of the tensors in shards, and `rest.pt`: everything else,
as in a checkpoint that is one file, and where in it each of those tensors belongs. So any number of ranks
reads it, one among them.
"""

import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.state_dict_loader import load as load_tensors
from torch.distributed.checkpoint.state_dict_saver import save as save_tensors
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Shard, empty

from ademamix.files import signature, synced

REST = "rest.pt"
SHARDED = "sharded"  # in the rest: name → where it belongs, keys from the outside to the inside
Files = dict[str, dict[str, Any]]  # name → size and hash


def save(folder: Path, state: Any, rank: int, group: distributed.ProcessGroup) -> Files:
    """Write a state, of which each rank of `group` has its part; returns what was written, by whomever.

    On the first rank, `folder` is there in the end, whole. A temporary one stands beside it until then.
    """
    scratch = folder.with_name(f".{folder.name}.tmp")  # of one name for all ranks
    if rank == 0:
        for left in (scratch, folder):  # by one who was killed
            shutil.rmtree(left, ignore_errors=True)
        scratch.mkdir(parents=True)
    distributed.barrier(group)
    tensors, rest = _apart(state)
    writer = FileSystemWriter(scratch, single_file_per_rank=True, sync_files=True)
    save_tensors(tensors, storage_writer=writer, process_group=group)
    if rank == 0:
        with (scratch / REST).open("wb") as file:
            torch.save(rest, file)
            synced(file)
    # Each reads what it has written; the first rank, what belongs to none besides.
    own = [file for file in scratch.iterdir() if _writer_of(file) == rank]
    found: list[Files] = [{}] * distributed.get_world_size(group)
    distributed.all_gather_object(found, {file.name: signature(file) for file in own}, group)
    if rank == 0:
        os.replace(scratch, folder)
    return {name: of_file for files in found for name, of_file in files.items()}


def load(folder: Path, files: Files, device: torch.device, mesh: DeviceMesh | None) -> Any:
    """The state in `folder`: whole, on `device`; or in shards over `mesh`. No rank waits for another.

    Raises:
        ValueError: the files are not the ones that were written.
        OSError, RuntimeError: they cannot be read.
    """
    if {file.name: signature(file) for file in folder.iterdir()} != files:
        raise ValueError("it does not match its checksum")
    rest = torch.load(folder / REST, map_location=device, weights_only=True)
    reader = FileSystemReader(folder)
    stored = reader.read_metadata().state_dict_metadata
    tensors = {key: _room(stored[key], device, mesh) for key in rest[SHARDED]}
    with warnings.catch_warnings():  # that it reads for itself alone, as it is told to
        warnings.filterwarnings("ignore", "torch.distributed is disabled")
        load_tensors(tensors, storage_reader=reader, no_dist=True)
    for key, path in rest.pop(SHARDED).items():
        *outer, last = path
        inner = rest
        for step in outer:
            inner = inner[step]
        inner[last] = tensors[key]
    return rest


def _writer_of(file: Path) -> int:
    """The rank that wrote it: torch calls its files `__<rank>_<number>.distcp`."""
    return int(file.name.split("_")[2]) if file.name.startswith("__") else 0


def _room(stored: Any, device: torch.device, mesh: DeviceMesh | None) -> Tensor:
    dtype = stored.properties.dtype
    if mesh is None:
        return torch.empty(stored.size, dtype=dtype, device=device)
    return empty(*stored.size, dtype=dtype, device_mesh=mesh, placements=[Shard(0)])


def _apart(state: Any) -> tuple[dict[str, Any], Any]:
    """The tensors in shards, by name; and the rest, which says where they belong."""
    found = dict(_sharded(state, ()))
    tensors = {".".join(map(str, path)): tensor for path, tensor in found.items()}
    places = {".".join(map(str, path)): list(path) for path in found}
    return tensors, {**_without(state), SHARDED: places}


def _sharded(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], DTensor]]:
    if isinstance(value, DTensor):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _sharded(inner, (*path, key))


def _without(value: Any) -> Any:
    if isinstance(value, DTensor):
        return None
    return {key: _without(inner) for key, inner in value.items()} if isinstance(value, dict) else value
