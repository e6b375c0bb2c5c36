"""Options that several verbs share, and what the user's words for figures, scales and runs stand for."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ademamix.checkout import checkout
from ademamix.errors import UserError
from ademamix.plan import Wanted, unite
from ademamix.scale import Scale, Seeds, scale
from ademamix.spec import Need, RunSpec, override, override_known
from ademamix.values import UnknownKey
from analysis.artifacts import Artifact, Figure, needs
from experiments import registry

Command = Callable[..., Any]


def figure_option(command: Command) -> Command:
    return click.option(
        "--figure", "names", multiple=True, metavar="N", help="A figure or a panel: 12, 12a. Repeatable."
    )(command)


def table_option(command: Command) -> Command:
    return click.option("--table", "tables", multiple=True, metavar="N", help="A table, 1 to 8. Repeatable.")(
        command
    )


def scale_option(command: Command) -> Command:
    return click.option(
        "--scale", "scale_name", default="cpu", show_default=True, help="smoke, cpu, gpu or paper."
    )(command)


def out_option(command: Command) -> Command:
    return click.option(
        "--out", type=click.Path(path_type=Path), help="Write to DIR/<scale> instead of figures/<scale>."
    )(command)


def runs_option(command: Command) -> Command:
    return click.option(
        "--runs",
        type=click.Path(path_type=Path),
        envvar="ADEMAMIX_RUNS",
        default=lambda: checkout() / "runs",
        help="The store of runs, for example on a scratch disk. [default: runs]",
    )(command)


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(command)


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
    named = [figure for name in names for figure in registry.named(name)]
    return named or list(registry.figures().values())


def chosen(figures: tuple[str, ...], tables: tuple[str, ...]) -> list[Artifact]:
    """The named figures and tables; without names, all figures and the tables of trained models."""
    if not figures and not tables:
        trained = (table for table in registry.tables().values() if table.trained)
        return [*registry.figures().values(), *trained]
    named = [figure for name in figures for figure in registry.named(name)]
    return [*named, *map(registry.named_table, tables)]


def chosen_scale(name: str, seeds: str | None) -> Scale:
    """The scale, with every list of seeds replaced when asked."""
    found = scale(name)
    if seeds is None:
        return found
    try:
        numbers = tuple(int(part) for part in seeds.split(","))
    except ValueError:
        raise UserError(f"--seeds takes numbers such as 0,1,2, not '{seeds}'") from None
    return found.model_copy(update={"seeds": Seeds(headline=numbers, sweep=numbers, tuning=numbers)})


Runs = dict[str, Wanted]


def wanted_runs(
    figures: Sequence[Artifact], at: Scale, settings: tuple[str, ...] = (), until: int | None = None
) -> tuple[Runs, Runs]:
    """The runs that `figures` ask for, and those of all defined figures; with overrides, the same."""
    if not settings and until is None:
        everything = unite(needs(registry.artifacts(), at))
        every = {artifact.name for artifact in registry.artifacts() if artifact.needs(at)}
        return (everything if every <= {f.name for f in figures} else unite(needs(figures, at))), everything
    asked = needs(figures, at)
    changed = {
        name: [cut(replace(need, run=override_known(need.run, settings)), until) for need in needs]
        for name, needs in asked.items()
    }
    for setting in settings:
        refuse_unknown_to_all([need.run for needs in asked.values() for need in needs], setting)
    runs = unite(changed)
    return runs, runs


def cut(need: Need, until: int | None) -> Need:
    """`need` up to step `until`; of a branch that starts later, its trunk up to there."""
    if until is None:
        return need
    run = need.run
    while run.fork and run.fork.step >= until:
        run = run.fork.parent
    return replace(need, run=run, until=until)


def refuse_unknown_to_all(specs: list[RunSpec], setting: str) -> None:
    """Raise UnknownKey, with the nearest right key, for a setting that no run knows."""
    problems = []
    for spec in specs:
        try:
            override(spec, [setting])
            return
        except UnknownKey as problem:
            problems.append(problem)
    if problems:
        raise min(problems, key=lambda problem: "did you mean" not in str(problem))
