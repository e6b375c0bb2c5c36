"""The verbs that look at runs: `runs` lists them, `show` has all there is to know of one."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, reduce, wraps
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ademamix.cli.chart import chart
from ademamix.cli.options import (
    Verb,
    chosen_figures,
    corpus_option,
    figure_option,
    json_option,
    runs_option,
)
from ademamix.cli.report import size_of
from ademamix.describe import describe_all
from ademamix.errors import UserError
from ademamix.plan import Wanted, unite
from ademamix.quantities import is_quantity
from ademamix.scale import scale, scales
from ademamix.spec import RunSpec, override
from ademamix.store import Row, Run, Store
from ademamix.units import duration
from ademamix.values import UnknownKey, canonical
from analysis.artifacts import needs
from analysis.report.seen import Seen, seen
from experiments import registry

STATES = ("finished", "diverged", "running", "started", "failed", "damaged")


@dataclass(frozen=True)
class Found(Seen):
    """A run of the store, as the list shows it.

    Attributes:
        scales: those whose figures want it.
        wanted: what these want of it.
    """

    scales: tuple[str, ...]
    wanted: Wanted | None

    @property
    def size(self) -> str:
        """The paper's name of its model; '' where it stands for none of the paper's."""
        return size_of(self.wanted) if self.wanted else ""

    def as_json(self) -> dict[str, Any]:
        name, value = self.loss
        return {
            "id": self.run.id,
            "state": self.state,
            "problem": self.problem,
            "scales": list(self.scales),
            "figures": list(self.wanted.figures) if self.wanted else [],
            "size": self.size,
            "step": self.row.get("step"),
            name: value,
            "seconds": self.seconds,
            "folder": str(self.run.folder),
            "spec": canonical(self.spec) if self.spec else None,
        }


@dataclass(frozen=True)
class Selection:
    """Which runs of the store are meant.

    Attributes:
        figures, scale: those that these figures want, at this scale; without, at any, and those of no figure.
        state: those in it.
        settings: those with these values, KEY=VALUE.
        ids: those whose ids begin so, in this order; without, all.
    """

    figures: tuple[str, ...] = ()
    scale: str | None = None
    state: str | None = None
    settings: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()

    @cached_property
    def known(self) -> dict[str, dict[str, Wanted]]:
        """Run → scale → what its figures want of it."""
        found: dict[str, dict[str, Wanted]] = {}
        figures = chosen_figures(self.figures)
        for each in [scale(self.scale)] if self.scale else list(scales().values()):
            if self.figures:
                there = registry.of_scale(each)
                asked = needs([figure for figure in figures if figure.whole in there], each)
            else:
                asked = registry.needs_of_all(each)
            for id, wanted in unite(asked).items():
                found.setdefault(id, {})[each.name] = wanted
        return found

    def runs(self, store: Store, look: Callable[[Run], Seen] = seen) -> list[Found]:
        """Those of a store, each as `look` sees it."""
        there: Iterable[Run] = store.runs()
        if self.ids:
            there = {run.id: run for run in map(store.find, self.ids)}.values()
        if self.figures or self.scale:
            there = [run for run in there if run.id in self.known]
        found = [_found(look(run), self.known.get(run.id, {})) for run in there]
        return [
            one
            for one in found
            if self.state in (None, one.state)
            and (not self.settings or (one.spec is not None and _has(one.spec, self.settings)))
        ]


def _found(run: Seen, wanted: dict[str, Wanted]) -> Found:
    fields = {field.name: getattr(run, field.name) for field in dataclasses.fields(Seen)}
    return Found(**fields, scales=tuple(wanted), wanted=next(iter(wanted.values()), None))


def selecting(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which runs are meant; the command takes them as `selection`."""

    @wraps(command)
    def selected(
        names: tuple[str, ...],
        scale_name: str | None,
        state: str | None,
        settings: tuple[str, ...],
        ids: tuple[str, ...] = (),
        **others: Any,
    ) -> Any:
        return command(selection=Selection(names, scale_name, state, settings, ids), **others)

    options: list[Callable[..., Any]] = [
        figure_option,
        click.option("--scale", "scale_name", help="Only runs that this scale's figures want."),
        click.option("--state", type=click.Choice(STATES), help="Only runs in this state."),
        click.option(
            "--where",
            "settings",
            multiple=True,
            metavar="KEY=VALUE",
            help="Only runs with this value, such as optimizer.kind=lion or seed=1. Repeatable.",
        ),
    ]
    return reduce(lambda found, option: option(found), reversed(options), selected)


