"""Options that several verbs share, and what the user's words for figures, scales and runs stand for."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ademamix.checkout import checkout, data_root
from ademamix.cli.overrides import refuse_settings
from ademamix.errors import UserError, one_line
from ademamix.plan import Wanted, unite
from ademamix.scale import Scale, Seeds, scale, scales
from ademamix.spec import Need, override_known
from analysis.artifacts import Artifact, Figure, needs
from analysis.style import FORMATS
from experiments import registry

Command = Callable[..., Any]


class Folder(click.ParamType):  # type: ignore[type-arg]
    """A folder, there or to be made; refuses a path that is a file, or lies in one."""

    name = "directory"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        there = next(p for p in (path, *path.absolute().parents) if p.exists())
        if not there.is_dir():
            option = f" with {param.opts[0]} DIR" if param else ""
            raise UserError(f"{there} is a file; name a folder{option}")
        return path


class Data(Folder):
    """Where data is: a folder that is there, or the checkout's own. No typing error makes a new one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = super().convert(value, param, ctx)
        if not path.exists() and path != checkout() / "data":
            raise UserError(f"there is no folder {path}; make it first, or name another with --data DIR")
        return path


class Verb(click.Command):
    """A verb. Where the disk is full or a file unreadable, it says which option names another place."""

    def invoke(self, ctx: click.Context) -> Any:
        code = 0
        try:
            super().invoke(ctx)
        except SystemExit as done:
            code = int(done.code or 0)
        except BrokenPipeError:  # whoever read the output has seen enough, which click knows of
            raise
        except OSError as error:
            options = [p for p in self.params if isinstance(p.type, Folder)]
            places = {f"{p.opts[0]} DIR": ctx.params.get(p.name or "") for p in options}
            raise UserError(one_line(error, places)) from error
        for (
            problem
        ) in registry.problems():  # of figures that were left out, which is what was asked for or not
            click.echo(f"ademamix: {problem}", err=True)
            code = code or (0 if ctx.params.get("names") else 1)
        raise SystemExit(code)


class Verbs(click.Group):
    """All of them."""

    command_class = Verb


def figure_option(command: Command) -> Command:
    return click.option(
        "--figure", "names", multiple=True, metavar="N", help="Figures or panels: 12, 12a,13. Repeatable."
    )(command)


def table_option(command: Command) -> Command:
    return click.option("--table", "tables", multiple=True, metavar="N", help="A table, 1 to 8. Repeatable.")(
        command
    )


def scale_option(command: Command) -> Command:
    return click.option(
        "--scale",
        "scale_name",
        default="cpu",
        show_default=True,
        help="smoke, cpu, gpu, paper, or a file like those in configs/scales.",
    )(command)


def out_option(command: Command) -> Command:
    return click.option(
        "--out", type=Folder(), metavar="DIR", help="Write to DIR/<scale> instead of figures/<scale>."
    )(command)


def runs_option(command: Command) -> Command:
    return click.option(
        "--runs",
        type=Folder(),
        metavar="DIR",
        envvar="ADEMAMIX_RUNS",
        default=lambda: checkout() / "runs",
        help="The store of runs, for example on a scratch disk. [default: runs]",
    )(command)


def _for_the_whole_process(ctx: click.Context, param: click.Parameter, value: Path) -> Path:
    """Which corpus this machine has depends on the data root, wherever that is asked."""
    os.environ["ADEMAMIX_DATA"] = str(value.absolute())
    return value


def _data_option(**more: Any) -> Callable[[Command], Command]:
    return click.option(
        "--data",
        type=Data(),
        metavar="DIR",
        envvar="ADEMAMIX_DATA",
        default=data_root,
        callback=_for_the_whole_process,
        help="Where prepared data lives. [default: data]",
        **more,
    )


def data_option(command: Command) -> Command:
    return _data_option()(command)


def corpus_option(command: Command) -> Command:
    """--data for verbs that read no data, but ask which corpus there is."""
    return _data_option(expose_value=False)(command)


def jobs_option(command: Command) -> Command:
    return click.option(
        "--jobs",
        type=click.IntRange(min=1),
        help="Runs at a time. [default: one per core or GPU; on a cluster, as many as its file allows]",
    )(command)


def device_option(command: Command) -> Command:
    return click.option(
        "--device", type=click.Choice(["cpu", "cuda"]), help="Train on this. [default: what the scale is for]"
    )(command)


class Members(click.ParamType):  # type: ignore[type-arg]
    """A number of runs, or 'auto'."""

    name = "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if value != "auto" and not (str(value).isdecimal() and int(value) > 0):
            self.fail(f"'{value}' is neither a number of runs, from 1, nor auto", param, ctx)
        return value if value == "auto" else int(value)


def pack_option(command: Command) -> Command:
    return click.option(
        "--pack",
        type=Members(),
        help="Runs of one shape that a worker trains as one program (docs/gpu.md). [default: the scale's]",
    )(command)


def ranks_option(command: Command) -> Command:
    return click.option(
        "--gpus-per-run",
        type=click.IntRange(min=1),
        help="GPUs that train one run together (with --device cpu: processes). [default: 1]",
    )(command)


def shard_option(command: Command) -> Command:
    return click.option(
        "--shard",
        is_flag=True,
        help="Each of them keeps a part of weights and moments (FSDP2): for what does not fit on one GPU.",
    )(command)


def repeat_option(command: Command) -> Command:
    return click.option(
        "--repeat-data", is_flag=True, help="Train on less data than the runs need, which then see it again."
    )(command)


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(command)


