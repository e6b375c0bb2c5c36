"""Verbs for what was sent to a cluster: cancel, logs, retry; and how its state is printed."""

from collections import deque
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from ademamix.cli.options import runs_option
from ademamix.describe import describe
from ademamix.errors import UserError
from ademamix.launch.scheduler import Order, Scheduler
from ademamix.launch.standing import Standings, standings
from ademamix.launch.states import LIVE
from ademamix.launch.submissions import Submission, Submissions, find, states_of
from ademamix.store import Store

SHOWN = 20  # runs that need attention; the rest is counted


def slurm() -> Scheduler:
    """The queue of this machine's Slurm; its states, not its resources."""
    from ademamix.launch.cluster import Cluster
    from ademamix.launch.sbatch import Slurm

    return Slurm(Cluster(name="this machine's"))


def queue_json(store: Store) -> list[dict[str, str]]:
    """Every run that was sent and is not complete."""
    if not Submissions(store).all():
        return []
    return [{**asdict(standing), "state": str(standing.state)} for standing in standings(store, slurm()).runs]


def print_queue(store: Store, scheduler: Scheduler | None = None, console: Console | None = None) -> None:
    """The jobs that are not done, and the runs that need attention; nothing where nothing was ever sent."""
    if not Submissions(store).all():
        return
    found = standings(store, scheduler or slurm())
    console = console or Console()
    if not found.answered:
        console.print("the cluster does not answer: states of jobs are not known")
    if not found.runs:
        console.print("cluster: nothing is left of what was sent")
        return
    console.print(_jobs(found))
    _print_attention(found, store, console)


def _jobs(found: Standings) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("job", "tasks", "runs", "asks for", "after", "state"):
        table.add_column(name, justify="right" if name in ("tasks", "runs") else "left")
    for submission, states in found.jobs:
        table.add_row(
            submission.job,
            str(len(submission.tasks)),
            str(sum(map(len, submission.tasks))),
            submission.asked,
            submission.after or "",
            ", ".join(f"{count} {state}" for state, count in states.items()),
        )
    return table


def _print_attention(found: Standings, store: Store, console: Console) -> None:
    troubled = [standing for standing in found.runs if standing.advice]
    for standing in troubled[:SHOWN]:
        text = f"{standing.run}  {_what(store, standing.run)}: {standing.state}; {standing.advice}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    if len(troubled) > SHOWN:
        console.print(f"… and {len(troubled) - SHOWN} more; see --json", highlight=False)


def _what(store: Store, id: str) -> str:
    run = store.run(id)
    return describe(run.spec()) if (run.folder / "spec.json").exists() else "not begun"


def print_orders(orders: list[Order], texts: list[str], waiting: int) -> None:
    """What would be submitted: a line for each job, then what sbatch would be given."""
    for number, (order, text) in enumerate(zip(orders, texts, strict=True), start=1):
        runs = sum(map(len, order.batch.tasks))
        after = f", after {order.batch.after}" if order.batch.after else ""
        tasks, asked = len(order.batch.tasks), order.batch.shape.brief
        click.echo(f"JOB{number}: {tasks} tasks, {runs} runs, {asked}{after}")
        click.echo(text)
    click.echo(f"{len(orders)} jobs would be submitted" + (f"; {waiting} runs would wait" if waiting else ""))


def _sent(store: Store) -> list[Submission]:
    found = [s for s in Submissions(store).all() if s.job]
    if not found:
        raise UserError(f"nothing of {store.root} was sent to a cluster")
    return found


@click.command()
@click.argument("run_ids", metavar="RUN…", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that is in the queue for this store.")
@runs_option
def cancel(run_ids: tuple[str, ...], everything: bool, runs: Path) -> None:
    """Take runs, by the beginning of their ids, out of the cluster's queue, or stop them there.

    A task that trains several short runs is cancelled whole. A later call of `run` sends them again.

    \b
    Examples:
      ademamix cancel 3f9a
      ademamix cancel --all
    """
    store, scheduler = Store(runs), slurm()
    sent = _sent(store)
    if everything == bool(run_ids):
        raise UserError("name runs, or --all")
    asked = None if everything else {find(sent, prefix)[0] for prefix in run_ids}
    tasks = _live_tasks(sent, scheduler, asked)
    scheduler.cancel(tasks)
    for task, ids in tasks.items():
        click.echo(f"cancelled {task}: {' '.join(ids)}")
    if not tasks:
        raise UserError("nothing of that is in the queue")


def _live_tasks(
    sent: list[Submission], scheduler: Scheduler, asked: set[str] | None
) -> dict[str, tuple[str, ...]]:
    known = scheduler.states({s.job for s in sent if s.job and not s.over})
    states = states_of(sent, known)
    return {
        task: ids
        for submission in sent
        for task, ids in submission.runs.items()
        if states[task] in LIVE and (asked is None or not asked.isdisjoint(ids))
    }


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--lines", type=click.IntRange(min=1), default=40, show_default=True, help="Of each file.")
@runs_option
def logs(run_id: str, lines: int, runs: Path) -> None:
    """Print the end of what the last job of a run has written, with the files' names.

    \b
    Example:
      ademamix logs 3f9a
    """
    store = Store(runs)
    _, submission, task = find(_sent(store), run_id)
    paths = submission.logs(task, Submissions(store).folder)
    if not paths:
        raise UserError(f"job {task} has written nothing yet")
    for path in paths:
        click.echo(f"==> {path} <==")
        with path.open(errors="replace") as file:
            click.echo("".join(deque(file, lines)), nl=False)


@click.command()
@click.argument("run_ids", metavar="RUN…", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All runs of this store that failed or are held.")
@runs_option
def retry(run_ids: tuple[str, ...], everything: bool, runs: Path) -> None:
    """Forget that runs have failed, or are held by a file `stop`: the next call of `run` trains them.

    \b
    Examples:
      ademamix retry 3f9a
      ademamix retry --all
    """
    store = Store(runs)
    if everything == bool(run_ids):
        raise UserError("name runs, or --all")
    chosen = list(store.runs()) if everything else [store.find(prefix) for prefix in run_ids]
    freed = [run for run in chosen if run.failure_path.exists() or run.stop_path.exists()]
    for run in freed:
        run.forget_failures()
        run.stop_path.unlink(missing_ok=True)
        click.echo(f"{run.id} is free to be trained again")
    if not freed:
        raise UserError("none of these has failed or is held")


VERBS: tuple[click.Command, ...] = (cancel, logs, retry)
