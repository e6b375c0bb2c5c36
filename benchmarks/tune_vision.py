"""Try settings of a scale's ViTs on seeds that no figure reports, and keep every trial as evidence.

    python benchmarks/tune_vision.py --setup vit-86M/imagenet-1k --set optimizer.lr=3e-3,6e-3
    python benchmarks/tune_vision.py --file my-scale.yaml --setup vit-24M/imagenet-21k-p \\
        --set data.images=5405 --set model.width=32

Results are appended to <scale>-vision-trials.csv beside the scale's file: training loss without augmentation
and test loss at the end, the lowest test loss and its step, accuracy, seconds.
"""

import csv
import itertools
import sys
from pathlib import Path

import click
from rich.console import Console

from ademamix.checkout import checkout
from ademamix.cli.options import seed_numbers
from ademamix.cli.pipeline import local
from ademamix.describe import describe
from ademamix.errors import UserError
from ademamix.launch.progress import RunProgress
from ademamix.paper.runs import run
from ademamix.paper.vision import vision
from ademamix.plan import Wanted, entries
from ademamix.scale import read_scale
from ademamix.spec import RunSpec, override
from ademamix.store import Store
from ademamix.sweeps.evidence import refuse_reported
from ademamix.tasks.vision import CleanTrainingLoss, TestLoss, Top1
from ademamix.training.job import job_of

FIELDS = [
    *("setup", "optimizer", "seed", "settings", "parameters", "epochs", "steps"),
    *("training_loss", "test_loss", "lowest_test_loss", "at_step", "top1", "seconds", "run"),
]
MEASURES = tuple(kind(images=2_000) for kind in (CleanTrainingLoss, TestLoss, Top1))


@click.command()
@click.option(
    "--file", "path", default=checkout() / "configs/scales/cpu.yaml", type=click.Path(path_type=Path)
)
@click.option("--setup", required=True)
@click.option("--optimizer", default="adamw", show_default=True)
@click.option("--set", "grid", multiple=True, help="KEY=V,V,…; several make a grid.")
@click.option("--seeds", default="100", help="None that figures report.")
@click.option("--jobs", type=int)
def main(path: Path, setup: str, optimizer: str, grid: tuple[str, ...], seeds: str, jobs: int | None) -> None:
    """Run the grid and append one row for each trial."""
    at, store, numbers = read_scale(path), Store(checkout() / "runs"), seed_numbers(seeds)
    refuse_reported(at, numbers)
    store.open()
    paper, until = run(setup, optimizer, vision().steps), at.steps(vision().steps)
    axes = [[f"{axis.partition('=')[0]}={v}" for v in axis.partition("=")[2].split(",")] for axis in grid]
    observe = dict.fromkeys(MEASURES, at.validation_steps(until, often=2))
    trials = {
        (seed, settings): override(at.map(paper, seed), settings)
        for seed in numbers
        for settings in itertools.product(*axes)
    }
    wanted = {spec.id: Wanted(spec, until, observe=observe) for spec in trials.values()}
    todo = [job_of(entry, at) for entry in entries(wanted, wanted, store) if not entry.done]
    with RunProgress(Console(stderr=True), store, todo, lambda job: describe(job.spec)) as display:
        done = local(at, jobs).launch(todo, store, checkout() / "data", display)
    if done.exit_code:
        raise SystemExit(done.exit_code)
    rows = [
        [setup, optimizer, seed, " ".join(settings), *_row(store, spec, until)]
        for (seed, settings), spec in trials.items()
    ]
    _append(path.with_name(f"{at.name}-vision-trials.csv"), rows)


def _row(store: Store, spec: RunSpec, until: int) -> list[object]:
    """What came of a run, from 'parameters' on."""
    known = [spec.model.parameters(), round(spec.epochs(until) or 0, 1), until]
    run = store.run(spec.id)
    outcome = run.outcome()
    if outcome is None or outcome.status == "diverged":
        return [*known, *["diverged" if outcome else "failed"] * 6, spec.id]
    seen = [row for row in run.metrics() if str(MEASURES[1]) in row]
    lowest = min(seen, key=lambda row: row[str(MEASURES[1])] or 0.0)
    train, test, top1 = (seen[-1][str(measure)] for measure in MEASURES)
    return [*known, train, test, lowest[str(MEASURES[1])], lowest["step"], top1, outcome.seconds, spec.id]


def _append(path: Path, rows: list[list[object]]) -> None:
    known = list(csv.reader(path.open())) if path.exists() else [FIELDS]
    ids = {row[-1] for row in known}
    known += [list(map(str, row)) for row in rows if str(row[-1]) not in ids]
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(known)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"tune_vision: {error}")