@click.command(cls=Verb)
@selecting
@json_option
@corpus_option
@runs_option
def runs(selection: Selection, as_json: bool, runs: Path) -> None:
    """List the runs of the store: what tells them apart, how far they are, their last loss, time and place.

    \b
    Examples:
      ademamix runs --figure 12 --scale cpu
      ademamix runs --state failed
      ademamix runs --where optimizer.kind=ademamix --where optimizer.alpha=8
    """
    found = selection.runs(Store(runs))
    if as_json:
        click.echo(json.dumps([f.as_json() for f in found], indent=1))
    else:
        print_runs(found, runs)


def _has(spec: RunSpec, settings: Sequence[str]) -> bool:
    """Whether a run has all these values, and knows their keys."""
    try:
        return override(spec, settings).id == spec.id
    except (UnknownKey, UserError) as problem:
        if "KEY=VALUE" in str(problem):
            raise
        return False


def print_runs(found: Sequence[Found], root: Path) -> None:
    """The list as a table, with what all of them share above it."""
    console = Console(width=max(100, Console().width))
    if not found:
        console.print(f"no such runs in {root}", highlight=False)
        return
    sound = [f for f in found if f.spec]
    common, each = describe_all([f.spec for f in sound if f.spec], [f.size for f in sound])
    words = {f.run.id: text for f, text in zip(sound, each, strict=True)}
    console.print(f"{len(found)} runs in {root}; all: {common}", highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "state"):
        table.add_column(name, no_wrap=True)
    table.add_column("what", ratio=1)
    table.add_column("of", max_width=18)
    for name in ("step", "last loss", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    for f in found:
        value = f.loss[1]
        table.add_row(
            f.run.id,
            f.state,
            words.get(f.run.id, "") if f.state not in ("damaged", "failed") else f.problem,
            " ".join([*f.scales, *(f.wanted.figures if f.wanted else ("no figure",))]),
            f"{f.row.get('step') or 0:,.0f}",
            "–" if value is None else f"{value:.4f}",
            "–" if f.seconds is None else duration(f.seconds / 3600),
        )
    console.print(table)


@click.command(cls=Verb)
@click.argument("run_id", metavar="RUN")
@json_option
@runs_option
def show(run_id: str, as_json: bool, runs: Path) -> None:
    """Show one run, by the beginning of its id: what it is, how it ended, its curve, why it failed.

    \b
    Examples:
      ademamix show 3f9a
      ademamix show 3f9a --json     all of it, the whole spec too
    """
    run = Store(runs).find(run_id)
    if as_json:
        click.echo(json.dumps(run_json(run), indent=1))
    else:
        print_run(run)


def run_json(run: Run) -> dict[str, Any]:
    """Everything known of a run but its curve, of which the last rows."""
    state, outcome = run.status()
    failure = run.failure_path.read_text() if run.failure_path.exists() else None
    return {
        "id": run.id,
        "status": state,
        "spec": canonical(run.spec()),
        "outcome": asdict(outcome) if outcome else None,
        "last_rows": run.rows()[-3:],
        "failure": failure,
        "folder": str(run.folder),
    }


def print_run(run: Run) -> None:
    """One run in a screen."""
    console = Console(highlight=False)
    spec, (state, outcome) = run.spec(), run.status()
    rows = run.complete()[1] if outcome else run.rows()
    common, (each,) = describe_all([spec])
    console.print(f"[bold]{run.id}[/bold]  {state}", soft_wrap=True)
    for name, text in (
        ("what", f"{each}, {common}"),
        ("model", f"{spec.model.parameters():,} parameters"),
        ("branch of", f"{spec.fork.parent.id} after step {spec.fork.step:,}" if spec.fork else ""),
        ("ended", _ending(run)),
        ("observed", ", ".join(sorted(outcome.observed)[:8]) if outcome else ""),
        ("checkpoints", ", ".join(f"{step:,}" for step in sorted(run.checkpoint_steps())[-8:])),
        ("folder", str(run.folder)),
    ):
        if text:
            console.print(f"{name:>12}  {text}", soft_wrap=True)
    for column in _curves(rows):
        points = [(int(row["step"] or 0), row[column]) for row in rows if column in row]
        console.print(f"\n{column}, last {points[-1][1]} at step {points[-1][0]:,}")
        console.print(chart([(step, value) for step, value in points if value is not None]))
    if run.failure_path.exists():
        console.print(run.failure_path.read_text()[-2000:], markup=False)


def _curves(rows: Sequence[Row]) -> list[str]:
    """The columns to draw: the validation loss, or the training loss where there is none."""
    seen = {column for row in rows for column in row}
    return sorted(c for c in seen if is_quantity(c) and c.startswith("validation"))[:1] or sorted(
        seen & {"loss"}
    )


def _ending(run: Run) -> str:
    outcome = run.outcome()
    if outcome is None:
        return ""
    machine = outcome.machine
    on = ", ".join(str(machine[key]) for key in ("processor", "torch", "date") if key in machine)
    return f"step {outcome.step:,}, {duration(outcome.seconds / 3600)} of training ({on})"
