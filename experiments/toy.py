"""Trajectories of the real optimizers on functions of two variables, in float64."""

import math
from collections.abc import Callable, Sequence
from typing import Any

Point = tuple[float, float]
LONG_AGO = 1e6  # a count of steps after which no bias correction is left, for every β of the toy figures


def trajectory(
    optimizer: Any,
    gradient: Callable[[float, float], Point],
    start: Point,
    iterations: int,
    momentum: Point | None = None,
    **options: Any,
) -> list[Point]:
    """Every point from `start` on: `iterations` + 1 of them.

    With `momentum`, the optimizer comes out of a long past: its EMAs of the gradient hold that value, ν
    holds the squared gradient at `start`, and bias corrections are over. Without, its state is empty.
    """
    import torch

    x = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    x.grad = torch.zeros_like(x)
    steps = optimizer([x], weight_decay=0.0, **options)
    if momentum is not None:
        state: dict[str, Any] = {
            "step": torch.tensor(LONG_AGO),
            "exp_avg": x.new_tensor(momentum),
            "exp_avg_sq": x.new_tensor(gradient(*start)) ** 2,
        }
        if "alpha" in options:
            state |= {"exp_avg_slow": x.new_tensor(momentum), "schedule_start": 0}
        steps.state[x] = state
    points = [start]
    for _ in range(iterations):
        x.grad.copy_(x.new_tensor(gradient(*points[-1])))
        steps.step()
        x1, x2 = x.tolist()
        points.append((x1, x2))
    return points


def distance(points: Sequence[Point], target: Point) -> list[float]:
    """Euclidean distance of each point to `target`."""
    return [math.dist(point, target) for point in points]
