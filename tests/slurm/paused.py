"""Runs that take as long as a test wants: a language model that waits before each batch.

How long is not part of the run: PAUSE, in seconds, in the environment of the process that trains it.
"""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ademamix.tasks.language import LanguageRun
from ademamix.values import Steps

if TYPE_CHECKING:
    import torch


class PausedRun(LanguageRun):
    task: Literal["paused"] = "paused"
    sequence: Annotated[Steps, "tokens"]

    def open(self, data_root: Path, device: "torch.device") -> Any:
        from ademamix.tasks.language_task import LanguageTask

        class PausedTask(LanguageTask):
            def batch(self, t: int, rows: slice = slice(None)) -> Any:
                time.sleep(float(os.environ.get("PAUSE", "0")))
                return super().batch(t, rows)

        return PausedTask(self, data_root, device)
