"""What does training several small runs as one program bring? K of them at once against one after the other.

    python -m benchmarks.packing --scale gpu

Runs of AdEMAMix that differ in their seed, on made data. Every K makes as many updates in each round, so
that gains are between neighbours in time; medians are reported. Nothing is logged, observed or saved. On a
CPU: one thread. Written to benchmarks/results/packing-<device>.json.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import torch

from ademamix.checkout import checkout
from ademamix.files import write_json
from ademamix.models import TransformerConfig
from ademamix.paper.runs import ADEMAMIX, run
from ademamix.paper.setups import PAPER_HORIZON
from ademamix.scale import Scale, scale
from ademamix.spec import RunSpec
from ademamix.training.job import Job
from ademamix.training.machine import machine
from ademamix.training.pack import Member, Pack
from ademamix.training.trainer import Trainer
from benchmarks.training import DATA, made_data


def loop(specs: Sequence[RunSpec], at: Scale, root: Path, device: torch.device) -> Callable[[int], None]:
    """Makes so many updates of each of the runs: of a pack, or of one run as it is trained alone."""
    jobs = [Job(spec, 10**9, frozenset(), {}, {}, 1_000, 1e9, at.passes(spec.task)) for spec in specs]
    tasks = [spec.open(root, device) for spec in specs]
    trainers: list[Any]
    if len(jobs) == 1:
        trainers = [Trainer(jobs[0], tasks[0])]
        one = trainers[0]

        def update() -> None:
            one.update(one.step + 1)
    else:
        trainers = [Member(job, task) for job, task in zip(jobs, tasks, strict=True)]
        update = Pack(trainers).update

    def updates(count: int) -> None:
        for _ in range(count):
            update()
        for trainer in trainers:
            trainer.losses.close()

    return updates


def measured(
    size: str, at: Scale, root: Path, device: torch.device, members: Sequence[int], rounds: int, updates: int
) -> dict[str, Any]:
    """All there is to say of one size."""
    stated = at.map(run(size, ADEMAMIX, PAPER_HORIZON))
    assert isinstance(stated.model, TransformerConfig)
    data = made_data(root, stated.model.vocabulary, DATA[device.type])
    specs = [stated.changed(data=data, seed=seed) for seed in range(max(members))]
    gpu = device.type == "cuda"
    loops, memory = {}, {}
    for count in members:
        if gpu:
            torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() if gpu else 0
        loops[count] = loop(specs[:count], at, root, device)
        loops[count](3)
        if gpu:
            memory[count] = round((torch.cuda.max_memory_allocated() - before) / 1e9, 3)
    spent: dict[int, list[float]] = {count: [] for count in members}
    for _ in range(rounds):
        for count, make in loops.items():
            spent[count].append(_seconds(make, updates, gpu) / updates)
    rows = []
    for count in members:
        second = statistics.median(spent[count])
        gain = statistics.median(
            count * one / own for one, own in zip(spent[members[0]], spent[count], strict=True)
        )
        rows.append(
            {
                "runs at once": count,
                "milliseconds per update": round(1e3 * second, 3),
                "runs per hour": round(count * 3600 / (second * at.horizon), 2),
                "gain": round(gain / members[0], 3),
                **({"memory GB": memory[count]} if gpu else {}),
            }
        )
    return {
        "scale": at.name,
        "size": size,
        "parameters": stated.model.parameters(),
        "updates of a run": at.horizon,
        "precision": stated.precision,
        "compiled": stated.compiled,
        "packs": rows,
    }


def _seconds(make: Callable[[int], None], updates: int, gpu: bool) -> float:
    if gpu:
        torch.cuda.synchronize()
    start = time.perf_counter()
    make(updates)
    if gpu:
        torch.cuda.synchronize()
    return time.perf_counter() - start


@click.command()
@click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu", show_default=True)
@click.option("--scale", "scale_name", default="gpu", show_default=True)
@click.option("--size", "sizes", multiple=True, default=("110M", "1.3B"), show_default=True)
@click.option("--members", default="1,4,16", show_default=True, help="Runs at once.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--updates", default=100, show_default=True, help="Of each K in a round.")
@click.option("--out", type=click.Path(path_type=Path), help="[default: benchmarks/results]")
def main(
    device: str,
    scale_name: str,
    sizes: tuple[str, ...],
    members: str,
    rounds: int,
    updates: int,
    out: Path | None,
) -> None:
    """Measure, print and write the medians."""
    on, load, at = torch.device(device), round(os.getloadavg()[0], 2), scale(scale_name)
    torch.set_num_threads(1)
    found = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as root:
            counts = [int(part) for part in members.split(",")]
            found.append(measured(size, at, Path(root), on, counts, rounds, updates))
        click.echo(f"{size} at scale {at.name}, {found[-1]['parameters']:,} parameters:")
        for row in found[-1]["packs"]:
            click.echo("  " + ", ".join(f"{what} {value}" for what, value in row.items()))
    folder = out or checkout() / "benchmarks" / "results"
    write_json(
        folder / f"packing-{on.type}.json",
        {
            "machine": {**machine(on), "cores": os.cpu_count(), "load before": load},
            "rounds": rounds,
            "sizes": found,
        },
    )


if __name__ == "__main__":
    main()
