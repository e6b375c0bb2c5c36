"""Effects in order: train what a plan lacks, then tabulate, draw and judge."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from ademamix import registry
from ademamix.data.locate import ensure
from ademamix.errors import UserError
from ademamix.files import write_json
from ademamix.launch.local import launch
from ademamix.launch.progress import RunProgress
from ademamix.plan import Entry, Wanted, forks_of, owed
from ademamix.registry import Figure
from ademamix.report import describe, print_verdicts
from ademamix.scale import Scale
from ademamix.store import Store
from ademamix.training.job import job_of

THREADS = 1  # for each worker on a CPU: runs side by side use the cores better than one run does


def devices(at: Scale, jobs: int | None) -> list[str]:
    """One device name for each worker: GPUs where the scale uses them, otherwise cores."""
    gpus = 0 if at.device == "cpu" else count_gpus()
    if gpus:
        return [f"cuda:{i % gpus}" for i in range(jobs or gpus)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ["cpu"] * (jobs or cores)


def count_gpus() -> int:
    """GPUs this machine has, asked of the driver so that torch need not be imported."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return len([name for name in visible.split(",") if name])
    if not shutil.which("nvidia-smi"):
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def train(planned: Sequence[Entry], at: Scale, store: Store, data_root: Path, jobs: int | None) -> int:
    """Train what the store lacks of a plan; returns 0, or 128 + signal when stopped.

    Raises:
        UserError: runs failed; the others are done.
    """
    console = Console(stderr=True)
    todo = [job_of(entry, at) for entry in planned if not entry.done]
    if not todo:
        return 0
    store.open()
    for data in {job.spec.data.model_dump_json(): job.spec.data for job in todo}.values():
        ensure(data, data_root)
    workers = devices(at, jobs)
    console.print(
        f"{len(todo)} of {len(planned)} runs to train at scale {at.name}, {len(workers)} at a time",
        highlight=False,
    )
    with RunProgress(console, store, todo, lambda job: describe(job.spec)) as display:
        failed, code = launch(todo, store, data_root, workers, THREADS, display)
    if failed and not code:
        first = failed[0].spec.id
        raise UserError(
            f"{len(failed)} of {len(todo)} runs failed; see {store.run(first).failure_path} "
            f"(ademamix show {first}); the others are done"
        )
    if code:
        console.print("stopped; call again to go on from here")
    return code


def prune(everything: Mapping[str, Wanted], store: Store) -> None:
    """Delete the checkpoints of complete runs that nothing needs any more.

    What a need keeps stays, as does what branches that are still to be trained start from, of
    whatever figure, and the last checkpoint of a run that can be extended.
    """
    forks = forks_of(everything.values())
    for id, w in everything.items():
        run = store.run(id)
        if run.checkpoints.exists() and (outcome := run.outcome()):
            last = {outcome.step} if w.spec.extendable else set()
            run.remove_checkpoints_except(owed(w.keep, forks.get(id, {}), store) | last)


def measure(figures: Sequence[Figure], at: Scale, store: Store, data_root: Path) -> None:
    """Take the measurements that figures show, where the store has none. Delete one to take it again."""
    for figure in figures:
        path = store.measurement_path(figure.name, at.name)
        if figure.measured and not path.exists():
            store.open()
            Console(stderr=True).print(f"measuring {figure.label}; let nothing else run", highlight=False)
            found = figure.module.measure(at, data_root, devices(at, 1)[0])
            write_json(path, {"figure": figure.name, "scale": at.name, **found})


def produce(
    figures: Sequence[Figure],
    everything: Mapping[str, Wanted],
    at: Scale,
    store: Store,
    out: Path,
    settings: tuple[str, ...] = (),
) -> None:
    """Write table, drawing and verdicts of each figure to `out`/<scale>, or `out`/exact."""
    from analysis.draw import write_drawing
    from analysis.judge import write_claims
    from analysis.noise import write_noise
    from analysis.results import Results
    from analysis.tables import write_table

    folders = [out / ("exact" if figure.exact else at.name) for figure in figures]
    for figure, folder in zip(figures, folders, strict=True):
        table = figure.module.table(Results(at, store, figure.panel, settings))
        write_table(table, folder / f"{figure.name}.csv")
    if not all(figure.exact for figure in figures):
        write_noise(everything.values(), at, store, out / at.name / "noise.csv")
    # After the noise, whose bands are drawn.
    for figure, folder in zip(figures, folders, strict=True):
        for path in write_drawing(figure, folder / f"{figure.name}.csv", folder):
            print(path)
    # A changed seed spread can change any verdict of the scale, so all of them are judged again.
    asked = {figure.whole.name for figure in figures}
    for folder in sorted(set(folders)):
        for verdicts in write_claims(registry.figures().values(), folder, folder):
            if verdicts["figure"] in asked:
                print_verdicts(verdicts)
