"""The verb `sweep`: hyperparameters of one's own, with the plan and the store of the figures."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ademamix.checkout import checkout
from ademamix.cli.launching import Launching, launcher_options
from ademamix.cli.options import (
    data_option,
    json_option,
    of_figures,
    out_option,
    refuse_check,
    runs_option,
    seed_numbers,
)
from ademamix.cli.report import plan_json, print_plan
from ademamix.errors import UserError
from ademamix.files import write_atomically
from ademamix.launch.protocol import Feeding
from ademamix.paper.setups import PAPER_HORIZON
from ademamix.plan import Entry, Wanted, entries, together, unite
from ademamix.scale import read_scale, scale
from ademamix.store import Store
from ademamix.sweeps import definition, evidence, outcomes
from ademamix.sweeps.controller import Controller
from ademamix.sweeps.definition import Sweep
from ademamix.sweeps.evidence import refuse_reported
from ademamix.sweeps.space import Space, Trial, space
from ademamix.training.job import Job, job_of

if TYPE_CHECKING:
    from analysis.sweeps import Report


class FirstOr(click.Group):
    """A group whose first command is meant where none is named: `sweep FILE` is `sweep run FILE`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args.insert(0, next(iter(self.commands)))
        return super().parse_args(ctx, args)


@click.group(cls=FirstOr)
def sweep() -> None:
    """Try hyperparameters of one's own: from a file, or from flags.

    \b
    Examples:
      ademamix sweep configs/sweeps/table-8-lion.yaml
      ademamix sweep --size 110M --optimizer ademamix --set optimizer.alpha=2,4,8 \\
                     --set 'optimizer.lr=log(1e-4,1e-2,5)' --name mine
      ademamix sweep plan configs/sweeps/table-2-adamw.yaml --scale paper
      ademamix sweep report mine --html

    Without a sub-command, `run` is meant.
    """


@dataclass(frozen=True)
class Chosen:
    """What the user asks for: a sweep at a scale, the store, where results go."""

    space: Space
    store: Store
    folder: Path
    tuning: Path  # the scale's evidence

    @property
    def label(self) -> str:
        return f"sweep {self.space.sweep.name}"


