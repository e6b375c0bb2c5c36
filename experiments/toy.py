"""Trajectories of the real optimizers on functions of two variables, in float64."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Point = tuple[float, float]
LONG_AGO = 1e6  # a count of steps after which no bias correction is left, for every β of the toy figures


def trajectory(
    optimizer: Any,
    gradient: Callable[[float, float], Point],
    start: Point,
    iterations: int,
    lr: float,
    momentum: Point | None = None,
    **options: Any,
) -> list[Point]:
    """Every point from `start` on: `iterations` + 1 of them.

    With `momentum`, the optimizer comes out of a long past: its EMAs of the gradient hold that value, ν
    holds the squared gradient at `start`, and bias corrections are over. Without, its state is empty.
    """
    (points,) = trajectories(optimizer, gradient, start, iterations, [{"lr": lr}], momentum, **options)
    return points


def trajectories(
    optimizer: Any,
    gradient: Callable[[float, float], Point],
    start: Point,
    iterations: int,
    groups: Sequence[Mapping[str, Any]],
    momentum: Point | None = None,
    **options: Any,
) -> list[list[Point]]:
    """A trajectory for each of `groups` of one optimizer, whose steps cost less than those of many.

    A group states what its trajectory has of its own, such as {"lr": 0.1, "betas": (0.9, 0.999)}.
    """
    import torch

    xs = [torch.tensor(start, dtype=torch.float64, requires_grad=True) for _ in groups]
    stated = [{"params": [x], **group} for x, group in zip(xs, groups, strict=True)]
    steps = optimizer(stated, weight_decay=0.0, **options)
    slopes = [torch.zeros_like(x) for x in xs]
    for x, slope, group in zip(xs, slopes, groups, strict=True):
        x.grad = slope
        if momentum is not None:
            slow = "alpha" in {**options, **group}
            steps.state[x] = _past(x, gradient(*start), momentum, slow)
    # The same memory, read and written without torch, whose calls would take as long as the step.
    places = [(x.detach().numpy(), slope.numpy(), [start]) for x, slope in zip(xs, slopes, strict=True)]
    for _ in range(iterations):
        for _, at, path in places:
            at[:] = gradient(*path[-1])
        steps.step()
        for at, _, path in places:
            x1, x2 = at.tolist()
            path.append((x1, x2))
    return [path for *_, path in places]


def _past(x: "Tensor", gradient: Point, momentum: Point, slow: bool) -> dict[str, Any]:
    """The state of an optimizer that has seen `momentum` for long; `slow`: it has a slow EMA, too."""
    import torch

    state: dict[str, Any] = {
        "step": torch.tensor(LONG_AGO),
        "exp_avg": x.new_tensor(momentum),
        "exp_avg_sq": x.new_tensor(gradient) ** 2,
    }
    return state | ({"exp_avg_slow": x.new_tensor(momentum), "schedule_start": 0} if slow else {})


def distance(points: Sequence[Point], target: Point) -> list[float]:
    """Euclidean distance of each point to `target`."""
    return [math.dist(point, target) for point in points]
