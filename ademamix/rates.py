"""Rates that `make bench` has measured on this machine, for estimates of hours. Imports no torch."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ademamix.checkout import checkout
from ademamix.errors import UserError
from ademamix.optimizers import OptimizerConfig
from ademamix.scale import Scale, scale
from ademamix.spec import RunSpec
from ademamix.store import read_json

KINDS = ("adamw", "ademamix")  # the optimizers that are measured


@dataclass(frozen=True)
class Rates:
    """Tokens (or images) a second of one worker at a scale.

    Attributes:
        processor: on which they were measured, which is this machine's; '' when none were.
        found: (set-up, 'adamw' or 'ademamix') → the rate.
    """

    processor: str = ""
    found: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def of(self, size: str, spec: RunSpec) -> float | None:
        """That of a run of a set-up; None where none was measured.

        An optimizer counts as AdEMAMix when it has a slow EMA, otherwise as AdamW.
        """
        slow = OptimizerConfig.member(spec.optimizer.kind).HAS_SLOW_EMA
        return self.found.get((size, "ademamix" if slow else "adamw"))


def measured(at: Scale, folder: Path | None = None) -> Rates:
    """What was measured on the device that a scale trains on here, while the machine had little else to do.

    `folder`: of results; by default benchmarks/results of the checkout.
    """
    path = _results(at, "training", folder)
    if not path.exists():
        return Rates()
    result = read_json(path)
    try:
        name = str(result["machine"]["processor"])
        busy = result["machine"]["load before"] > result["machine"]["cores"] / 2
        runs = _of(at, result["runs"])
        rates = {
            (str(run["size"]), kind): float(run[kind]["tokens per second"])
            for run in runs
            for kind in KINDS
            if kind in run  # otherwise it did not fit in the memory
        }
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path} is not a result of 'make bench'; measure again, or delete it") from None
    return Rates(name, rates) if rates and name == processor(at) and not busy else Rates()


def seconds_a_question(at: Scale, folder: Path | None = None) -> dict[tuple[str, str], float]:
    """(set-up, task) → what a question took this machine, where `benchmarks/evaluation.py` has measured it.

    `folder`: of results; by default benchmarks/results of the checkout.
    """
    path = _results(at, "evaluation", folder)
    if not path.exists():
        return {}
    result = read_json(path)
    try:
        if result["machine"]["processor"] != processor(at):
            return {}
        found = _of(at, result["runs"])
        return {(str(run["size"]), str(run["task"])): float(run["seconds a question"]) for run in found}
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{path} is not a result of benchmarks/evaluation.py; measure again, or delete it"
        ) from None


def _of(at: Scale, runs: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What was measured at a scale, after what was at the one it is like where that trains the same."""
    base = scale(at.like) if at.like else at
    known = [run for run in runs if run["scale"] in (at.name, base.name)]
    found = [r for r in known if r["scale"] == at.name or _speed(at, r["size"]) == _speed(base, r["size"])]
    return sorted(found, key=lambda run: run["scale"] == at.name)


def _speed(at: Scale, size: str) -> tuple[object, ...]:
    """What the speed of a size depends on."""
    return (at.models.get(size), at.data.get(size), at.tasks, at.precision, at.micro_batch, at.captured,
            at.compiled, at.device)  # fmt: skip


def _results(at: Scale, of: str, folder: Path | None) -> Path:
    """The file of results on the kind of device that a scale trains on."""
    device = "cpu" if at.device == "cpu" else "cuda"
    return (folder or checkout() / "benchmarks" / "results") / f"{of}-{device}.json"


def processor(at: Scale) -> str:
    """What a scale trains on here, by name."""
    return processor_here() if at.device == "cpu" else gpu_here()


def processor_here() -> str:
    """The name of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or os.uname().machine


@cache
def gpu_here() -> str:
    """The name of this machine's first GPU, as torch calls it; '' where there is none."""
    if not shutil.which("nvidia-smi"):
        return ""
    asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines() if done.returncode == 0 else []
    return lines[0].strip() if lines else ""
