"""`ademamix data check imagenet-…` and `ademamix data prepare imagenet`: the paper's sets of images.

`join` adds these commands to the groups `check` and `prepare` of the verb `data`.
"""

import os
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ademamix.cli.data import root_option
from ademamix.data.released import RELEASED
from ademamix.errors import UserError

edge_option = click.option(
    "--short-edge", type=click.IntRange(min=32), help="Of a re-encoded set, in pixels."
)


def join(check: click.Group, prepare: click.Group) -> None:
    """Add the commands of images to the groups of the verb `data`."""
    for name in RELEASED:
        check.add_command(_check_of(name))
    prepare.add_command(imagenet)


def _check_of(name: str) -> click.Command:
    @click.command(name, help=f"What is there of {name}, and what is missing or wrong. Downloads nothing.")
    @root_option
    @edge_option
    @click.option("--decode", is_flag=True, help="Read every image, not a sample.")
    def check(root: Path, short_edge: int | None, decode: bool) -> None:
        look(name, root, short_edge, decode)

    return check


def look(name: str, root: Path, short_edge: int | None, decode: bool) -> None:
    """Print what was found; what is wrong ends it with a UserError."""
    from ademamix.data.image_check import check
    from ademamix.data.image_sets import Images

    known = RELEASED[name]
    folder = Images(set=name, classes=known.classes, short_edge=short_edge).folder(root)
    with progress() as display:
        task = display.add_task(f"reading {name}", total=known.train + known.test if decode else 2_000)
        found = check(folder, known, decode, lambda n: display.advance(task, n))
    for line in found.there:
        click.echo(line)
    for line in found.wrong:
        click.echo(f"! {line}")
    if found.wrong:
        raise UserError(f"{name} in {folder} is not as it should be")


@click.command()
@root_option
@click.option("--set", "name", type=click.Choice(list(RELEASED)), default="imagenet-1k", show_default=True)
@click.option("--from", "source", type=click.Path(path_type=Path), help="Its folder. [default: ROOT/SET]")
@click.option("--short-edge", type=click.IntRange(min=32), default=256, show_default=True, help="Pixels.")
@click.option("--quality", type=click.IntRange(1, 100), default=90, show_default=True, help="Of JPEG.")
@click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count, help="Processes. [default: cores]")
def imagenet(root: Path, name: str, source: Path | None, short_edge: int, quality: int, jobs: int) -> None:
    """Re-encode images as JPEG of a short edge, in tars: WebP decodes at a quarter of the speed.

    Stop it however you like: the same call goes on. Runs take it with --set data.short_edge=256.

    \b
    Example:
      ademamix data prepare imagenet --set imagenet-21k-p --from /datasets/imagenet-w21-p --root /scratch/data
    """
    from ademamix.data.image_prepare import Recipe, images_in, prepare
    from ademamix.data.image_sets import Images

    source = source or root / name
    target = Images(set=name, classes=RELEASED[name].classes, short_edge=short_edge).folder(root)
    with progress() as display:
        task = display.add_task(f"re-encoding {name}", total=images_in(source))
        made = prepare(source, target, Recipe(short_edge, quality), jobs, lambda n: display.advance(task, n))
    for what in made["left_out"][:10]:
        click.echo(f"left out {what}", err=True)
    counts = ", ".join(f"{count:,} {split}" for split, count in made["images"].items())
    click.echo(f"{target}: {counts} images, {len(made['left_out'])} of them left out")


def progress() -> Progress:
    """A bar on stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
