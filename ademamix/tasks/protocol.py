"""What the loop asks of a task."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from ademamix.quantities import Quantity


class Task(Protocol):
    """What one run trains on. Nothing in it has a state: everything is a function of the spec and t."""

    device: "torch.device"

    @property
    def digest(self) -> str:
        """A hash of the content of its data, for the record."""
        ...

    def model(self) -> "nn.Module":
        """The network on the device, its initial weights a function of the seed."""
        ...

    def batch(self, t: int, rows: slice = slice(None)) -> Any:
        """What update t trains on, or those rows of it that a rank does."""
        ...

    def split(self, batch: Any, size: int) -> Sequence[tuple[Any, int]]:
        """A batch in parts of at most `size` samples, each with how many it holds."""
        ...

    def loss(self, model: "nn.Module", batch: Any) -> "Tensor":
        """The mean loss over the samples of `batch`, a scalar tensor."""
        ...

    def refused(self, quantity: "Quantity") -> str:
        """Why it cannot measure a quantity; '' when it can."""
        ...

    def measure(self, quantity: "Quantity", model: "nn.Module", size: int) -> float:
        """A quantity that only this task can observe, in passes of at most `size` samples."""
        ...
