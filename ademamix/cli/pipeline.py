"""Effects in order: train what a plan lacks, then tabulate, draw and judge."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from ademamix.cli import torchrun
from ademamix.cli.progress import reading
from ademamix.cli.queue import print_orders, print_queue
from ademamix.cli.report import print_verdicts, size_of
from ademamix.data.locate import ensure
from ademamix.describe import describe_all
from ademamix.errors import Problems, UserError
from ademamix.launch.devices import devices, gpu_memory
from ademamix.launch.local import Local
from ademamix.launch.packs import Pack, Packing
from ademamix.launch.progress import RunProgress
from ademamix.launch.protocol import Feed, Feeding, Launcher
from ademamix.launch.slurm import OnCluster
from ademamix.launch.together import Together
from ademamix.plan import Entry, Wanted, forks_of, owed
from ademamix.scale import Scale
from ademamix.store import Store, read_measurement, write_measurement
from ademamix.training.job import HELD, Job, job_of, refuse_uneven
from analysis.artifacts import Artifact, Figure, Table
from analysis.style import FORMATS, PAPER, Look
from experiments import registry


def train(
    planned: Sequence[Entry],
    at: Scale,
    store: Store,
    data_root: Path,
    launcher: Launcher | Callable[[], Launcher],
    repeat_data: bool = False,
    more: Feed | None = None,
    says: Callable[[Job], str] | None = None,
) -> int:
    """Train what the store lacks of a plan; returns 0, 128 + signal when stopped, or HELD.

    HELD: runs are still in a queue, or held by a file.

    Args:
        planned: the plan.
        at: the scale.
        store: where the runs are.
        data_root: where the data is; all that the runs need of it is checked before the first one starts.
        launcher: what trains them, or what makes it where there is something to train.
        repeat_data: whether runs may see data more than once.
        more: where further jobs come from, with a launcher that takes them while others run.
        says: a run in a few words; None: what differs between them.

    Raises:
        UserError: nothing was trained, or runs failed; the others are done, or in the queue.
    """
    console = Console(stderr=True)
    for entry in planned:
        if entry.done:
            store.run(entry.wanted.spec.id).complete()  # refuses one that was damaged since
    todo = missing(planned, at)
    if not todo:
        if planned:
            console.print(f"nothing to train: {_all(len(planned))} complete", highlight=False)
        return 0
    by = launcher() if callable(launcher) else launcher
    store.open()
    for job in todo:
        refuse_uneven(job.spec.batch, by.processes(job))
    refuse_unfit_data(planned, todo, store, data_root, repeat_data)
    members = max(map(by.packing.most, todo)) if isinstance(by, Local) else 1
    as_one = f", up to {members} in one program" * (members > 1)
    console.print(
        f"{len(todo)} of {len(planned)} runs to train at scale {at.name}, {by.workers} at a time{as_one}; "
        "starting",
        highlight=False,
    )
    with RunProgress(console, store, todo, says or _differences(planned, todo, console)) as display:
        if more and isinstance(by, Feeding):
            further = more
            done = by.launch_fed(todo, store, data_root, display, lambda free: display.expect(further(free)))
        else:
            done = by.launch(todo, store, data_root, display)
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
    if not isinstance(launcher, OnCluster):
        says = _differences(planned, todo, Console()) if todo else str
        for job in todo:
            print(f"{job.spec.id}  {says(job)}: {job.first_step} → {job.until}")
        print(f"{len(todo)} of {len(planned)} runs would be trained, {launcher.workers} at a time")
        return
    from ademamix.launch.sbatch import executor

    orders = launcher.rehearse(todo, store, data_root)
    texts = [executor(order, launcher.cluster).text(len(order.batch.tasks)) for order in orders]
    print_orders(orders, texts, len(todo) - sum(len(t) for o in orders for t in o.batch.tasks))


def _differences(planned: Sequence[Entry], todo: Sequence[Job], console: Console) -> Callable[[Job], str]:
    """A run by what differs between those to train; what they share is printed once."""
    sizes = [size_of(entry.wanted) for entry in planned if not entry.done]
    common, each = describe_all([job.spec for job in todo], sizes)
    console.print(f"all: {common}", highlight=False)
    names = {job.spec.id: words for job, words in zip(todo, each, strict=True)}
    return lambda job: names[job.spec.id]


def _all(runs: int) -> str:
    return "the one run is" if runs == 1 else f"all {runs} runs are"


def refuse_unfit_data(
    planned: Sequence[Entry], todo: Sequence[Job], store: Store, data_root: Path, repeat: bool
) -> None:
    """Raise UserError, before anything is trained, where data is damaged, too little, or not what it was.

    Data that can be made here is made; shards that have changed since they were last read are read again.
    `repeat`: whether runs may see data more than once.
    """
    contents = {}
    for data in {job.spec.data.model_dump_json(): job.spec.data for job in todo}.values():
        folder = ensure(data, data_root)
        with reading(f"checking {data.label}", data.unread(folder)) as told:
            data.verify(folder, told)
        contents[data.model_dump_json()] = data.content(folder)
    for job in todo:
        if why := job.spec.refused_data(data_root, job.until, repeat):
            raise UserError(f"run {job.spec.id}: {why}")
    for entry in planned:
        data, outcome = entry.wanted.spec.data, store.run(entry.wanted.spec.id).outcome()
        now = contents.get(data.model_dump_json())
        before = outcome.machine.get("data") if outcome else None
        if now and before and now != before:
            raise UserError(
                f"run {entry.wanted.spec.id} was trained on other text than {data.label} holds now "
                f"({before}, not {now}); give the new text another name, or name another store with --runs"
            )


def local(
    at: Scale,
    jobs: int | None,
    device: str | None = None,
    gpus_per_run: int | None = None,
    shard: bool = False,
    pack: Pack | None = None,
) -> Local | Together:
    """The launcher for this machine: one worker for each GPU or core, or as many as asked for.

    `gpus_per_run`: processes that train one run together, each on a GPU or core of its own. Under torchrun,
    all of its processes do. `shard`: each of them keeps a part of the run's state alone. `pack`: runs that a
    worker trains as one program; None: what the scale says.
    """
    if pack not in (None, 1, "auto") and (gpus_per_run or 1) > 1:
        raise UserError("--pack is for runs on one GPU each; leave out --gpus-per-run, or --pack")
    if (joined := torchrun.of_this_call()) is not None:
        if gpus_per_run not in (None, joined.size):
            raise UserError(f"torchrun started {joined.size} processes, which train one run; leave out "
                            f"--gpus-per-run {gpus_per_run}")  # fmt: skip
        return joined.on(devices(at, 1, device)[0].partition(":")[0], shard)
    ranks = gpus_per_run or 1
    if shard and ranks == 1:
        raise UserError("--shard divides a run among several processes; say how many with --gpus-per-run N")
    found = devices(at, jobs, device, ranks)
    memory = gpu_memory() if found[0] != "cpu" else None
    return Local(found, ranks=ranks, shard=shard, packing=Packing(pack or at.pack, memory))


def prune(everything: Mapping[str, Wanted], store: Store) -> None:
    """Delete the checkpoints of complete runs that nothing needs any more.

    What a need keeps stays, as does what branches that are still to be trained start from, of
    whatever figure, and the last checkpoint of a run that can be extended. Nothing is deleted while a
    figure's module is wrong: nobody knows what it needs.
    """
    if registry.problems():
        return
    forks = forks_of(everything.values())
    for id, w in everything.items():
        run = store.run(id)
        if run.checkpoints.exists() and (outcome := run.outcome()):
            last = {outcome.step} if w.spec.schedule.EXTENDABLE else set()
            run.remove_checkpoints_except(
                owed(w.keep | w.spare, forks.get(id, {}), store) | last | run.kept()
            )


def measure(
    figures: Sequence[Artifact], at: Scale, store: Store, data_root: Path, device: str | None = None
) -> None:
    """Take the measurements that figures show, where the store has none of these runs.

    Delete one to take it again.
    """
    for figure in figures:
        path = store.measurement_path(figure.name, at.name)
        if not figure.measured:
            continue
        runs = figure.measured_runs(at)
        if not path.exists() or read_measurement(path).get("runs") != runs:
            on = devices(at, 1, device)[0]
            store.open()
            Console(stderr=True).print(f"measuring {figure.label}; let nothing else run", highlight=False)
            with figure.blamed():
                found = figure.module.measure(at, data_root, on)
            write_measurement(path, {"figure": figure.name, "scale": at.name, "runs": runs, **found})


def produce(
    artifacts: Sequence[Artifact],
    everything: Mapping[str, Wanted],
    at: Scale,
    store: Store,
    out: Path,
    settings: tuple[str, ...] = (),
    formats: tuple[str, ...] = FORMATS,
) -> None:
    """Write csv, drawing or typeset table, and verdicts of each artifact to `out`/<scale>, or `out`/exact.

    Raises:
        UserError: some could not be made; the others were.
    """
    from analysis.draw import write_overview
    from analysis.judge import write_claims
    from analysis.noise import write_noise

    problems, look = Problems(), replace(PAPER, formats=formats)
    folders = {artifact: out / ("exact" if artifact.exact else at.name) for artifact in artifacts}
    for artifact, folder in list(folders.items()):
        with problems.collecting():
            _tabulate(artifact, at, store, folder, settings)
            continue
        del folders[artifact]
    if any(artifact.needs(at) for artifact in folders):
        with problems.collecting():
            write_noise(everything.values(), at, store, out / at.name / "noise.csv")
    # After the noise, whose bands are drawn.
    for artifact, folder in folders.items():
        with problems.collecting():
            _show(artifact, at, folder, settings, look)
    # A changed seed spread can change any verdict of the scale, so all of them are judged again.
    asked = {artifact.whole.name: artifact for artifact in folders}
    for folder in sorted(set(folders.values())):
        for verdicts in write_claims(registry.artifacts(), folder, folder, problems):
            if verdicts["figure"] in asked:
                print_verdicts(verdicts, own_claims(asked[verdicts["figure"]], folder))
        with problems.collecting():
            write_overview(registry.artifacts(), folder, folder, look)
    problems.raise_any()


def own_claims(artifact: Artifact, folder: Path) -> set[str]:
    """The names of the claims that an artifact's own table, of all panels or of one, is enough to judge."""
    from analysis.tables import read_table

    if artifact == artifact.whole:
        return {claim.name for claim in artifact.claims}
    frame = read_table(folder / f"{artifact.name}.csv")
    found = set()
    for claim in artifact.claims:
        with suppress(Exception):  # what it compares is in another panel
            claim.measure(frame)
            found.add(claim.name)
    return found


def _tabulate(artifact: Artifact, at: Scale, store: Store, folder: Path, settings: tuple[str, ...]) -> None:
    from analysis.results import Results
    from analysis.tables import write_table

    if artifact.stated:
        return
    with artifact.blamed():
        table = artifact.tabulate(Results(at, store, artifact.panel, settings))
    write_table(table, folder / f"{artifact.name}.csv", settings)


def _show(artifact: Artifact, at: Scale, folder: Path, settings: tuple[str, ...], look: Look) -> None:
    """Draw a figure, or typeset a table, in `folder`, where the csv is that its runs came to."""
    from analysis.draw import write_drawing
    from analysis.typeset import write_typeset

    if isinstance(artifact, Table):
        paths = write_typeset(artifact, at, folder)
    else:
        assert isinstance(artifact, Figure)
        table = folder / f"{artifact.name}.csv"
        paths = write_drawing(artifact, table, folder, look, at, settings)
    for path in paths:
        print(path)
    if isinstance(artifact, Table):
        print((folder / f"{artifact.name}.md").read_text())
