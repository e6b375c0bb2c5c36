"""A run in memory: its model, optimizer and position; one update at a time."""

import hashlib
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ademamix.errors import UserError
from ademamix.optim.switch import carry_over
from ademamix.quantities import Quantity
from ademamix.spec import RunSpec
from ademamix.tasks import Task
from ademamix.training.job import Job
from ademamix.training.log import LossBuffer
from ademamix.training.loss import Loss
from ademamix.training.observe import Observer
from ademamix.training.ranks import ALONE, Ranks


class Trainer:
    """What changes while a run is trained, and how an update changes it."""

    def __init__(self, job: Job, task: Task, ranks: Ranks = ALONE) -> None:
        self.job = job
        self.task = task
        self.ranks = ranks
        self.model: nn.Module = task.model().train()
        self.params = list(self.model.parameters())
        self.loss = Loss(task, self.model, ranks, job.spec.compiled)
        self.optimizer: Optimizer = job.spec.optimizer.build(self._groups())
        self.losses = LossBuffer(job.log_every, task.device, job.spec.clipping)
        self.step = 0
        self.seconds = 0.0  # of training, over all resumes
        self.packed = 1  # runs that were trained in one program with it, itself counted
        passes = job.evaluation_batch or job.micro_batch or job.spec.batch
        self.observer = Observer(task, self.model, self.optimizer, passes, job.observe)

    def _groups(self) -> list[dict[str, Any]]:
        """What the optimizer is built over."""
        return groups(self.model)

    @property
    def implementation(self) -> str:
        """What makes the optimizer's updates."""
        return self.job.spec.optimizer.implementation(self.optimizer)

    def update(self, t: int) -> None:
        """Make the t-th update."""
        spec = self.job.spec
        self.set_rate(t)
        seed_all(spec.seed, t, self.task.device)
        loss = self._backward(t)
        norm = nn.utils.get_total_norm([p.grad for p in self.params if p.grad is not None])
        if spec.clipping is not None:
            nn.utils.clip_grads_with_norm_(self.params, spec.clipping, norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.losses.add(loss, norm)
        self.step = t

    def set_rate(self, t: int) -> None:
        """Give the optimizer the learning rate of update t."""
        lr = self.job.spec.schedule.at(t, self.job.spec.optimizer.lr)
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def scheduled(self) -> dict[str, float]:
        """What the last update was made with of all that changes over the steps: lr, α(t), β3(t)."""
        found = {"lr": self.job.spec.schedule.at(self.step, self.job.spec.optimizer.lr)}
        found |= getattr(self.optimizer, "scheduled", dict)()
        return {name: float(f"{value:.9g}") for name, value in found.items()}

    def _backward(self, t: int) -> Tensor:
        """Accumulate the gradient of the mean loss over the whole batch of update t; returns that loss."""
        batch = self.job.spec.batch
        share = batch // self.ranks.size  # whose mean this rank computes; the ranks' are averaged
        own = self.task.batch(t, self.ranks.rows(batch))
        parts = self.task.split(own, self.job.micro_batch or share)
        losses = []
        for number, (part, count) in enumerate(parts, start=1):
            with self.loss.averaging(last=number == len(parts)):
                with self.precision():
                    loss = self.loss(part) * (count / share)
                loss.backward()
            losses.append(loss.detach())
        whole = losses[0] if len(losses) == 1 else torch.stack(losses).sum()
        self.ranks.average(whole)
        return whole

    def precision(self) -> AbstractContextManager[Any]:
        """The block that losses are computed in."""
        if self.job.spec.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.task.device.type, torch.bfloat16)

    def observe(self) -> dict[Quantity, float]:
        """The quantities wanted at this step."""
        self.observer.reach(self.step)
        return self.measure(q for q, steps in self.job.observe.items() if self.step in steps)

    def measure(self, quantities: Iterable[Quantity]) -> dict[Quantity, float]:
        """Quantities of the state as it is."""
        with self.precision():
            return {quantity: self.observer.measure(quantity) for quantity in quantities}

    def observed(self, until: int) -> dict[str, list[int]]:
        """Quantity, as text → the steps up to `until` at which it was observed."""
        return {
            str(quantity): sorted(step for step in steps if step <= until)
            for quantity, steps in self.job.observe.items()
        }

    def state(self) -> dict[str, Any]:
        """Everything a checkpoint holds."""
        return {
            "id": self.job.spec.id,
            "step": self.step,
            "seconds": self.seconds,
            "observed": self.observed(self.step),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "losses": self.losses.state(),
            "observer": self.observer.state(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint of this run."""
        self.load(state)
        self.losses.restore(state["losses"])
        self.observer.restore(state["observer"])
        self.seconds = state["seconds"]

    def load(self, state: dict[str, Any]) -> None:
        """The weights and moments of a checkpoint of this run, to go on from or to look at."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def branch(self, state: dict[str, Any]) -> None:
        """Start from a checkpoint of the trunk."""
        spec = self.job.spec
        assert spec.fork is not None
        refuse_switch(spec)
        self.model.load_state_dict(state["model"])
        if spec.fork.parent.optimizer == spec.optimizer:
            self.optimizer.load_state_dict(state["optimizer"])
        else:
            try:
                carry_over(state["optimizer"]["state"], self.optimizer)
            except ValueError as problem:
                raise UserError(str(problem)) from None
        self.step = self.losses.first = state["step"]


def groups(model: nn.Module) -> list[dict[str, Any]]:
    """All parameters; those that the model marks with `no_weight_decay` in a group of their own."""
    marked = [p for p in model.parameters() if getattr(p, "no_weight_decay", False)]
    others = [p for p in model.parameters() if not getattr(p, "no_weight_decay", False)]
    return [{"params": others}] + [{"params": marked, "weight_decay": 0.0}] * bool(marked)


def refuse_switch(spec: RunSpec) -> None:
    """Raise UserError for a branch whose optimizer cannot go on from its trunk's."""
    assert spec.fork is not None
    before, now = spec.fork.parent.optimizer, spec.optimizer
    if before != now and not (before.SWITCHABLE and now.SWITCHABLE):
        raise UserError(f"a branch cannot go on from {before.TITLE} with another {now.TITLE}")


def seed_all(seed: int, t: int, device: torch.device) -> None:
    """Seed the generators that dropout and augmentation draw from: a function of the run's seed and t."""
    number = int.from_bytes(hashlib.blake2b(f"{seed},{t}".encode(), digest_size=8).digest()) >> 1
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(number)
