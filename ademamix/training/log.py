"""metrics.jsonl: means of the training loss, and observations, one line per logged step."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ademamix.files import write_atomically
from ademamix.store import Row, line, read_rows


def rounded(value: float) -> float:
    """Seven significant digits: what an fp32 number holds."""
    return float(f"{value:.7g}")


class Window:
    """Losses and gradient norms since the last logged step, kept on the device until then.

    Reading them only once per window spares a synchronisation per step on a GPU. Norms are of before
    clipping (`grad_norm`) and, with clipping, of after it too (`grad_norm_clipped`).
    """

    def __init__(self, length: int, device: torch.device, clipping: float | None = None) -> None:
        self.clipping = clipping
        self.values = torch.zeros(2, length, device=device)
        self.first = 0  # the step before the first of the window
        self.count = 0

    def add(self, loss: Tensor, norm: Tensor) -> None:
        self.values[0, self.count] = loss
        self.values[1, self.count] = norm
        self.count += 1

    def close(self) -> tuple[Row | None, int | None]:
        """The means as a row, and the first step whose loss was not finite (None: all were).

        The row covers the steps before that one, and is None when there are none. Empties the window.
        """
        losses, norms = self.values[:, : self.count].cpu()
        bad = (~torch.isfinite(losses)).nonzero()
        diverged = self.first + 1 + int(bad[0]) if len(bad) else None
        finite = int(bad[0]) if len(bad) else self.count
        row: Row | None = None
        if finite:
            row = {"step": self.first + finite, "loss": rounded(float(losses[:finite].mean()))}
            # A gradient can overflow a step before the loss does.
            sound = norms[:finite][torch.isfinite(norms[:finite])]
            if len(sound):
                row["grad_norm"] = rounded(float(sound.mean()))
                if self.clipping is not None:
                    row["grad_norm_clipped"] = rounded(float(sound.clamp(max=self.clipping).mean()))
        self.first += self.count
        self.count = 0
        return row, diverged

    def state(self) -> dict[str, Any]:
        return {"values": self.values[:, : self.count].clone(), "first": self.first, "count": self.count}

    def restore(self, state: dict[str, Any]) -> None:
        self.first, self.count = state["first"], state["count"]
        self.values[:, : self.count] = state["values"]


class Metrics:
    """The open metrics file of a run; cut, at the start, after the step training resumes from."""

    def __init__(self, path: Path, resume_from: int) -> None:
        rows = [row for row in read_rows(path) if row["step"] <= resume_from]
        write_atomically(path, "".join(map(line, rows)).encode())
        self._file = path.open("a", buffering=1)

    def write(self, row: Row) -> None:
        self._file.write(line(row))

    def sync(self) -> None:
        """Everything written so far is on the disk when this returns."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
