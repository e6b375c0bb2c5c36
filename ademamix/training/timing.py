"""Seconds per update of several runs, measured side by side on one machine."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ademamix.spec import RunSpec
from ademamix.training.job import Job
from ademamix.training.machine import machine
from ademamix.training.trainer import Trainer


@dataclass(frozen=True)
class Timing:
    """What was measured.

    Attributes:
        seconds: name → seconds per update, one value for each round.
        implementations: name → what makes the optimizer's updates.
        machine: processor or GPU, threads, versions; and the load of the machine before.
    """

    seconds: dict[str, list[float]]
    implementations: dict[str, str]
    machine: dict[str, Any]


def interleaved(
    specs: Mapping[str, RunSpec],
    steps: int,
    rounds: int,
    data_root: Path,
    device: torch.device,
    micro_batch: int | None = None,
) -> Timing:
    """Time `steps` updates of each run in each of the `rounds`, forth and back, after a round to warm up.

    The runs of a round meet the same state of the machine, so that ratios within rounds can be paired.
    Nothing is observed, logged or saved. On CPUs: one thread.
    """
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    trainers = {name: _trainer(spec, steps, data_root, device, micro_batch) for name, spec in specs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in specs}
    for number in range(rounds + 1):
        for name in list(specs)[:: 1 if number % 2 else -1]:
            taken = _time(trainers[name], steps, device)
            if number:
                seconds[name].append(taken / steps)
    return Timing(
        seconds,
        {name: trainer.implementation for name, trainer in trainers.items()},
        {**machine(device), "load before": round(load, 2)},
    )


def _trainer(
    spec: RunSpec, steps: int, data_root: Path, device: torch.device, micro_batch: int | None
) -> Trainer:
    nothing: frozenset[int] = frozenset()
    job = Job(spec, steps, nothing, {}, {}, steps, checkpoint_seconds=1e9, micro_batch=micro_batch)
    return Trainer(job, spec.open(data_root, device))


def _time(trainer: Trainer, steps: int, device: torch.device) -> float:
    _wait(device)
    start = time.perf_counter()
    for t in range(trainer.step + 1, trainer.step + steps + 1):
        trainer.update(t)
    trainer.losses.close()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
