"""The selective scan of Mamba against a loop that autograd follows step by step; forward and backward.

    python benchmarks/scan.py

`reference`: as the code of Mamba's authors does it without a kernel, the decays and inputs of all steps
first. `lean`: each step's at its turn. One thread; times are those of this process alone (others count
little), the least of some rounds. Written to benchmarks/results/scan.json.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import click
import torch
from torch import Tensor

from ademamix.checkout import checkout
from ademamix.files import write_json
from ademamix.models.selective_scan import selective_scan
from ademamix.training.machine import machine

SHAPES = ((16, 64, 128, 16), (16, 256, 128, 16), (4, 64, 96, 16))  # the last: a layer at `cpu`


def reference(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    decay = torch.exp(torch.einsum("bld,dn->bldn", delta, a))
    into = torch.einsum("bld,bln,bld->bldn", delta, b, u)
    h, found = torch.zeros_like(decay[:, 0]), []
    for t in range(u.shape[1]):
        h = decay[:, t] * h + into[:, t]
        found.append(torch.einsum("bdn,bn->bd", h, c[:, t]))
    return torch.stack(found, dim=1) + u * d


def lean(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    h, found = u.new_zeros(u.shape[0], *a.shape), []
    for t in range(u.shape[1]):
        h = torch.exp(delta[:, t, :, None] * a) * h + (delta[:, t] * u[:, t])[..., None] * b[:, t, None]
        found.append((h * c[:, t, None]).sum(-1) + d * u[:, t])
    return torch.stack(found, dim=1)


WAYS: dict[str, tuple[Callable[..., Tensor], int]] = {  # and how many rounds
    "reference": (reference, 1),
    "lean": (lean, 2),
    "own": (selective_scan, 7),
}


def inputs(batch: int, length: int, channels: int, states: int) -> list[Tensor]:
    draw = torch.Generator().manual_seed(0)
    u, delta = (torch.randn(batch, length, channels, generator=draw) for _ in range(2))
    a = -torch.arange(1.0, states + 1).repeat(channels, 1)
    b, c = (torch.randn(batch, length, states, generator=draw) for _ in range(2))
    d = torch.randn(channels, generator=draw)
    return [x.requires_grad_() for x in (u, torch.nn.functional.softplus(delta - 3), a, b, c, d)]


def measured(way: Callable[..., Tensor], given: Sequence[Tensor], rounds: int) -> tuple[float, list[Tensor]]:
    """Milliseconds, and values with gradients."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        y = way(*given)
        gradients = torch.autograd.grad(y.sum(), given)
        times.append(1e3 * (time.process_time() - start))
    return min(times), [y.detach(), *gradients]


@click.command()
def main() -> None:
    """Measure, print and write."""
    torch.set_num_threads(1)
    results: dict[str, Any] = {"machine": machine(torch.device("cpu")), "milliseconds": {}}
    for shape in SHAPES:
        given, row = inputs(*shape), {}
        outcomes = {}
        for name, (way, rounds) in WAYS.items():
            row[name], outcomes[name] = measured(way, given, rounds)
        own, right = outcomes["own"], outcomes["reference"]
        off = max(float((x - y).abs().max() / y.abs().max()) for x, y in zip(own, right, strict=True))
        found: dict[str, Any] = {name: round(spent, 1) for name, spent in row.items()}
        found |= {f"{name} / own": round(row[name] / row["own"], 1) for name in ("reference", "lean")}
        found["largest difference, relative"] = float(f"{off:.1e}")
        results["milliseconds"][" × ".join(map(str, shape))] = found
        click.echo(f"batch × length × channels × states {shape}: {found}")
    write_json(checkout() / "benchmarks" / "results" / "scan.json", results)


if __name__ == "__main__":
    main()