def selection(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which sweep, at which scale: the same for all sub-commands."""
    options: list[Callable[..., Any]] = [
        click.argument("source", required=False, metavar="[FILE|NAME]"),
        click.option("--size", help="A set-up of the paper: 110M, 330M, 1.3B, 6-layer. [default: 110M]"),
        click.option("--optimizer", help="By kind: adamw, ademamix, lion, … [default: ademamix]"),
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUES",
                     help="Values: 2,4,8 or log(1e-4,1e-2,5) or linear(…). Repeatable."),
        click.option("--seeds", metavar="S,S…",
                     help="[default: the scale's tuning seeds, which no figure reports]"),
        click.option("--horizon", type=click.IntRange(min=1),
                     help=f"Length of the training, in steps of the paper. [default: {PAPER_HORIZON}]"),
        click.option("--paper-units", "units", flag_value="paper", default=None,
                     help="Values are the paper's, mapped as figures map theirs; otherwise the scale's own."),
        click.option("--search", type=click.Choice(["grid", "coordinates", "tpe"]), help="[default: grid]"),
        click.option("--trials", type=click.IntRange(min=1), help="How many, of --search tpe."),
        click.option("--halving", type=click.IntRange(0, definition.DEEPEST),
                     help="How many times to leave the worse half behind before the end."),
        click.option("--name", help="Of the folder of results. [default: the file's, or 110M-ademamix]"),
        click.option("--scale", "scale_name", default="cpu", show_default=True,
                     help="smoke, cpu, gpu or paper; or the path of a scale's YAML file."),
        out_option, runs_option,
    ]  # fmt: skip
    return reduce(lambda found, option: option(found), reversed(options), command)


def chosen(source: str | None, scale_name: str, out: Path | None, runs: Path, **flags: Any) -> Chosen:
    """What the options of `selection` mean."""
    path = Path(scale_name)
    at = read_scale(path) if path.suffix == ".yaml" and path.exists() else scale(scale_name)
    refuse_check(at)
    beside = path.parent if path.suffix == ".yaml" else checkout() / "configs" / "scales"
    root = (out or checkout() / "out") / at.name / "sweeps"
    found = space(_sweep(source, root, flags), at)
    return Chosen(found, Store(runs), root / found.sweep.name, beside / f"{at.name}-tuning.csv")


def _sweep(source: str | None, root: Path, flags: dict[str, Any]) -> Sweep:
    """The sweep of a file, of a folder of results by its name, or of flags alone."""
    settings, seeds = flags.pop("settings"), flags.pop("seeds")
    fields = {**flags, "seeds": seed_numbers(seeds) if seeds else None}
    if source is None:
        if not settings:
            raise UserError("say what to try: a FILE.yaml, or --set KEY=VALUES (ademamix sweep --help)")
        size, optimizer = fields["size"] or "110M", fields["optimizer"] or "ademamix"
        named = {"size": size, "optimizer": optimizer, "name": fields["name"] or f"{size}-{optimizer}"}
        return definition.from_flags(settings, **{**fields, **named})
    made = root / source / "sweep.yaml"
    path = made if made.exists() else Path(source)
    if not path.exists():
        raise UserError(f"no file {source}, and no sweep of that name in {root}")
    return definition.changed(definition.read_file(path), settings, **fields)


@sweep.command("run")
@selection
@click.option("--evidence", is_flag=True, help="Append the trials to the scale's <scale>-tuning.csv.")
@data_option
@launcher_options
def run_sweep(evidence: bool, data: Path, launching: Launching, **selected: Any) -> None:
    """Train what the sweep lacks, then report it (the default sub-command).

    Stop it with Ctrl-C and call it again: it goes on where it was. A setting that any figure or sweep has
    trained is not trained again. Results: out/<scale>/sweeps/<name>/ (trials.csv, report.md, drawings).

    With --cluster, the trials that may start become jobs, and the command returns; call it again for those
    that follow from what came out, or --wait.
    """
    asked = chosen(**selected)
    if evidence:
        refuse_reported(asked.space.scale, asked.space.seeds)
    store, data = launching.places(asked.store.root, data)
    asked = replace(asked, store=store)
    click.echo(_stated(asked.space), err=True)
    if launching.dry_run:
        _rehearse(asked, launching, data)
        return
    try:
        code = _train(asked, launching, data)
    finally:  # what is done is reported, whatever failed
        _report(asked)
    if evidence and not code:
        _append(asked)
    raise SystemExit(launching.exit_code(code))


@sweep.command("plan")
@selection
@json_option
def plan_sweep(as_json: bool, **selected: Any) -> None:
    """Show the runs of the sweep: which are done, what they cost, how many are not decided yet."""
    asked = chosen(**selected)
    controller = Controller(asked.space, asked.store)
    controller.next(free=0)
    trials = [Trial(point, asked.space.top) for point in controller.points]
    planned = _entries(asked, trials, of_figures(asked.space.scale))
    undecided = controller.undecided
    if as_json:
        found = plan_json(planned, asked.space.scale)
        click.echo(json.dumps({**found, "sweep": asked.space.sweep.name, "undecided": undecided}, indent=1))
        return
    click.echo(_stated(asked.space))
    if planned:
        print_plan(planned, asked.space.scale)
    if undecided:
        each = len(asked.space.seeds)
        click.echo(f"at most {undecided * each} runs more, chosen by what comes out")


@sweep.command("report")
@selection
@click.option("--html", "as_page", is_flag=True, help="Write index.html too: tables, drawings, curves.")
@json_option
def report_sweep(as_page: bool, as_json: bool, **selected: Any) -> None:
    """Tabulate and draw the sweep as far as it is. Trains nothing."""
    asked = chosen(**selected)
    found = _report(asked, quiet=as_json)
    if as_page:
        from analysis.report.sweep import write_sweep_page

        rows = outcomes.read_rows(asked.folder / "trials.csv")
        click.echo(write_sweep_page(asked.space, found, rows, asked.store, asked.folder), err=True)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=1))


def _stated(found: Space) -> str:
    """What the sweep is, in a line: above all in which units its values are."""
    units = (
        "in the paper's units, mapped as figures map theirs"
        if found.units == "paper"
        else "in the scale's own units"
    )
    if found.units != found.sweep.units:
        units += ", to which the paper's values were mapped"
    seeds = ", ".join(map(str, found.seeds))
    what = found.sweep.title or f"{found.sweep.size}, {found.sweep.optimizer}"
    return (
        f"{found.sweep.name}: {what}; {found.sweep.search} over {', '.join(found.varied or found.keys)}; "
        f"values {units}; scale {found.scale.name}, seed{'s' * (len(found.seeds) > 1)} {seeds}"
    )


def _entries(asked: Chosen, trials: Sequence[Trial], figures: dict[str, Wanted]) -> list[Entry]:
    """The runs of trials with what the store knows of them."""
    own = unite({asked.label: asked.space.needs(trials)})
    return entries(own, together(figures, own), asked.store)


def _rehearse(asked: Chosen, launching: Launching, data: Path) -> None:
    """Print the trials that would start now, as runs here or as jobs of a cluster."""
    from ademamix.cli.pipeline import rehearse

    launcher = launching.launcher(asked.space.scale)
    trials = Controller(asked.space, asked.store).next(launcher.workers)
    planned = _entries(asked, trials, of_figures(asked.space.scale))
    rehearse(planned, asked.space.scale, asked.store, data, launcher)


def _train(asked: Chosen, launching: Launching, data: Path) -> int:
    """Drive the search to its end; returns 0, 128 + signal when stopped, or HELD: trials are in a queue."""
    from ademamix.cli.pipeline import prune, train

    found, figures = asked.space, of_figures(asked.space.scale)
    asked.store.open()
    controller, launcher = Controller(found, asked.store), launching.launcher(asked.space.scale)
    labels: dict[str, str] = {}

    def runs(trials: Sequence[Trial]) -> list[Entry]:
        for trial in trials:
            for seed in found.seeds:
                spec = found.spec(trial.point, seed)
                labels[spec.id] = f"{found.label(trial.point)}, seed {seed}"
                if launching.to_cluster:  # the next controller has to know what waits in a queue
                    asked.store.run(spec.id).announce(spec)
        return _entries(asked, trials, figures)

    def more(free: int) -> Sequence[Job]:
        return [job_of(entry, found.scale) for entry in runs(controller.next(free)) if not entry.done]

    code = 0
    while not code and (trials := controller.next(launcher.workers)):
        code = train(runs(trials), found.scale, asked.store, data, launcher, False,
                     more if isinstance(launcher, Feeding) else None,
                     says=lambda job: labels.get(job.spec.id, job.spec.id))  # fmt: skip
    if not code:
        done = [Trial(point, found.top) for point in controller.points]
        own = unite({asked.label: found.needs(done)})
        prune(together(figures, own), asked.store)
    return code


def _append(asked: Chosen) -> None:
    points = Controller(asked.space, asked.store)
    points.next(free=0)
    count = evidence.append(asked.space, asked.store, points.points, asked.tuning)
    click.echo(f"{count} trials appended to {asked.tuning}")


def _report(asked: Chosen, quiet: bool = False) -> "Report":
    """Write the folder of results from the store, and print what it says."""
    from analysis.sweeps import write_report

    controller = Controller(asked.space, asked.store)
    controller.next(free=0)
    found = list(outcomes.rows(asked.space, asked.store, controller.points))
    table = asked.folder / "trials.csv"
    stated = asked.folder / "sweep.yaml"
    text = asked.space.sweep.as_file()
    if stated.exists() and stated.read_text() == text:  # the same sweep: what the store has lost stays known
        found = outcomes.merged(outcomes.read_rows(table), found)
    outcomes.write_rows(found, table)
    write_atomically(stated, text.encode())
    written = write_report(asked.space, _stated(asked.space), found, asked.folder)
    if not quiet:
        for line in written.lines:
            click.echo(line)
        for path in written.paths:
            click.echo(path, err=True)
    return written
