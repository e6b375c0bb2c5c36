"""metrics.jsonl: means of the training loss, and observations, one line per logged step."""

import math
import os
from typing import Any

import torch
from torch import Tensor

from ademamix.store import Row, Run, line, read_rows


def rounded(value: float) -> float | None:
    """Seven significant digits, what an fp32 number holds; None for what is not finite."""
    return float(f"{value:.7g}") if math.isfinite(value) else None


class LossBuffer:
    """Losses and gradient norms since the last logged step, kept on the device until then.

    Reading them only when a line is logged spares a synchronisation per step on a GPU. Norms are of before
    clipping (`grad_norm`) and, with clipping, of after it too (`grad_norm_clipped`).
    """

    def __init__(self, length: int, device: torch.device, clipping: float | None = None) -> None:
        self.length = length
        self.clipping = clipping
        self.values = torch.zeros(2, length, device=device)
        self.first = 0  # the step before the first one held
        self.count = 0

    def add(self, loss: Tensor, norm: Tensor) -> None:
        self.values[0, self.count] = loss
        self.values[1, self.count] = norm
        self.count += 1

    def extend(self, values: Tensor) -> None:
        """As `add`, of several steps: (losses and norms, steps)."""
        self.values[:, self.count : self.count + values.shape[1]] = values
        self.count += values.shape[1]

    def close(self) -> tuple[Row | None, int | None]:
        """The means as a row, and the first step whose loss was not finite (None: all were).

        The row covers the steps before that one, and is None when there are none. Empties the buffer.
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
        """Go on from `state`, of a buffer that may have been longer."""
        self.first, self.count = state["first"], state["count"]
        self.values = self.values.new_zeros(2, self.count + self.length)
        self.values[:, : self.count] = state["values"]


class Metrics:
    """The open metrics file of a run; cut, at the start, after the step training resumes from."""

    def __init__(self, run: Run, resume_from: int) -> None:
        self._run = run
        self._open(row for row in read_rows(run.metrics_path) if _step(row) <= resume_from)

    def _open(self, rows: Any) -> None:
        self._run.write_metrics(list(rows))
        self._file = self._run.metrics_path.open("a", buffering=1)

    def write(self, row: Row) -> None:
        self._file.write(line(row))

    def end_before(self, step: int, last: Row | None) -> None:
        """Leave out what was logged from the step on at which the run turned out to have diverged.

        `last`: the means of the steps just before.
        """
        self.close()
        rows = {_step(row): row for row in read_rows(self._run.metrics_path) if _step(row) < step}
        if last:
            rows[_step(last)] = {**last, **rows.get(_step(last), {})}
        self._open(rows[s] for s in sorted(rows))

    def sync(self) -> None:
        """Everything written so far is on the disk when this returns."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def _step(row: Row) -> int:
    step = row["step"]
    assert step is not None
    return int(step)
