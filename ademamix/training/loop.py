"""The training loop: from a state to the last step, or to a stop, or to divergence."""

import math
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ademamix.errors import UserError
from ademamix.optim.build import build, lr_at
from ademamix.optim.switch import carry_over
from ademamix.store import Run
from ademamix.training import checkpoint
from ademamix.training.job import Job
from ademamix.training.language import LanguageTask
from ademamix.training.log import Metrics, Window, rounded
from ademamix.training.observe import Observer
from ademamix.training.stop import Stop

SWITCHABLE = {"adamw", "ademamix", "ademamix-convex"}  # between these, and with other values


class Trainer:
    """A run in memory: its model, optimizer and position."""

    def __init__(self, job: Job, task: LanguageTask) -> None:
        self.job = job
        self.task = task
        self.model: nn.Module = task.model()
        self.params = list(self.model.parameters())
        self.optimizer: Optimizer = build(job.spec.optimizer, self.params)
        self.window = Window(job.log_every, task.device, job.spec.clipping)
        self.step = 0
        self.seconds = 0.0  # of training, over all resumes
        self.last_saved = time.monotonic()
        passes = job.micro_batch or job.spec.batch
        self.observer = Observer(task, self.model, self.optimizer, passes, job.observe)

    @property
    def implementation(self) -> str:
        """What makes the optimizer's updates; torch's own AdamW is its fused one."""
        return getattr(self.optimizer, "implementation", "fused")

    def update(self, t: int) -> None:
        """Make the t-th update."""
        spec = self.job.spec
        lr = lr_at(spec.schedule, spec.optimizer.lr, t)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        loss = self._backward(self.task.batch(t))
        norm = nn.utils.get_total_norm([p.grad for p in self.params if p.grad is not None])
        if spec.clipping is not None:
            nn.utils.clip_grads_with_norm_(self.params, spec.clipping, norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.window.add(loss, norm)
        self.step = t

    def _backward(self, windows: Tensor) -> Tensor:
        """Accumulate the gradient of the batch's mean loss, and return that loss."""
        parts = windows.split(self.job.micro_batch or len(windows))
        losses = []
        for part in parts:
            with self._precision():
                loss = self.task.loss(self.model, part) * (len(part) / len(windows))
            loss.backward()
            losses.append(loss.detach())
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def _precision(self) -> AbstractContextManager[Any]:
        if self.job.spec.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.task.device.type, torch.bfloat16)

    def observe(self) -> dict[str, float]:
        """The quantities wanted at this step."""
        self.observer.reach(self.step)
        wanted = [q for q, steps in self.job.observe.items() if self.step in steps]
        with self._precision():
            return {quantity: self.observer.measure(quantity) for quantity in wanted}

    def observed(self) -> dict[str, list[int]]:
        """Quantity → the steps up to now at which it was observed."""
        return {
            quantity: sorted(step for step in steps if step <= self.step)
            for quantity, steps in self.job.observe.items()
        }

    def state(self) -> dict[str, Any]:
        """Everything a checkpoint holds."""
        return {
            "id": self.job.spec.id,
            "step": self.step,
            "seconds": self.seconds,
            "observed": self.observed(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "window": self.window.state(),
            "observer": self.observer.state(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint of this run."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.window.restore(state["window"])
        self.observer.restore(state.get("observer", {}))
        self.step, self.seconds = state["step"], state["seconds"]

    def branch(self, state: dict[str, Any]) -> None:
        """Start from a checkpoint of the trunk."""
        spec = self.job.spec
        assert spec.fork is not None
        self.model.load_state_dict(state["model"])
        before, now = spec.fork.parent.optimizer, spec.optimizer
        if now == before:
            self.optimizer.load_state_dict(state["optimizer"])
        elif {before.kind, now.kind} <= SWITCHABLE:
            try:
                carry_over(state["optimizer"]["state"], self.optimizer)
            except ValueError as problem:
                raise UserError(str(problem)) from None
        else:
            raise UserError(f"a branch cannot go on from {before.kind} with another {now.kind}")
        self.step = self.window.first = state["step"]


def train(trainer: Trainer, metrics: Metrics, run: Run, stop: Stop) -> int | None:
    """Train to the job's last step, or until `stop` is set, with metrics and checkpoints of `run`.

    Returns the first step whose loss, or what was observed after it, was not finite; None when all was.
    """
    job = trainer.job
    since = time.monotonic()
    trainer.observer.reach(trainer.step)

    def save() -> None:
        nonlocal since
        now = time.monotonic()
        trainer.seconds += now - since
        metrics.sync()
        checkpoint.save(run, trainer.step, trainer.state())
        since = trainer.last_saved = time.monotonic()

    for t in range(trainer.step + 1, job.until + 1):
        trainer.update(t)
        row = None
        # Windows close at multiples of log_every, wherever the run started, and at the last step.
        if t % job.log_every == 0 or t == job.until:
            row, diverged = trainer.window.close()
            if diverged is not None:
                if row:
                    metrics.write(row)
                trainer.seconds += time.monotonic() - since
                return diverged
        seen = trainer.observe()
        broken = not all(map(math.isfinite, seen.values()))
        if seen and not broken:
            row = (row or {"step": t}) | {name: rounded(value) for name, value in seen.items()}
        if row:
            metrics.write(row)
        if broken:
            trainer.seconds += time.monotonic() - since
            return t
        if t in job.keep or (t == job.until and job.spec.extendable):
            save()
        elif t < job.until and (stop or time.monotonic() - trainer.last_saved > job.checkpoint_seconds):
            save()
            run.remove_checkpoints_except({*job.keep, *sorted(run.checkpoint_steps())[-2:]})
        if stop:
            break
    trainer.seconds += time.monotonic() - since
    return None
