"""One run outside any figure: `train` trains it into the same store, `sample` lets it write text."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from pydantic import ValidationError

from ademamix.cli.options import (
    Verb,
    data_option,
    device_option,
    jobs_option,
    of_figures,
    pack_option,
    ranks_option,
    repeat_option,
    runs_option,
    scale_option,
    shard_option,
)
from ademamix.cli.torchrun import Training
from ademamix.errors import UserError
from ademamix.launch.packs import Pack
from ademamix.launch.protocol import Launcher
from ademamix.paper import runs as paper
from ademamix.paper.setups import PAPER_HORIZON
from ademamix.plan import Wanted, entries, together, unite
from ademamix.scale import Scale, scale
from ademamix.spec import Need, RunSpec, override
from ademamix.store import Run, Store
from ademamix.values import UnknownVariant


@click.command(cls=Training)
@click.option("--size", default="110M", show_default=True, help="A set-up of the paper: 110M, 330M, 1.3B.")
@click.option("--optimizer", default="ademamix", show_default=True, help="By kind: adamw, ademamix, lion, …")
@click.option(
    "--steps",
    type=click.IntRange(min=2),
    help="Updates; warm-ups of α and β3 are as long. [default: what stands for 256k of the paper]",
)
@click.option("--seed", "seeds", multiple=True, type=click.IntRange(min=0), help="Repeatable. [default: 0]")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a value of the scale's run, such as optimizer.alpha=4. Repeatable.",
)
@scale_option
@jobs_option
@device_option
@ranks_option
@shard_option
@pack_option
@repeat_option
@data_option
@runs_option
def train(
    size: str,
    optimizer: str,
    steps: int | None,
    seeds: tuple[int, ...],
    settings: tuple[str, ...],
    scale_name: str,
    jobs: int | None,
    device: str | None,
    gpus_per_run: int | None,
    shard: bool,
    pack: Pack | None,
    repeat_data: bool,
    data: Path,
    runs: Path,
) -> None:
    """Train one run of the paper's best values at a scale, changed as you like, and keep its last checkpoint.

    It lies in the store beside the figures' runs; one that a figure has trained already is not trained again.

    \b
    Examples:
      ademamix train --size 110M --optimizer ademamix --steps 2000
      ademamix train --optimizer adamw --set optimizer.lr=3e-3 --set batch=8 --seed 0 --seed 1
    """
    from ademamix.cli.pipeline import local
    from ademamix.cli.pipeline import train as train_all

    at, store = scale(scale_name), Store(runs)
    needs = [need(at, size, optimizer, steps, seed, settings) for seed in seeds or (0,)]
    wanted: dict[str, Wanted] = unite({"train": needs})
    planned = entries(wanted, together(of_figures(at), wanted), store)
    store.open()
    for each in needs:
        store.run(each.run.id).keep(each.keep)

    def launcher() -> Launcher:
        return local(at, jobs, device, gpus_per_run, shard, pack)

    code = train_all(planned, at, store, data, launcher, repeat_data)
    if code == 0:
        for each in needs:
            click.echo(result(store.run(each.run.id), str(at.validation_loss)))
    raise SystemExit(code)


def need(
    at: Scale, size: str, optimizer: str, steps: int | None, seed: int, settings: tuple[str, ...]
) -> Need:
    """The run that is asked for, its validation curve, and its last checkpoint."""
    until = steps or at.horizon
    # The length of the paper that stands for so many updates: `at.steps` takes it there exactly.
    horizon = round(until * PAPER_HORIZON / at.horizon)
    try:
        stated = paper.run(size, optimizer, horizon)
    except UnknownVariant as problem:
        raise UserError(str(problem)) from None
    except ValidationError:
        raise UserError(f"the paper has no best values of {optimizer} for {size}") from None
    if at.horizon > PAPER_HORIZON or at.steps(horizon) != until:
        raise UserError(f"scale {at.name} has no training of {until} steps; try {at.steps(horizon)}")
    spec = override(at.map(stated, seed), settings)
    return Need(
        spec,
        until,
        keep=frozenset({until}),
        observe={at.validation_loss: at.validation_steps(until)},
        paper=stated,
    )


def result(run: Run, quantity: str) -> str:
    """How a run ended, in a line."""
    outcome, rows = run.complete()
    if outcome.status == "diverged":
        return f"{run.id}  diverged at step {outcome.step:,}  {run.folder}"
    loss = f"{quantity.partition(':')[0]} {rows[-1].get(quantity)}"
    return f"{run.id}  {loss} at step {outcome.step:,}  {run.folder}"


@click.command(cls=Verb)
@click.argument("run_id", metavar="RUN")
@click.option(
    "--step", type=click.IntRange(min=1), help="Of this checkpoint. [default: the last that was kept]"
)
@click.option("--prompt", default="def ", show_default=True, help="What the text begins with.")
@click.option(
    "--tokens", default=400, show_default=True, type=click.IntRange(min=1), help="How many to write."
)
@click.option(
    "--temperature", default=0.8, show_default=True, type=click.FloatRange(min=0), help="0: the likeliest."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@runs_option
def sample(
    run_id: str, step: int | None, prompt: str, tokens: int, temperature: float, seed: int, runs: Path
) -> None:
    """Let a language model write: go on from a prompt with the weights of a kept checkpoint.

    \b
    Example:
      ademamix sample 3f9a --prompt "import " --tokens 200
    """
    run = Store(runs).find(run_id)
    spec = run.spec()
    refuse_unwritable(spec)
    from ademamix.training.load import generate, load_model

    model = load_model(run, step)
    begin = list(prompt.encode()) or [0]
    found = generate(model, begin, tokens, spec.sample, temperature, seed)
    sys.stdout.write(prompt + bytes(_text(found)).decode(errors="replace") + "\n")


def refuse_unwritable(spec: RunSpec) -> None:
    """Raise UserError where a run is no language model of bytes."""
    if spec.task != "language" or getattr(spec.data, "tokenizer", None) != "bytes":
        raise UserError(
            f"run {spec.id} is no language model of bytes, whose tokens can be written as they are; "
            "'ademamix.training.load.generate' gives the tokens of others"
        )


def _text(tokens: list[int]) -> Iterator[int]:
    """Bytes up to the end of the file, which a NUL marks; all that a terminal can show."""
    for token in tokens:
        if token == 0:
            return
        yield token
