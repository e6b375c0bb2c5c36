"""What this machine has to run on, asked without importing torch."""

import os
import shutil
import subprocess

from ademamix.errors import UserError
from ademamix.scale import Scale


def devices(at: Scale, jobs: int | None, asked: str | None = None, ranks: int = 1) -> list[str]:
    """One device name for each process: GPUs where the scale is for them, otherwise cores.

    Args:
        at: the scale.
        jobs: runs at a time; None: as many as there are GPUs or cores for.
        asked: 'cpu' or 'cuda', in place of the scale's own.
        ranks: processes for each run; those of one run follow each other, each on a GPU of its own.

    Raises:
        UserError: there are no GPUs where they are needed, or fewer than one run is to have.
    """
    on_gpu = asked == "cuda" or (asked is None and at.device == "auto")
    gpus = count_gpus() if on_gpu else 0
    if on_gpu and not gpus:
        what = f"scale {at.name} is for GPUs" if asked is None else "--device cuda was asked for"
        raise UserError(
            f"{what}, and this machine shows none (nvidia-smi -L); --device cpu trains on cores instead"
        )
    if gpus:
        if ranks > gpus:
            raise UserError(f"--gpus-per-run {ranks}: this machine shows {gpus}; ask for {gpus} or fewer")
        return [f"cuda:{i % gpus}" for i in range((jobs or gpus // ranks) * ranks)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ["cpu"] * ((jobs or max(1, cores // ranks)) * ranks)


def count_gpus() -> int:
    """GPUs that CUDA will see: those named in CUDA_VISIBLE_DEVICES, otherwise all that the driver lists."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        count = 0
        for name in (part.strip() for part in visible.split(",")):
            if not name or name.startswith("-"):  # CUDA reads the list up to the first name it cannot use
                break
            count += 1
        return count
    if not shutil.which("nvidia-smi"):
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def gpu_memory() -> float | None:
    """Bytes of the smallest GPU's memory; None where there is none, or nobody says."""
    if not count_gpus() or not shutil.which("nvidia-smi"):
        return None
    asked = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    found = [float(line) * 2**20 for line in done.stdout.split("\n") if line.strip().isdecimal()]
    return min(found, default=None)
