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
from ademamix.training.captured import Captured, capturable, with_capturable
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
        self.mesh = ranks.mesh(task.device.type) if ranks.shard else None
        if self.mesh:
            from ademamix.training.sharding import shard

            shard(self.model, self.mesh, job.spec.compiled)
        self.params = list(self.model.parameters())
        self.loss = Loss(task, self.model, ranks, job.spec.compiled)
        self.optimizer: Optimizer = job.spec.optimizer.build(self._groups())
        self.losses = LossBuffer(job.log_every, task.device, job.spec.clipping)
        self.step = 0
        self.seconds = 0.0  # of training, over all resumes
        self.past = ""  # of a branch, which training of its trunk it goes on from (Outcome.past)
        self.captured: Captured | None = None
        if job.captured and capturable(self.optimizer, task.device, ranks.size):
            self.captured = Captured(self.optimizer, task.device, self._change)
        self.packed = 1  # runs that were trained in one program with it, itself counted
        passes = job.evaluation_batch or job.micro_batch or job.spec.batch
        self.observer = Observer(task, self.model, self.optimizer, passes, job.observe, ranks)

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
        lr = self.set_rate(t)
        seed_all(spec.seed, t, self.task.device)
        batch = self.task.batch(t, self.ranks.rows(spec.batch))
        found = self.captured(batch, lr) if self.captured else self._change(batch)
        self.losses.add(*found)
        self.step = t

    def _change(self, batch: Any) -> tuple[Tensor, Tensor]:
        """Make an update by this rank's part of a batch; returns the loss and the norm of the gradient."""
        spec = self.job.spec
        loss = self._backward(batch)
        norm = self.ranks.norm(p.grad for p in self.params if p.grad is not None)
        if spec.clipping is not None:
            nn.utils.clip_grads_with_norm_(self.params, spec.clipping, norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=self.captured is None)  # a graph knows them by their place
        return loss, norm

    def set_rate(self, t: int) -> float:
        """Give the optimizer the learning rate of update t, which is returned."""
        lr = self.job.spec.schedule.at(t, self.job.spec.optimizer.lr)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        return lr

    def scheduled(self) -> dict[str, float]:
        """What the last update was made with of all that changes over the steps: lr, α(t), β3(t)."""
        found = {"lr": self.job.spec.schedule.at(self.step, self.job.spec.optimizer.lr)}
        found |= getattr(self.optimizer, "scheduled", dict)()
        return {name: float(f"{value:.9g}") for name, value in found.items()}

    def _backward(self, batch: Any) -> Tensor:
        """Accumulate the gradient of the mean loss over a batch, of which this is ours; returns that loss."""
        # Whose mean this rank computes; the ranks' are averaged.
        share = self.job.spec.batch // self.ranks.size
        parts = self.task.split(batch, self.job.micro_batch or share)
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
        """The quantities wanted at this step, on the first rank; in shards, every rank helps it."""
        if not (self.ranks.first or self.ranks.shard):
            return {}
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
        """Everything a checkpoint holds; in shards, of weights and moments this rank's part."""
        return {
            "id": self.job.spec.id,
            "step": self.step,
            "seconds": self.seconds,
            "past": self.past,
            "observed": self.observed(self.step),
            "model": self.model.state_dict(),
            "optimizer": self._optimizer_state(),
            "losses": self.losses.state(),
            "observer": self.observer.state(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint of this run."""
        self.load(state)
        self.losses.restore(state["losses"])
        self.observer.restore(state["observer"])
        self.seconds = state["seconds"]
        self.past = state.get("past", "")

    def load(self, state: dict[str, Any]) -> None:
        """The weights and moments of a checkpoint of this run, to go on from or to look at."""
        state = self._divided(state)
        self.model.load_state_dict(state["model"])
        self._load_optimizer(state["optimizer"])
        self.step = state["step"]

    def branch(self, state: dict[str, Any]) -> None:
        """Start from a checkpoint of the trunk."""
        spec = self.job.spec
        assert spec.fork is not None
        refuse_switch(spec)
        state = self._divided(state)
        self.model.load_state_dict(state["model"])
        if spec.fork.parent.optimizer == spec.optimizer:
            self._load_optimizer(state["optimizer"])
        else:
            try:
                carry_over(state["optimizer"]["state"], self.optimizer)
            except ValueError as problem:
                raise UserError(str(problem)) from None
        self.step = self.losses.first = state["step"]

    def _optimizer_state(self) -> dict[str, Any]:
        state = self.optimizer.state_dict()
        return with_capturable(state, False) if self.captured else state

    def _load_optimizer(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(with_capturable(state, True) if self.captured else state)

    def _divided(self, state: dict[str, Any]) -> dict[str, Any]:
        """A state as it is, or in shards where this trainer's is."""
        if self.mesh is None:
            return state
        from ademamix.training.sharding import divided

        counted = [p for group in self.optimizer.param_groups for p in group["params"]]
        found: dict[str, Any] = divided(state, self.model, counted, self.mesh)
        return found


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
