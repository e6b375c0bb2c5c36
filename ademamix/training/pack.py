"""A pack: runs of equal shape in one program, one slice of every tensor each.

A small run leaves most of a GPU idle: an update is hundreds of launches, each of them short. A pack makes the
same launches for all of its members at once. Nothing of a member depends on another one: a member that
diverges fills its own slice with NaN and no other. Each has its own data, step, seed, schedule, clipping and
optimizer, of whatever kind.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from ademamix.tasks import Task
from ademamix.training.job import Job
from ademamix.training.log import LossBuffer
from ademamix.training.loss import refuse_without_compiler
from ademamix.training.ranks import Ranks
from ademamix.training.trainer import Trainer
from ademamix.training.vector import Vector

REMEMBERED = 64  # updates whose losses the members have not been handed yet


class Member(Trainer):
    """A run of a pack. Its checkpoints are those of a run that is trained alone."""

    vector: Vector
    losses: "Handed"

    def __init__(self, job: Job, task: Task, ranks: Ranks | None = None) -> None:
        super().__init__(job, task)
        self.losses = Handed(job.log_every, task.device, job.spec.clipping)

    def _groups(self) -> list[dict[str, Any]]:
        self.vector = Vector(self.model)
        return [{"params": [self.vector.whole]}]

    def state(self) -> dict[str, Any]:
        state = super().state()
        return {**state, "optimizer": self.vector.apart(state["optimizer"])}

    def load(self, state: dict[str, Any]) -> None:
        super().load({**state, "optimizer": self.vector.joined(state["optimizer"])})

    def branch(self, state: dict[str, Any]) -> None:
        super().branch({**state, "optimizer": self.vector.joined(state["optimizer"])})


class Handed(LossBuffer):
    """A buffer that asks for what it lacks before it is read."""

    ask: Callable[[], None] = staticmethod(lambda: None)

    def close(self) -> Any:
        self.ask()
        return super().close()

    def state(self) -> dict[str, Any]:
        self.ask()
        return super().state()


class Pack:
    """Members whose updates are made together.

    The slot of a member that has left stays in the program, without an effect, until half of the slots are
    empty: what is compiled, or chosen by a library for so many members, then changes rarely.

    Args:
        members: in position; of one `RunSpec.pack_key`, and of one size of passes.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        first = members[0]
        self.device = first.task.device
        self._spec = first.job.spec
        self._passes = first.job.micro_batch or self._spec.batch
        self._losses = self._spec.stacked()
        if self._spec.compiled:
            refuse_without_compiler(self.device.type)
            self._losses = torch.compile(self._losses, dynamic=False, fullgraph=True)
        self._count = 0  # updates since the members were handed their losses
        self._stack(members)

    @property
    def members(self) -> list[Member]:
        """Those that have not left."""
        return [member for member in self.slots if member]

    def update(self) -> None:
        """Make the next update of every member."""
        for member in self.members:
            member.set_rate(member.step + 1)
        losses = self._backward()
        norms = torch.linalg.vector_norm(self._grad, dim=1)
        if self._limits is not None:
            # As torch's clip_grads_with_norm_; where there is no limit, nothing changes.
            shares = (self._limits / (norms + 1e-6)).clamp(max=1.0)
            self._grad.mul_(torch.where(self._limits.isinf(), 1.0, shares)[:, None])
        for member in self.members:
            member.optimizer.step()
            member.step += 1
        self._recent[0, :, self._count] = losses
        self._recent[1, :, self._count] = norms
        self._count += 1
        if self._count == REMEMBERED:
            self.hand_out()

    def hand_out(self) -> None:
        """Give each member its losses and gradient norms since the last time."""
        for slot, member in enumerate(self.slots):
            if member and self._count:
                member.losses.extend(self._recent[:, slot, : self._count])
        self._count = 0

    def leave(self, member: Member) -> None:
        """Go on without a member, whose session has ended."""
        self.hand_out()
        self.slots[self.slots.index(member)] = None
        if self.members and 2 * len(self.members) <= len(self.slots):
            self._stack(self.members)

    def _backward(self) -> Tensor:
        """Compute every member's gradient of its mean loss; returns the losses, (slots,)."""
        batch = self._spec.batch
        parts = self._batches().split(self._passes, dim=1)
        whole = torch.zeros(len(self.slots), device=self.device)
        for part in parts:
            with self._precision():
                losses = self._losses(self._weights, part) * (part.shape[1] / batch)
            losses.backward(torch.ones_like(losses))
            whole += losses.detach()
        # Into the rows that the optimizers see.
        torch._foreach_copy_(
            self._grads, [weight.grad for weight in self._weights.values() if weight.grad is not None]
        )
        for weight in self._weights.values():
            weight.grad = None
        return whole

    def _batches(self) -> Tensor:
        """What the members train on next, (slots, batch, …); an empty slot repeats another's."""
        found = {id(member): member.task.batch(member.step + 1) for member in self.members}
        some = next(iter(found.values()))
        return torch.stack([found.get(id(member), some) for member in self.slots])

    def _precision(self) -> AbstractContextManager[Any]:
        return self.members[0].precision()

    def _stack(self, members: Sequence[Member]) -> None:
        """Give each of `members` a slot, and all of them memory side by side."""
        self.slots: list[Member | None] = list(members)
        vector = members[0].vector
        shape = (len(members), len(vector.whole))
        self._data = torch.empty(shape, dtype=vector.whole.dtype, device=self.device)
        self._grad = torch.zeros_like(self._data)
        for member, row, grad in zip(members, self._data, self._grad, strict=True):
            member.vector.move(row, grad)
            member.losses.ask = self.hand_out
        self._weights: Mapping[str, Tensor] = dict(zip(vector.places, vector.parts(self._data), strict=True))
        for weight in self._weights.values():
            weight.requires_grad_()
        self._grads = list(vector.parts(self._grad))
        limits = [member.job.spec.clipping for member in members]
        self._limits = (
            torch.tensor([limit or torch.inf for limit in limits], device=self.device)
            if any(limits)
            else None
        )
        self._recent = torch.zeros(2, len(members), REMEMBERED, device=self.device)
