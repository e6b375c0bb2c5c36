"""Does the training loop cost anything? Side by side with a plain eager loop of the same model.

    make bench

The plain loop trains the same network with the same optimizer on batches that lie ready in memory;
ours reads its batches from the corpus, logs, validates and writes checkpoints as a `cpu` run does.
One core, interleaved chunks, medians. Written to benchmarks/results/training.json.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch
from torch import nn

from ademamix.checkout import checkout
from ademamix.files import write_json
from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from ademamix.paper.setups import PAPER_HORIZON
from ademamix.plan import Wanted, entries
from ademamix.scale import scale
from ademamix.spec import RunSpec
from ademamix.store import Store
from ademamix.tasks import Task
from ademamix.training.job import job_of
from ademamix.training.machine import machine
from ademamix.training.session import Session
from ademamix.training.trainer import Trainer

CHUNK = 200  # steps; a validation falls into most, as in a run


def plain(spec: RunSpec, task: Task) -> Callable[[], None]:
    """A chunk of the plain loop: forward, backward, clip, step."""
    model = task.model()
    params = list(model.parameters())
    optimizer = spec.optimizer.build(params)
    batches = [task.batch(t) for t in range(1, CHUNK + 1)]
    t = 0

    def chunk() -> None:
        nonlocal t
        for batch in batches:
            t += 1
            for group in optimizer.param_groups:
                group["lr"] = spec.schedule.at(t, spec.optimizer.lr)
            task.loss(model, batch).backward()
            nn.utils.clip_grad_norm_(params, spec.clipping or float("inf"))
            optimizer.step()
            optimizer.zero_grad()

    return chunk


def ours(task: Task, wanted: Wanted, folder: Path) -> Callable[[], None]:
    """A chunk of a real run."""
    run = Store(folder).run(wanted.spec.id)
    runs = {wanted.spec.id: wanted}
    (entry,) = entries(runs, runs, Store(folder))
    job = job_of(entry, scale("cpu"))
    session = Session(job, run, task, Trainer(job, task))

    def chunk() -> None:
        for _ in range(CHUNK):
            session.step()

    return chunk


@click.command()
@click.option("--rounds", default=7, show_default=True, help="Chunks of each loop.")
def main(rounds: int) -> None:
    """Measure, print and write the medians."""
    torch.set_num_threads(1)
    at = scale("cpu")
    results: dict[str, Any] = {"machine": machine(torch.device("cpu")), "steps per chunk": CHUNK}
    for optimizer in (ADAMW, ADEMAMIX):
        spec = at.map(run("110M", optimizer, PAPER_HORIZON))
        until = at.steps(PAPER_HORIZON)
        wanted = Wanted(spec, until, observe={at.validation_loss: at.validation_steps(until)})
        task = spec.open(checkout() / "data", torch.device("cpu"))
        with tempfile.TemporaryDirectory() as folder:
            chunks = {"plain": plain(spec, task), "ours": ours(task, wanted, Path(folder))}
            times: dict[str, list[float]] = {name: [] for name in chunks}
            for _ in range(rounds + 1):
                for name, chunk in chunks.items():
                    start = time.perf_counter()
                    chunk()
                    times[name].append((time.perf_counter() - start) / CHUNK * 1e3)
        medians = {name: round(statistics.median(values[1:]), 2) for name, values in times.items()}
        ratio = statistics.median(o / p for o, p in zip(times["ours"][1:], times["plain"][1:], strict=True))
        results[optimizer] = {
            "milliseconds per step": medians,
            "spread": {name: round(statistics.stdev(values[1:]), 2) for name, values in times.items()},
            "ours / plain": round(ratio, 3),
        }
        click.echo(f"{optimizer}: {medians} ms a step, ours / plain = {ratio:.3f}")
    write_json(checkout() / "benchmarks" / "results" / "training.json", results)


if __name__ == "__main__":
    main()
