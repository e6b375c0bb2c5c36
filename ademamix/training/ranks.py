"""The processes that train one run together, of which this is one; alone, everything here does nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from ademamix.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process among those of its run.

    Attributes:
        rank: its number, from 0; rank 0 logs and saves.
        size: how many there are; with more than one, torch.distributed is initialised.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def rows(self, batch: int) -> slice:
        """This rank's samples of a batch; ranks differ by at most one sample."""
        start, end = (batch * r // self.size for r in (self.rank, self.rank + 1))
        return slice(start, end)

    def agree(self, flag: bool) -> bool:
        """Whether any rank says so, which all then know."""
        if self.size == 1:
            return flag
        on = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
        told = torch.tensor(float(flag), device=on)
        torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX)
        return bool(told)

    def share(self, value: T) -> T:
        """What the first rank says: what it finds in the store holds for all of them."""
        if self.size == 1:
            return value
        told = [value]
        torch.distributed.broadcast_object_list(told)
        return told[0]

    def refuse_more_than(self, batch: int) -> None:
        """Raise UserError where ranks would have no sample of a batch."""
        if self.size > batch:
            raise UserError(f"a batch of {batch} cannot be split among {self.size} processes; ask for fewer")

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """The sum over ranks, in place."""
        if self.size > 1:
            for tensor in tensors:
                torch.distributed.all_reduce(tensor)


ALONE = Ranks()
