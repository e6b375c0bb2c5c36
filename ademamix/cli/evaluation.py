"""The verb `eval`: questions asked of a run's kept checkpoint, added to what is known of the run."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ademamix.checkout import checkout
from ademamix.cli.options import json_option, runs_option
from ademamix.cli.verbs import cli
from ademamix.errors import UserError
from ademamix.quantities import Accuracy, Quantity, parse
from ademamix.store import Outcome, Run, Store

if TYPE_CHECKING:
    import torch


@cli.command("eval")
@click.argument("run_id", metavar="RUN")
@click.option(
    "--tasks", required=True, metavar="T,T…", help="Such as hellaswag,piqa; hellaswag/100 asks 100."
)
@click.option("--step", type=click.IntRange(min=1), help="Of the checkpoint. [default: the last one kept]")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:N.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="ADEMAMIX_DATA",
    default=lambda: checkout() / "data",
    help="Where prepared data lives. [default: data]",
)
@json_option
@runs_option
def evaluate(
    run_id: str, tasks: str, step: int | None, device: str, data: Path, as_json: bool, runs: Path
) -> None:
    """Ask a run's model questions: accuracy on tasks of lm-eval, or on those made from pysource.

    What was asked of a checkpoint once is not asked again; it is kept with the run and goes into its record.
    The tasks that need no network are pysource_text, pysource_block and pysource_arguments, for models of
    bytes; all others need the extra eval.

    \b
    Examples:
      ademamix eval 3f9a --tasks pysource_text,pysource_block
      ademamix eval 3f9a --tasks arc_easy,hellaswag/500 --step 62500 --device cuda
    """
    run = Store(runs).find(run_id)
    outcome = run.outcome()
    if outcome is None:
        raise UserError(f"run {run.id} is not complete; evaluate it when it is")
    at = kept(run, step)
    asked: list[Quantity] = [parse(f"{Accuracy.NAME}:{task.strip()}") for task in tasks.split(",")]
    wanted = {q: frozenset({at}) for q in asked if at not in outcome.observed.get(str(q), ())}
    if wanted:
        import torch

        add(run, outcome, wanted, data, torch.device(device))
    show([json.loads(run.evidence_path(at, str(q)).read_text()) for q in asked], as_json)


def kept(run: Run, step: int | None) -> int:
    """The step of the checkpoint that is meant."""
    there = sorted(run.checkpoint_steps())
    if not there:
        raise UserError(
            f"run {run.id} keeps no checkpoint, as one that came as a record has none; those of Table 7 are "
            f"kept where it is trained (delete {run.folder} to train it again)"
        )
    if step is not None and step not in there:
        raise UserError(f"run {run.id} keeps no checkpoint of step {step}; there are: {there}")
    return step or there[-1]


def add(
    run: Run, outcome: Outcome, wanted: dict[Quantity, frozenset[int]], data: Path, device: "torch.device"
) -> None:
    """Measure what is `wanted` and add it to the run, which nobody else may be training."""
    from ademamix.training.job import Job
    from ademamix.training.observe import refuse_unmeasurable
    from ademamix.training.session import observe_later

    spec = run.spec()
    with run.alone("evaluate it afterwards"):
        task = spec.open(data, device)
        refuse_unmeasurable(task, wanted)
        observe_later(run, outcome, wanted, Job(spec, outcome.step, frozenset(), {}, {}, 1, 0.0), task)


def show(found: list[dict[str, Any]], as_json: bool) -> None:
    """What came out, as a table or as JSON (with the answers, one bit each)."""
    from rich.console import Console
    from rich.table import Table

    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("task", "version", "step", "questions", "acc", "±", "acc_norm", "±"):
        table.add_column(name, justify="left" if name == "task" else "right")
    for one in found:
        numbers = [one.get(key) for key in ("acc", "acc_stderr", "acc_norm", "acc_norm_stderr")]
        texts = ["–" if number is None else f"{number:.4f}" for number in numbers]
        table.add_row(one["task"], one["version"], f"{one['step']:,}", f"{one['questions']:,}", *texts)
    Console().print(table, highlight=False)
