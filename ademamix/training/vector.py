"""The parameters of a model as parts of one vector, which an optimizer updates as a whole.

For optimizers that update each element by itself, that is the same update; a pack needs as many launches for
it as it has members, whatever the number of their parameters.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

ALIGNED = 64  # elements: each parameter begins at a multiple, as matrix products and kernels like it


class Vector:
    """The vector of a model, whose parameters become parts of it.

    Attributes:
        whole: what the optimizer is given; what lies between two parameters is 0, and so is its gradient.
        places: parameter → where it begins and ends, and its shape.
    """

    def __init__(self, model: nn.Module) -> None:
        self._own = dict(model.named_parameters())
        self.places: dict[str, tuple[int, int, torch.Size]] = {}
        end = 0
        for name, p in self._own.items():
            self.places[name] = (end, end + p.numel(), p.shape)
            end = -(-(end + p.numel()) // ALIGNED) * ALIGNED
        first = next(iter(self._own.values()))
        self.whole = nn.Parameter(torch.zeros(end, dtype=first.dtype, device=first.device))
        for part, p in zip(self.parts(self.whole.data), self._own.values(), strict=True):
            part.copy_(p.data)
        self._point()

    def move(self, row: Tensor, grad: Tensor) -> None:
        """Go on in the memory of `row`, with gradients in that of `grad`."""
        row.copy_(self.whole.data)
        self.whole.data, self.whole.grad = row, grad
        self._point()

    def parts(self, of: Tensor) -> Iterator[Tensor]:
        """Each parameter's part of a vector like `whole`, in the model's order; of (members, …) alike."""
        for begin, end, shape in self.places.values():
            yield of[..., begin:end].view(*of.shape[:-1], *shape)

    def apart(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """A state dict of the optimizer as that of one over the model's own parameters; nothing is copied."""
        per_vector = state["state"].get(0, {})
        spread = {name: list(self._spread(value)) for name, value in per_vector.items()}
        count = range(len(self.places))
        (group,) = state["param_groups"]
        return {
            "state": {i: {name: spread[name][i] for name in spread} for i in count} if spread else {},
            "param_groups": [{**group, "params": list(count)}],
        }

    def joined(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The inverse of `apart`."""
        (group,) = state["param_groups"]
        each = [state["state"][i] for i in group["params"]] if state["state"] else []
        names = each[0] if each else ()
        whole = {name: self._joined([one[name] for one in each]) for name in names}
        return {"state": {0: whole} if each else {}, "param_groups": [{**group, "params": [0]}]}

    def _spread(self, value: Any) -> Iterator[Any]:
        """What each parameter has of a value of the whole: its part, or, of a number, the same."""
        if isinstance(value, Tensor) and value.shape == self.whole.shape:
            yield from self.parts(value)
        else:
            yield from [value] * len(self.places)

    def _joined(self, values: list[Any]) -> Any:
        shapes = [shape for _, _, shape in self.places.values()]
        if not all(isinstance(v, Tensor) and v.shape == s for v, s in zip(values, shapes, strict=True)):
            return values[0]  # the step, which all of them share
        whole = values[0].new_zeros(self.whole.shape)
        for part, value in zip(self.parts(whole), values, strict=True):
            part.copy_(value)
        return whole

    def _point(self) -> None:
        for part, p in zip(self.parts(self.whole.data), self._own.values(), strict=True):
            p.data = part
