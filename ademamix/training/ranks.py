"""The processes that train one run together, of which this is one; alone, everything here does nothing."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

T = TypeVar("T")
PATIENCE = timedelta(hours=2)  # the others wait while the first rank evaluates, or writes a checkpoint


@dataclass(frozen=True)
class Ranks:
    """This process among those of its run.

    Attributes:
        rank: its number, from 0; rank 0 logs and saves.
        size: how many there are; with more than one, torch.distributed is initialised (`joined`).
        shard: each keeps a part of the state (FSDP2) instead of all of it.
    """

    rank: int = 0
    size: int = 1
    shard: bool = False

    @property
    def first(self) -> bool:
        return self.rank == 0

    def rows(self, batch: int) -> slice:
        """This rank's samples of a batch; where `size` does not divide it, ranks differ by one sample.

        Training refuses that (`refuse_uneven`), since the ranks' means are averaged.
        """
        start, end = (batch * r // self.size for r in (self.rank, self.rank + 1))
        return slice(start, end)

    def agreeing(self, *flags: bool) -> Callable[[], list[bool]]:
        """Ask of each flag whether any rank says so; what is returned waits for the answers, alike for all.

        The question travels between hosts, beside whatever the devices do meanwhile.
        """
        if self.size == 1:
            return lambda: list(flags)
        told = torch.tensor(flags, dtype=torch.float32)
        asked = distributed.all_reduce(told, distributed.ReduceOp.MAX, async_op=True)

        def answer() -> list[bool]:
            asked.wait()
            return told.bool().tolist()

        return answer

    def agree(self, flag: bool) -> bool:
        """Whether any rank says so, which all then know."""
        return self.agreeing(flag)()[0]

    def share(self, value: T) -> T:
        """What the first rank says: what it finds in the store holds for all of them."""
        if self.size == 1:
            return value
        told = [value]
        distributed.broadcast_object_list(told)
        return told[0]

    def average(self, tensor: Tensor) -> None:
        """The mean over ranks, in place."""
        if self.size > 1:
            distributed.all_reduce(tensor)
            tensor /= self.size

    def norm(self, tensors: Iterable[Tensor]) -> Tensor:
        """The 2-norm of all tensors as one vector; of those in shards, over all ranks, who all ask for it."""
        norm = nn.utils.get_total_norm([local(t) for t in tensors])
        if not self.shard:
            return norm
        squares = norm.square()
        distributed.all_reduce(squares)
        return squares.sqrt()

    def mesh(self, device: str) -> DeviceMesh:
        """All ranks in a row, whose tensors are on 'cpu' or 'cuda'."""
        return init_device_mesh(device, (self.size,))


ALONE = Ranks()


def local(tensor: Tensor) -> Tensor:
    """This rank's part of a tensor in shards; any other as it is."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


@contextmanager
def joined(rank: int, size: int, meet: str = "env://", shard: bool = False) -> Iterator[Ranks]:
    """This process as one of `size`, for as long as the block lasts.

    Tensors on a CPU travel by gloo, those on GPUs by NCCL. Whoever trains on a GPU has made it the current
    one (`torch.cuda.set_device`).

    Args:
        rank: the number of this process, from 0.
        size: how many there are.
        meet: where they find each other, as torch.distributed.init_process_group takes it.
        shard: whether each is to keep a part of the state alone.
    """
    if size == 1:
        yield ALONE
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, init_method=meet, rank=rank, world_size=size, timeout=PATIENCE)
    try:
        yield Ranks(rank, size, shard)
    finally:
        distributed.destroy_process_group()
