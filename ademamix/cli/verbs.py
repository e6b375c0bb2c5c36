"""The verbs of the command line: thin, over plan, launch, store and analysis."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from ademamix.checkout import checkout
from ademamix.cli import report
from ademamix.cli.launching import Launching, launcher_options
from ademamix.cli.options import (
    Folder,
    Verbs,
    called,
    changes_options,
    chosen,
    chosen_figures,
    chosen_formats,
    chosen_scale,
    corpus_option,
    data_option,
    figure_option,
    formats_option,
    json_option,
    out_option,
    refuse_other_drawings,
    repeat_option,
    runs_option,
    scale_option,
    settled,
    table_option,
    wanted_runs,
)
from ademamix.cli.overrides import changeable
from ademamix.cli.queue import VERBS, print_queue, queue_json
from ademamix.cli.torchrun import Training
from ademamix.errors import UserError
from ademamix.plan import Entry, entries, together
from ademamix.records import (
    astray,
    elsewhere,
    export,
    export_measurements,
    load_measurement,
    load_record,
)
from ademamix.scale import scale, scales
from ademamix.store import Store
from analysis.claims import VERDICTS
from experiments import registry

FAILED_ON = 3  # the exit code where a claim is judged as --fail-on names
RECORDS = ("*.json.gz", "*-figure-*.json")  # of runs, and of measurements


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ademamix")
def cli() -> None:
    """Reproduce the AdEMAMix paper (arXiv 2409.03137), figure by figure.

    \b
    Examples:
      ademamix run --figure 12                 train what Figure 12 lacks, draw it, judge its claims
      ademamix plan --figure 12 --scale paper  what that would take at the paper's own scale
      ademamix status                          what is done, running, failed
    """


for verb in VERBS:
    cli.add_command(verb)


@cli.command()
@figure_option
@table_option
@scale_option
@changes_options
@corpus_option
@runs_option
@json_option
def plan(
    names: tuple[str, ...],
    tables: tuple[str, ...],
    scale_name: str,
    seeds: str | None,
    settings: tuple[str, ...],
    runs: Path,
    as_json: bool,
) -> None:
    """Show the runs that figures and tables need: which are done, what they share, what they cost.

    \b
    Examples:
      ademamix plan --figure 12 --scale paper
      ademamix plan --figure 1 --figure 12 --json
    """
    at = chosen_scale(scale_name, seeds)
    artifacts = chosen(names, tables, at)
    if settings:
        artifacts = changeable(artifacts, bool(names or tables))
    planned = entries(*wanted_runs(artifacts, at, settings), Store(runs))
    if as_json:
        click.echo(json.dumps(report.plan_json(planned, at), indent=1))
    else:
        report.print_plan(planned, at)


@cli.command(cls=Training)
@figure_option
@table_option
@scale_option
@changes_options
@launcher_options
@repeat_option
@formats_option
@click.option(
    "--only", multiple=True, metavar="ID", help="Train only runs whose id begins so. Draws nothing."
)
@click.option("--until", type=click.IntRange(min=1), help="Stop every run at this step. Draws nothing.")
@data_option
@out_option
@runs_option
def run(
    names: tuple[str, ...],
    tables: tuple[str, ...],
    scale_name: str,
    seeds: str | None,
    settings: tuple[str, ...],
    launching: Launching,
    repeat_data: bool,
    formats: tuple[str, ...],
    only: tuple[str, ...],
    until: int | None,
    data: Path,
    out: Path | None,
    runs: Path,
) -> None:
    """Train what figures and tables lack, then draw or typeset them and judge their claims.

    Stop it with Ctrl-C and call it again: it goes on where it was. Runs that are complete are not
    trained again. With --seeds, or a scale of your own, the results go to out/<scale>; --set needs --out.
    With --cluster the runs become jobs of a Slurm cluster (docs/running-on-slurm.md): the command returns
    when they are sent, and draws when it is called after they are done, or with --wait.

    \b
    Examples:
      ademamix run --figure 12
      ademamix run --figure 12a --scale gpu --jobs 1
      ademamix run --figure 12 --scale paper --cluster configs/clusters/mine.yaml
      ademamix run --table 7
      ademamix run --figure 12 --set optimizer.alpha_warmup=null --out /tmp/no-warmup
    """
    from ademamix.cli.pipeline import measure, produce, prune, rehearse, train

    at = chosen_scale(scale_name, seeds)
    artifacts = chosen(names, tables, at)
    if settings:
        artifacts = changeable(artifacts, bool(names or tables))
    if not out and not launching.dry_run:
        artifacts = settled(artifacts, at, bool(names or tables))
    if settings and not out and not (only or until):
        raise UserError(
            "--set changes what is trained, so the figure would not be the paper's; "
            "say where to put it with --out DIR"
        )
    formats = chosen_formats(formats, out)
    with Console(stderr=True).status("planning"):
        asked, everything = wanted_runs(artifacts, at, settings, until)
        if only:
            asked = {id: w for id, w in asked.items() if id.startswith(only)}
            if not asked:
                raise UserError(f"no run of these figures has an id beginning with {' or '.join(only)}")
        store, data = launching.places(runs, data)
        planned = entries(asked, everything, store)
    if launching.dry_run:
        rehearse(planned, at, store, data, launching.launcher(at))
        return
    tried: set[str] = set()
    while True:
        undone = _undone(planned)
        code = train(planned, at, store, data, lambda: launching.launcher(at), repeat_data)
        if code or not undone:
            break
        tried |= undone
        planned = entries(asked, everything, store)
        if _undone(planned) <= tried:
            break  # else a trunk was trained anew, and takes branches along that were done
    if not until:  # cut short, branches do not show what they will need
        prune(together(everything, wanted_runs([], at)[1]), store)
    if code == 0 and not only and not until:
        measure(artifacts, at, store, data, launching.device)
        default = checkout() / ("figures" if seeds is None and at.name == scale_name else "out")
        produce(artifacts, everything, at, store, out or default, settings, formats)
    raise SystemExit(launching.exit_code(code))


def _undone(planned: Sequence[Entry]) -> set[str]:
    return {entry.wanted.spec.id for entry in planned if not entry.done}


@cli.command()
@json_option
@corpus_option
@runs_option
def status(as_json: bool, runs: Path) -> None:
    """Show, for each scale, how many runs are done, running, diverged, failed or still to do.

    What was sent to a cluster and is not done is listed with its state there, and what to do about it.

    \b
    Examples:
      ademamix status
      ademamix status --json
    """
    store = Store(runs)
    counts, queue = report.status(store), queue_json(store) if as_json else []
    if as_json:
        click.echo(json.dumps({**counts, "cluster": queue} if queue else counts, indent=1))
    else:
        report.print_status(counts)
        print_queue(store)


@cli.command()
@figure_option
@click.option("--scale", "scale_name", help="Only this scale. [default: all]")
@click.option("--size", type=click.Choice(["paper", "talk"]), default="paper", show_default=True)
@click.option("--dark", is_flag=True, help="Light on dark. With --out.")
@formats_option
@out_option
def plot(
    names: tuple[str, ...],
    scale_name: str | None,
    size: str,
    dark: bool,
    formats: tuple[str, ...],
    out: Path | None,
) -> None:
    """Draw figures again from their committed tables. Trains nothing, needs no torch.

    \b
    Examples:
      ademamix plot
      ademamix plot --figure 12a --scale cpu --size talk --dark --out /tmp/talk
    """
    from analysis.draw import redraw, write_overview
    from analysis.judge import folders, refuse_without_tables
    from analysis.style import LOOKS

    look = replace(LOOKS[size], dark=dark)
    refuse_other_drawings(look != LOOKS["paper"] and not out, "--size or --dark")
    look = replace(look, formats=chosen_formats(formats, out))
    figures, root = chosen_figures(names), checkout() / "figures"
    refuse_without_tables(figures, scale_name, root, bool(names))
    for path in redraw(figures, scale_name, root, out, look):
        click.echo(path)
    if not names:
        for folder in folders(root, scale_name):
            for path in write_overview(registry.artifacts(), folder, (out or root) / folder.name, look):
                click.echo(path)


@cli.command()
@figure_option
@table_option
@click.option("--scale", "scale_name", help="Only this scale. [default: all]")
@click.option(
    "--fail-on",
    type=click.Choice(VERDICTS),
    multiple=True,
    help="Exit code 3 where a claim is judged so; may be repeated.",
)
@out_option
def claims(
    names: tuple[str, ...],
    tables: tuple[str, ...],
    scale_name: str | None,
    fail_on: tuple[str, ...],
    out: Path | None,
) -> None:
    """Judge the claims again from the committed tables, and write claims.json.

    \b
    Examples:
      ademamix claims
      ademamix claims --figure 12 --scale cpu
      ademamix claims --scale cpu --fail-on "not reproduced"
    """
    from analysis.draw import write_overview
    from analysis.judge import folders, refuse_without_tables, rejudge

    named, root = bool(names or tables), checkout() / "figures"
    artifacts = called(names, tables) if named else registry.artifacts()
    refuse_without_tables(artifacts, scale_name, root, named)
    failed = 0
    for verdicts in rejudge(artifacts, scale_name, root, out):
        report.print_verdicts(verdicts)
        failed += sum(claim["verdict"] in fail_on for claim in verdicts["claims"])
    for folder in folders(root, scale_name):
        own = (out or root) / folder.name
        write_overview(registry.artifacts(), own, own)
    if failed:
        click.echo(f"{failed} claims are judged {' or '.join(fail_on)}", err=True)
        raise SystemExit(FAILED_ON)


@cli.command()
@table_option
@click.option("--scale", "scale_name", help="With this scale's values beside the paper's.")
@out_option
def table(tables: tuple[str, ...], scale_name: str | None, out: Path | None) -> None:
    """Write tables of the paper as md, csv and tex, and print them. Trains nothing.

    Their values are those of the configurations; a table of trained models is typeset from its committed
    csv, which 'ademamix run --table N' makes. Without --scale: the paper's values, and the scales that have
    committed tables.

    \b
    Examples:
      ademamix table
      ademamix table --table 4 --scale cpu
    """
    from analysis.typeset import write_typeset

    found = [registry.named_table(name) for name in tables] or list(registry.tables().values())
    root = out or checkout() / "figures"
    for at in [scale(scale_name)] if scale_name else [None, *scales().values()]:
        folder = root / (at.name if at else "exact")
        for one in found:
            there = (folder / f"{one.name}.csv").exists()
            if at and not there and (one.trains or not scale_name):
                if scale_name and tables:
                    raise UserError(f"{one.label} shows trained models; make it with: "
                                    f"ademamix run --table {one.number} --scale {at.name}")  # fmt: skip
                continue
            paths = write_typeset(one, at, folder)  # markdown first
            if at is None or scale_name:
                click.echo(paths[0].read_text())
            click.echo(" ".join(map(str, paths)))


@cli.command("export")
@scale_option
@out_option
@corpus_option
@runs_option
def export_records(scale_name: str, out: Path | None, runs: Path) -> None:
    """Write the records of complete runs to figures/<scale>/records, one small file each.

    \b
    Example:
      ademamix export --scale cpu
    """
    at, store = scale(scale_name), Store(runs)
    folder = (out or checkout() / "figures") / at.name / "records"
    planned = entries(*wanted_runs(registry.of_scale(at), at), store)
    complete = [store.run(entry.wanted.spec.id) for entry in planned if entry.done]
    for run in complete:
        export(run, folder)
    for path in export_measurements(store, at.name, folder):
        click.echo(path)
    click.echo(f"{len(complete)} records in {folder}")


@cli.command("import")
@click.option("--scale", "scale_name", help="Only this scale. [default: all]")
@click.option("--from", "source", type=Folder(), metavar="DIR", help="A folder of records.")
@corpus_option
@runs_option
def import_records(scale_name: str | None, source: Path | None, runs: Path) -> None:
    """Load committed records into the store, so that their runs need not be trained again.

    \b
    Examples:
      ademamix import
      ademamix import --from /mnt/colleague/records
    """
    store = Store(runs)
    store.open()
    if scale_name:
        scale(scale_name)  # refuses an unknown one
    folders = [source] if source else sorted((checkout() / "figures").glob(f"{scale_name or '*'}/records"))
    loaded, problems, read = [], [], []
    for path in sorted(path for folder in folders for kind in RECORDS for path in folder.glob(kind)):
        try:
            if path.suffix == ".gz":
                loaded.append(load_record(path, store))
                read.append(path)
            else:
                load_measurement(path, store)
        except UserError as problem:
            problems.append(str(problem))
    if not loaded and not problems:
        where = ", ".join(map(str, folders)) or checkout() / "figures" / (scale_name or "*") / "records"
        raise UserError(f"no records in {where}; name another folder with --from DIR")
    # Trunks and branches come in any order: what did not follow before may do so now.
    if lost := {run.id for run in astray(store)}:
        for path in (path for path in read if path.name.partition(".")[0] in lost):
            load_record(path, store)
        lost = {run.id for run in astray(store)}
    for note in elsewhere(store.run(path.name.partition(".")[0]) for path in read):
        click.echo(note, err=True)
    if lost:
        click.echo(
            f"{len(lost)} runs in {store.root} are branches of another training of their trunk than the one "
            f"there, such as {min(lost)}: figures that show them train them again; or delete the folders of "
            "these trunks, and import again",
            err=True,
        )
    click.echo(f"{sum(loaded)} runs loaded into {store.root}, {len(loaded) - sum(loaded)} were there")
    if problems:
        raise UserError(f"{len(problems)} records were left out; the first: {problems[0]}")


@cli.command()
@click.option("--check", is_flag=True, help="Change nothing; fail when something is stale.")
def docs(check: bool) -> None:
    """Write the generated pages from the registry and claims.json: status, results, gallery, report.

    \b
    Examples:
      ademamix docs
      ademamix docs --check
    """
    from analysis.pages import write_pages

    stale = write_pages(checkout(), registry.contents(), check)
    if check and stale:
        raise UserError(f"{', '.join(stale)}: stale; run 'make docs'")
    click.echo(f"written: {', '.join(stale)}" if stale else "all up to date")
