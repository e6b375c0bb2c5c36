"""Effects in order: train what a plan lacks, then tabulate, draw and judge."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from ademamix.cli.report import print_verdicts
from ademamix.data.locate import ensure
from ademamix.describe import describe
from ademamix.errors import UserError
from ademamix.files import write_json
from ademamix.launch.devices import devices
from ademamix.launch.local import Local
from ademamix.launch.progress import RunProgress
from ademamix.launch.protocol import Launcher
from ademamix.plan import Entry, Wanted, forks_of, owed
from ademamix.scale import Scale
from ademamix.store import Store
from ademamix.training.job import job_of
from analysis.artifacts import Artifact, Figure, Table
from experiments import registry


def train(planned: Sequence[Entry], at: Scale, store: Store, data_root: Path, launcher: Launcher) -> int:
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
    console.print(
        f"{len(todo)} of {len(planned)} runs to train at scale {at.name}, {launcher.workers} at a time",
        highlight=False,
    )
    with RunProgress(console, store, todo, lambda job: describe(job.spec)) as display:
        done = launcher.launch(todo, store, data_root, display)
    if done.failed and not done.exit_code:
        first = done.failed[0].spec.id
        raise UserError(
            f"{len(done.failed)} of {len(todo)} runs failed; see {store.run(first).failure_path} "
            f"(ademamix show {first}); the others are done"
        )
    if done.exit_code:
        console.print("stopped; call again to go on from here")
    return done.exit_code


def local(at: Scale, jobs: int | None) -> Local:
    """The launcher for this machine: one worker for each GPU or core, or as many as asked for."""
    return Local(devices(at, jobs))


def prune(everything: Mapping[str, Wanted], store: Store) -> None:
    """Delete the checkpoints of complete runs that nothing needs any more.

    What a need keeps stays, as does what branches that are still to be trained start from, of
    whatever figure, and the last checkpoint of a run that can be extended.
    """
    forks = forks_of(everything.values())
    for id, w in everything.items():
        run = store.run(id)
        if run.checkpoints.exists() and (outcome := run.outcome()):
            last = {outcome.step} if w.spec.schedule.EXTENDABLE else set()
            run.remove_checkpoints_except(owed(w.keep, forks.get(id, {}), store) | last)


def measure(figures: Sequence[Artifact], at: Scale, store: Store, data_root: Path) -> None:
    """Take the measurements that figures show, where the store has none. Delete one to take it again."""
    for figure in figures:
        path = store.measurement_path(figure.name, at.name)
        if figure.measured and not path.exists():
            store.open()
            Console(stderr=True).print(f"measuring {figure.label}; let nothing else run", highlight=False)
            found = figure.module.measure(at, data_root, devices(at, 1)[0])
            write_json(path, {"figure": figure.name, "scale": at.name, **found})


def produce(
    artifacts: Sequence[Artifact],
    everything: Mapping[str, Wanted],
    at: Scale,
    store: Store,
    out: Path,
    settings: tuple[str, ...] = (),
) -> None:
    """Write csv, drawing or typeset table, and verdicts of each artifact to `out`/<scale>, or `out`/exact."""
    from analysis.draw import write_overview
    from analysis.judge import write_claims
    from analysis.noise import write_noise
    from analysis.results import Results
    from analysis.tables import write_table

    folders = [out / ("exact" if artifact.exact else at.name) for artifact in artifacts]
    for artifact, folder in zip(artifacts, folders, strict=True):
        if not isinstance(artifact, Table) or artifact.trained:
            found = artifact.tabulate(Results(at, store, artifact.panel, settings))
            write_table(found, folder / f"{artifact.name}.csv")
    if any(artifact.needs(at) for artifact in artifacts):
        write_noise(everything.values(), at, store, out / at.name / "noise.csv")
    # After the noise, whose bands are drawn.
    for artifact, folder in zip(artifacts, folders, strict=True):
        for path in _written(artifact, folder, at, settings):
            print(path)
        if isinstance(artifact, Table):
            print((folder / f"{artifact.name}.md").read_text())
    # A changed seed spread can change any verdict of the scale, so all of them are judged again.
    asked = {artifact.whole.name for artifact in artifacts}
    for folder in sorted(set(folders)):
        for verdicts in write_claims(registry.artifacts(), folder, folder):
            if verdicts["figure"] in asked:
                print_verdicts(verdicts)
        write_overview(registry.artifacts(), folder, folder)


def _written(artifact: Artifact, folder: Path, at: Scale, settings: tuple[str, ...]) -> list[Path]:
    """Draw a figure, or typeset a table, in `folder`, where the csv is that its runs came to."""
    from analysis.draw import write_drawing
    from analysis.typeset import write_typeset

    if isinstance(artifact, Table):
        return write_typeset(artifact, at, folder)
    assert isinstance(artifact, Figure)
    return write_drawing(artifact, folder / f"{artifact.name}.csv", folder, scale=at, settings=settings)
