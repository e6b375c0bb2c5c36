"""Tune a scale's own values on seeds that no figure reports, and keep every trial as evidence.

    python -m benchmarks.tune --scale cpu --size 110M --optimizer adamw --set optimizer.lr=3e-3,6e-3

Each trial is a run of the size's shortest training, or of another length; results are appended to
configs/scales/<scale>-tuning.csv, from which the values in configs/scales/<scale>.yaml were chosen.
"""

import csv
import itertools
from pathlib import Path

import click
from rich.console import Console

from ademamix.checkout import checkout
from ademamix.cli.pipeline import local
from ademamix.describe import describe
from ademamix.launch.progress import RunProgress
from ademamix.paper.runs import run
from ademamix.paper.setups import PAPER_HORIZON
from ademamix.plan import Wanted, entries
from ademamix.quantities import Quantity
from ademamix.scale import scale
from ademamix.spec import override
from ademamix.store import Store
from ademamix.training.job import job_of

FIELDS = ["scale", "size", "optimizer", "seed", "settings", "steps", "validation_loss", "run"]


@click.command()
@click.option("--scale", "scale_name", default="cpu")
@click.option("--size", default="110M")
@click.option("--optimizer", default="ademamix")
@click.option("--set", "grid", multiple=True, help="KEY=V,V,…; several make a grid.")
@click.option("--seeds", default="100", help="Figures report seeds 0, 1, 2.")
@click.option("--horizon", default=PAPER_HORIZON, help="Of the paper.")
@click.option("--jobs", type=int)
def main(
    scale_name: str,
    size: str,
    optimizer: str,
    grid: tuple[str, ...],
    seeds: str,
    horizon: int,
    jobs: int | None,
) -> None:
    """Run the grid and append one row for each trial."""
    at = scale(scale_name)
    store = Store(checkout() / "runs")
    store.open()
    paper, until = run(size, optimizer, horizon), at.steps(horizon)
    axes = [[f"{axis.partition('=')[0]}={v}" for v in axis.partition("=")[2].split(",")] for axis in grid]
    observe = {at.validation_loss: at.validation_steps(until)}
    trials = {
        (seed, settings): override(at.map(paper, seed), settings)
        for seed in map(int, seeds.split(","))
        for settings in itertools.product(*axes)
    }
    wanted = {spec.id: Wanted(spec, until, observe=observe) for spec in trials.values()}
    todo = [job_of(entry, at) for entry in entries(wanted, wanted, store) if not entry.done]
    with RunProgress(Console(stderr=True), store, todo, lambda job: describe(job.spec)) as display:
        done = local(at, jobs).launch(todo, store, checkout() / "data", display)
    if done.exit_code:
        raise SystemExit(done.exit_code)
    path = checkout() / "configs" / "scales" / f"{scale_name}-tuning.csv"
    _append(path, [
        [scale_name, size, optimizer, seed, " ".join(settings), until,
         _final(store, spec.id, at.validation_loss), spec.id]
        for (seed, settings), spec in trials.items()
    ])  # fmt: skip


def _final(store: Store, id: str, quantity: Quantity) -> float | str | None:
    """The last value of a run's quantity, or how it ended instead."""
    run = store.run(id)
    outcome = run.outcome()
    if outcome is None or outcome.status == "diverged":
        return "diverged" if outcome else "failed"
    return run.metrics()[-1][str(quantity)]


def _append(path: Path, rows: list[list[object]]) -> None:
    known = list(csv.reader(path.open())) if path.exists() else [FIELDS]
    ids = {row[-1] for row in known}
    known += [list(map(str, row)) for row in rows if row[-1] not in ids]
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(known)


if __name__ == "__main__":
    main()
