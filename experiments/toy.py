"""Trajectories of the real optimizers on functions of two variables, in float64."""

import math
from collections.abc import Callable, Sequence
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
    (points,) = trajectories(optimizer, gradient, start, iterations, [lr], momentum, **options)
    return points


def trajectories(
    optimizer: Any,
    gradient: Callable[[float, float], Point],
    start: Point,
    iterations: int,
    lrs: Sequence[float],
    momentum: Point | None = None,
    **options: Any,
) -> list[list[Point]]:
    """A trajectory for each learning rate, from groups of one optimizer, whose steps cost less than many."""
    import torch

    xs = [torch.tensor(start, dtype=torch.float64, requires_grad=True) for _ in lrs]
    groups = [{"params": [x], "lr": lr} for x, lr in zip(xs, lrs, strict=True)]
    steps = optimizer(groups, weight_decay=0.0, **options)
    gradients = [torch.zeros_like(x) for x in xs]
    for x, at in zip(xs, gradients, strict=True):
        x.grad = at
        if momentum is not None:
            steps.state[x] = _past(x, gradient(*start), momentum, slow="alpha" in options)
    points = [[start] for _ in lrs]
    for _ in range(iterations):
        for at, path in zip(gradients, points, strict=True):
            at.copy_(at.new_tensor(gradient(*path[-1])))
        steps.step()
        for x, path in zip(xs, points, strict=True):
            x1, x2 = x.tolist()
            path.append((x1, x2))
    return points


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
