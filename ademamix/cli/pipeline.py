"""Effects in order: train what a plan lacks, then tabulate, draw and judge."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from ademamix.cli.progress import reading
from ademamix.cli.queue import print_orders, print_queue
from ademamix.cli.report import print_verdicts
from ademamix.data.locate import ensure
from ademamix.describe import describe
from ademamix.errors import UserError
from ademamix.files import write_json
from ademamix.launch.devices import devices
from ademamix.launch.local import Local
from ademamix.launch.progress import RunProgress
from ademamix.launch.protocol import Feed, Feeding, Launcher
from ademamix.plan import Entry, Wanted, forks_of, owed
from ademamix.scale import Scale
from ademamix.store import Store
from ademamix.training.job import HELD, Job, job_of
from analysis.artifacts import Figure
from experiments import registry


def train(
    planned: Sequence[Entry],
    at: Scale,
    store: Store,
    data_root: Path,
    launcher: Launcher,
    more: Feed | None = None,
    says: Callable[[Job], str] = lambda job: describe(job.spec),
) -> int:
    """Train what the store lacks of a plan; returns 0, 128 + signal when stopped, or HELD.

    HELD: runs are still in a queue, or held by a file.

    `more`: where further jobs come from, with a launcher that takes them while others run. `says`: a run in a
    few words.

    Raises:
        UserError: runs failed; the others are done, or in the queue.
    """
    console = Console(stderr=True)
    todo = missing(planned, at)
    if not todo:
        return 0
    store.open()
    refuse_unfit(planned, todo, store, data_root)
    console.print(
        f"{len(todo)} of {len(planned)} runs to train at scale {at.name}, {launcher.workers} at a time",
        highlight=False,
    )
    with RunProgress(console, store, todo, says) as display:
        if more and isinstance(launcher, Feeding):
            further = more
            done = launcher.launch_fed(
                todo, store, data_root, display, lambda free: display.expect(further(free))
            )
        else:
            done = launcher.launch(todo, store, data_root, display)
    if done.pending:
        print_queue(store, console=console)
    if done.failed and not done.exit_code:
        first = done.failed[0].spec.id
        others = f"{len(done.pending)} are not done yet" if done.pending else "the others are done"
        raise UserError(
            f"{len(done.failed)} of {display.total} runs failed; see {store.run(first).failure_path} "
            f"(ademamix show {first}); {others}"
        )
    if done.exit_code:
        console.print("stopped; call again to go on from here")
    elif done.pending:
        held = sum(store.run(job.spec.id).stop_path.exists() for job in done.pending)
        by_files = f", {held} held by a file `stop` (ademamix retry)" if held else ""
        console.print(f"{len(done.pending)} runs are not done{by_files}; call again", highlight=False)
    return done.exit_code or (HELD if done.pending else 0)


def missing(planned: Sequence[Entry], at: Scale) -> list[Job]:
    """What the store lacks of a plan, as jobs."""
    return [job_of(entry, at) for entry in planned if not entry.done]


def rehearse(planned: Sequence[Entry], at: Scale, store: Store, data_root: Path, launcher: Launcher) -> None:
    """Print what `train` would do, and do nothing."""
    todo = missing(planned, at)
    if isinstance(launcher, Local):
        for job in todo:
            print(f"{job.spec.id}  {describe(job.spec)}: {job.first_step} → {job.until}")
        print(f"{len(todo)} of {len(planned)} runs would be trained, {launcher.workers} at a time")
        return
    from ademamix.launch.sbatch import executor
    from ademamix.launch.slurm import OnCluster

    assert isinstance(launcher, OnCluster)
    orders = launcher.rehearse(todo, store, data_root)
    texts = [executor(order, launcher.cluster).text(len(order.batch.tasks)) for order in orders]
    print_orders(orders, texts, len(todo) - sum(len(t) for o in orders for t in o.batch.tasks))


def refuse_unfit(planned: Sequence[Entry], todo: Sequence[Job], store: Store, data_root: Path) -> None:
    """Raise UserError, before anything is trained, where data is damaged, too little, or not what it was.

    Data that can be made here is made; shards that have changed since they were last read are read again.
    """
    contents = {}
    for data in {job.spec.data.model_dump_json(): job.spec.data for job in todo}.values():
        folder = ensure(data, data_root)
        with reading(f"checking {data.label}", data.unread(folder)) as told:
            data.verify(folder, told)
        contents[data.model_dump_json()] = data.content(folder)
    for job in todo:
        job.spec.refuse_data(data_root)
    for entry in planned:
        data, outcome = entry.wanted.spec.data, store.run(entry.wanted.spec.id).outcome()
        now = contents.get(data.model_dump_json())
        before = outcome.machine.get("data") if outcome else None
        if now and before and now != before:
            raise UserError(
                f"run {entry.wanted.spec.id} was trained on other text than {data.label} holds now "
                f"({before}, not {now}); give the new text another name, or name another store with --runs"
            )


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
    from analysis.draw import write_drawing, write_overview
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
        for path in write_drawing(figure, folder / f"{figure.name}.csv", folder, scale=at, settings=settings):
            print(path)
    # A changed seed spread can change any verdict of the scale, so all of them are judged again.
    asked = {figure.whole.name for figure in figures}
    for folder in sorted(set(folders)):
        for verdicts in write_claims(registry.artifacts(), folder, folder):
            if verdicts["figure"] in asked:
                print_verdicts(verdicts)
        write_overview(registry.artifacts(), folder, folder)
