"""Writing checkpoints while training goes on: a copy of the state in the host's memory, and a thread."""

import copy
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

from torch import Tensor, distributed
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from ademamix.training.ranks import PATIENCE, Ranks

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


class Writer:
    """One thread that writes, one checkpoint at a time.

    Where ranks write together, the threads talk to each other over a group of their own: that of the
    training is in use meanwhile.
    """

    def __init__(self, ranks: Ranks) -> None:
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._written: Future[None] | None = None
        self.group: distributed.ProcessGroup | None = None
        if ranks.shard:
            group = distributed.new_group(backend="gloo", timeout=PATIENCE)
            assert isinstance(group, distributed.ProcessGroup)  # which every rank is in
            self.group = group

    @property
    def busy(self) -> bool:
        """Whether something is being written."""
        return self._written is not None and not self._written.done()

    def start(self, write: Callable[[], None]) -> None:
        """Begin to `write`, once what came before is on the disk."""
        self.wait()
        self._written = self._thread.submit(write)

    def wait(self) -> None:
        """Return when all is on the disk. What went wrong in the thread is raised here, once."""
        written, self._written = self._written, None
        if written is not None:
            written.result()

    def close(self) -> None:
        """Wait, and let the thread go."""
        try:
            self.wait()
        finally:
            self._thread.shutdown()
            group, self.group = self.group, None
            if group is not None:
                distributed.destroy_process_group(group)


def copied(state: Any) -> Any:
    """A nested state, its tensors copied to the host's memory; of DTensors, this rank's part."""
    if hasattr(state, "to_local"):
        return _copied_part(state)
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        new = copy.copy(state)  # of its own kind, with what a state dict carries beside its entries
        for key, value in state.items():
            new[key] = copied(value)
        return new
    if isinstance(state, list | tuple):
        return type(state)(map(copied, state))
    return state


def _copied_part(t: "DTensor") -> "DTensor":
    from torch.distributed.tensor import DTensor

    part, mesh = t.to_local().detach().to("cpu", copy=True), _on_host(t.device_mesh)
    return DTensor.from_local(part, mesh, t.placements, run_check=False, shape=t.shape, stride=t.stride())


@cache
def _on_host(mesh: DeviceMesh) -> DeviceMesh:
    """The same ranks, whose tensors are on the host."""
    return mesh if mesh.device_type == "cpu" else init_device_mesh("cpu", tuple(mesh.shape))