def formats_option(command: Command) -> Command:
    """In which formats drawings are written; `chosen_formats` tells."""
    return click.option(
        "--format",
        "formats",
        type=click.Choice(FORMATS),
        multiple=True,
        help="Draw only this: png takes half as long as all. Repeatable; with --out. "
        "[default: those in ADEMAMIX_FORMATS with --out, else all]",
    )(command)


def chosen_formats(stated: Sequence[str], out: Path | None) -> tuple[str, ...]:
    """Those of --format, else of the environment, else all; what is committed comes in all.

    Raises:
        UserError: --format without --out, or a format that there is not.
    """
    refuse_other_drawings(bool(stated) and not out, "--format")
    found = stated or (out and os.environ.get("ADEMAMIX_FORMATS", "").split()) or FORMATS
    for name in found:
        if name not in FORMATS:
            raise UserError(f"ADEMAMIX_FORMATS: no format '{name}'; there are {', '.join(FORMATS)}")
    return tuple(name for name in FORMATS if name in found)


def refuse_other_drawings(other: bool, options: str) -> None:
    """Raise UserError where drawings without --out would differ from the committed ones."""
    if other:
        raise UserError(f"{options} does not draw what is committed; say where to draw: --out DIR")


def changes_options(command: Command) -> Command:
    """--seeds and --set: they make other runs than the figure's own."""
    seeds = click.option("--seeds", metavar="S,S…", help="Use these seeds for every run, such as 0,1,2.")
    settings = click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change every run, such as optimizer.alpha=4. Repeatable.",
    )
    return seeds(settings(command))


def chosen_figures(names: tuple[str, ...]) -> list[Figure]:
    """The named figures, or all that are defined."""
    return _named(names) or list(registry.figures().values())


def _named(names: tuple[str, ...]) -> list[Figure]:
    words = [word for name in names for word in name.replace(",", " ").split()]
    return [figure for word in dict.fromkeys(words) for figure in registry.named(word)]


def called(figures: tuple[str, ...], tables: tuple[str, ...]) -> list[Artifact]:
    """The named figures and tables."""
    return [*_named(figures), *map(registry.named_table, tables)]


def chosen(figures: tuple[str, ...], tables: tuple[str, ...], at: Scale) -> list[Artifact]:
    """The named figures and tables; without names, all figures and the tables of trained models.

    Raises:
        UserError: there is none of that name, or the scale is a check that does not repeat it.
    """
    there = registry.of_scale(at)
    if not figures and not tables:
        return [artifact for artifact in there if artifact.trains or isinstance(artifact, Figure)]
    found = called(figures, tables)
    for artifact in found:
        if artifact.whole not in there:
            repeated = " and ".join(f"Figure {number}" for number in at.check)
            raise UserError(f"scale {at.name} repeats only {repeated} of {at.like}")
    return found


def settled(artifacts: Sequence[Artifact], at: Scale, named: bool) -> list[Artifact]:
    """Those whose set-ups are settled at a scale; says which are left out.

    Raises:
        UserError: one that was asked for by name is not.
    """
    found = []
    for artifact in artifacts:
        setups = {need.paper.setup.name for need in artifact.needs(at) if need.paper}
        why = next((reason for setup, reason in at.unsettled.items() if setup in setups), "")
        if why and named:
            raise UserError(f"{artifact.label} at scale {at.name}: {why}; to try it all the same: --out DIR")
        if why:
            click.echo(f"left out: {artifact.label} ({why})", err=True)
        else:
            found.append(artifact)
    return found


def chosen_scale(name: str, seeds: str | None) -> Scale:
    """The scale, with every list of seeds replaced when asked."""
    found = scale(name)
    if seeds is None:
        return found
    refuse_check(found)
    numbers = seed_numbers(seeds)
    return found.model_copy(update={"seeds": Seeds(headline=numbers, sweep=numbers, tuning=numbers)})


def refuse_check(at: Scale) -> None:
    """Raise UserError for a check, whose seeds and runs are its point."""
    if at.check:
        raise UserError(f"{at.name} is a check, with seeds of its own; take --scale {at.like}")


def seed_numbers(seeds: str) -> tuple[int, ...]:
    """What --seeds names: '0,1,2'."""
    if not all(part.strip().isdecimal() for part in seeds.split(",")):
        raise UserError(f"--seeds takes numbers such as 0,1,2, not '{seeds}'")
    found = tuple(int(part) for part in seeds.split(","))
    if len(set(found)) < len(found):
        raise UserError(f"--seeds takes each number once, not '{seeds}'")
    return found


Runs = dict[str, Wanted]


def wanted_runs(
    figures: Sequence[Artifact], at: Scale, settings: tuple[str, ...] = (), until: int | None = None
) -> tuple[Runs, Runs]:
    """The runs that `figures` ask for, and those of all defined figures; with overrides, the same."""
    if not settings and until is None:
        everything, asked_for = unite(registry.needs_of_all(at)), {figure.name for figure in figures}
        others = [a for a in registry.of_scale(at) if a.trains and a.name not in asked_for]
        return (unite(needs(figures, at)) if others else everything), everything
    for figure in figures:
        refuse_settings(figure, at, settings)
    asked = needs(figures, at)
    changed = {
        name: [cut(replace(need, run=override_known(need.run, settings)), until) for need in needs]
        for name, needs in asked.items()
    }
    runs = unite(changed)
    return runs, runs


def of_figures(at: Scale) -> Runs:
    """What all defined figures want at a scale, so that one training of something else serves them, too."""
    return unite(registry.needs_of_all(at)) if scales().get(at.name) == at else {}


def cut(need: Need, until: int | None) -> Need:
    """`need` up to step `until`; of a branch that starts later, its trunk up to there."""
    if until is None:
        return need
    run = need.run
    while run.fork and run.fork.step >= until:
        run = run.fork.parent
    return replace(need, run=run, until=until)
