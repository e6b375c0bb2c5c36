"""What a record says of the machine that trained a run."""

import platform
import time
from functools import cache
from typing import Any

import torch

from ademamix import __version__
from ademamix.checkout import commit
from ademamix.rates import processor_here


@cache
def machine(device: torch.device) -> dict[str, Any]:
    """Processor or GPU, threads, versions, date."""
    return {
        "processor": _processor(device),
        "device": device.type,
        "threads": torch.get_num_threads(),
        "platform": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "ademamix": __version__,
        **commit(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _processor(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor_here()
