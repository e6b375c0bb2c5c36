"""`ademamix data`: from a folder of text, or a corpus on the network, to tokens that runs trust.

A further source is a command of `prepare`, in a module of its own that cli/__init__.py imports:

    @prepare.command("imagenet")
    def imagenet(…) -> None: …

and, where it is checked otherwise than token folders are, one of `check` by the same name. What commands of
token sources share is `making_options` and `make`.
"""

import os
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ademamix.checkout import checkout
from ademamix.cli.options import json_option
from ademamix.data.sets import SET_NAME
from ademamix.errors import UserError

if TYPE_CHECKING:
    from ademamix.data.sources import Source
    from ademamix.data.splits import SplitName

Command = Callable[..., Any]
TOKENIZER = "bytes, gpt2, gpt-neox, or a file: SentencePiece .model, tokenizers .json."


@click.group()
def data() -> None:
    """Make, check and list the token folders that runs train on.

    \b
    Examples:
      ademamix data tokenizer --files my/text --vocabulary 8000 my.model
      ademamix data prepare text --files my/text --tokenizer my.model --set mine
      ademamix data check mine
      ademamix run --figure 12 --set 'data={kind: tokens, set: mine}' --set model.vocabulary=8000 --out out
    """


@data.group()
def prepare() -> None:
    """Make a token folder from a source. Stop it however you like: the same call goes on."""


def root_option(command: Command) -> Command:
    return click.option(
        "--root",
        type=click.Path(path_type=Path),
        envvar="ADEMAMIX_DATA",
        default=lambda: checkout() / "data",
        help="Where prepared data lives. [default: data]",
    )(command)


def set_name(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """A name that is a folder's, or a UserError."""
    import re

    if value is not None and not re.match(SET_NAME, value):
        raise UserError(f"'{value}' is no name for a set: letters, digits, '.', '_' and '-'")
    return value


def set_option(required: bool = False) -> Callable[[Command], Command]:
    default = "" if required else " [default: SOURCE-TOKENIZER]"
    return click.option(
        "--set", "name", metavar="NAME", required=required, callback=set_name, help=f"Its name.{default}"
    )


def making_options(command: Callable[..., "Source"]) -> Command:
    """Turn a function that lists a source into a command that prepares it."""

    @wraps(command)
    def wrapped(
        root: Path,
        name: str | None,
        tokenizer: str,
        validation: float | None,
        reserve: float | None,
        jobs: int,
        skip_broken: bool,
        **rest: Any,
    ) -> None:
        shares = {"validation": validation, "reserve": reserve}
        make(command(**rest), root, name, tokenizer, shares, jobs, skip_broken)

    share = click.FloatRange(0, 0.5)
    options: list[Callable[[Command], Command]] = [
        root_option,
        set_option(),
        click.option("--tokenizer", default="bytes", show_default=True, help=TOKENIZER),
        click.option("--validation", type=share, help="Share of the documents. [default: by source]"),
        click.option("--reserve", type=share, help="Share of the documents. [default: by source]"),
        click.option(
            "--jobs", type=click.IntRange(min=1), default=os.cpu_count, help="Cores. [default: all]"
        ),
        click.option("--skip-broken", is_flag=True, help="Leave out files that cannot be read."),
    ]
    found: Command = wrapped
    for option in reversed(options):
        found = option(found)
    return found


def make(
    source: "Source",
    root: Path,
    name: str | None,
    tokenizer: str,
    shares: dict[str, float | None],
    jobs: int,
    skip_broken: bool,
) -> None:
    """Prepare a source, with a display, and say what was made."""
    from ademamix.cli.progress import Preparing
    from ademamix.data.prepare import prepare as prepared
    from ademamix.data.tokenizer import tokenizer as opened

    given = {split: share for split, share in shares.items() if share is not None}
    source = source.model_copy(update={"shares": {**source.shares, **given}})
    with_ = opened(tokenizer)
    name = name or f"{source.kind}-{with_.name}"
    with Preparing(name) as display:
        done = prepared(root, name, source, with_, jobs, skip_broken, display)
    broken = done.manifest["origin"].get("broken", {})
    for file, why in list(broken.items())[:10]:
        click.echo(f"left out {file}: {why}", err=True)
    if len(broken) > 10:
        click.echo(f"left out {len(broken) - 10} more, named in {done.folder}/manifest.json", err=True)
    if not done.manifest["splits"]["reserve"]:
        click.echo("no document fell into reserve, which Figures 4 and 10 need: a larger --reserve", err=True)
    click.echo(f"{'complete already' if done.already else 'made'}: {described(done.folder)}")


@prepare.command()
@click.option(
    "--files", "paths", multiple=True, required=True, type=click.Path(path_type=Path),
    help="A file, or a folder of them: .parquet, .json[l], anything else as text; .gz too. Repeatable.",
)  # fmt: skip
@click.option("--field", default="text", show_default=True, help="Of a row, that holds the text.")
@click.option(
    "--documents", type=click.Choice(["file", "paragraph", "line"]), default="file", show_default=True,
    help="What of a text file is a document: splits are by document, and each is followed by a separator.",
)  # fmt: skip
@making_options
def text(paths: tuple[Path, ...], field: str, documents: str) -> "Source":
    """Your own files.

    \b
    Examples:
      ademamix data prepare text --files my/text --set mine
      ademamix data prepare text --files a.jsonl.gz --files b.parquet --field body --tokenizer gpt2 --set mine
    """
    from ademamix.data import sources
    from ademamix.data.documents import Reading

    return sources.text(paths, Reading.model_validate({"field": field, "documents": documents}))


@prepare.command("redpajama-v2")
@click.option("--snapshot", required=True, help="Of Common Crawl, such as 2023-06.")
@click.option("--language", default="en", show_default=True)
@click.option(
    "--partition",
    type=click.Choice(["head_middle", "head", "middle"]),
    default="head_middle",
    show_default=True,
)
@click.option("--from", "base", help="URL or folder with listings/ and documents/. [default: its authors']")
@making_options
def redpajama(snapshot: str, language: str, partition: str, base: str | None) -> "Source":
    """RedPajama v2, the paper's corpus: one snapshot, streamed by its listing, or from your copy.

    Files that are broken upstream are left out, counted and named.

    \b
    Example:
      ademamix data prepare redpajama-v2 --snapshot 2023-06 --tokenizer sp32k.model --root /scratch/data
    """
    from ademamix.data import sources

    return sources.redpajama(base or sources.REDPAJAMA, snapshot, language, partition)


@prepare.command()
@click.option(
    "--part", default="sample/10BT", show_default=True, help="Or data/CC-MAIN-2024-10, and the like."
)
@click.option("--revision", default="main", show_default=True, help="Of the hub's repository.")
@click.option("--from", "base", help="hf://datasets/OWNER/NAME, or a folder. [default: FineWeb's]")
@making_options
def fineweb(part: str, revision: str, base: str | None) -> "Source":
    """FineWeb, or a set laid out like it: parquet files, streamed from the hub or read from your copy.

    \b
    Example:
      ademamix data prepare fineweb --part sample/100BT --tokenizer gpt2 --root /scratch/data
    """
    from ademamix.data import sources

    return sources.fineweb(base or sources.FINEWEB, part, revision)


@prepare.command()
@making_options
def pysource() -> "Source":
    """The Python sources that small scales train on, for example with another tokenizer."""
    from ademamix.data import pysource

    return pysource.source()


class ByName(click.Group):
    """A group whose first word, where it is no command, is the argument of its command 'tokens'."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = ["tokens", *args]
        return super().parse_args(ctx, args)


@data.group(cls=ByName)
def check() -> None:
    """Read every byte of a token folder and compare its checksums: `data check NAME`.

    \b
    Example:
      ademamix data check --root /scratch/data redpajama-v2-sentencepiece-32000
    """


@check.command("tokens")
@root_option
@click.argument("names", metavar="NAME…", nargs=-1, required=True)
def check_tokens(root: Path, names: tuple[str, ...]) -> None:
    """Token folders, by name."""
    from ademamix.cli.progress import reading
    from ademamix.data.tokens import Tokens
    from ademamix.data.trust import shards, trust

    for name in names:
        total = sum(
            shard["tokens"] * t.dtype.itemsize for t in [Tokens(root / name)] for _, shard in shards(t)
        )
        with reading(name, total) as told:
            trust(root / name, told, everything=True)
        click.echo(f"right: {described(root / name)}")


@data.command("import")
@root_option
@set_option(required=True)
@click.option("--train", multiple=True, required=True, type=click.Path(path_type=Path), help="Repeatable.")
@click.option(
    "--validation", multiple=True, required=True, type=click.Path(path_type=Path), help="Repeatable."
)
@click.option(
    "--reserve", multiple=True, type=click.Path(path_type=Path),
    help="Repeatable. [default: the last hundredth of the last training file]",
)  # fmt: skip
@click.option(
    "--vocabulary", type=click.IntRange(min=1), default=50_257, show_default=True, help="Token ids."
)
def import_(
    root: Path,
    name: str,
    train: tuple[Path, ...],
    validation: tuple[Path, ...],
    reserve: tuple[Path, ...],
    vocabulary: int,
) -> None:
    """Take the token files of nanoGPT, llm.c or modded-nanogpt as they are.

    \b
    Example:
      ademamix data import --train train.bin --validation val.bin --set openwebtext-gpt2
    """
    from ademamix.cli.progress import reading
    from ademamix.data.token_files import take, tokens_to_copy

    splits: dict[SplitName, Sequence[Path]] = {"train": train, "validation": validation, "reserve": reserve}
    with reading(name, tokens_to_copy(splits)) as told:
        folder = take(root, name, splits, vocabulary, told=told)
    click.echo(f"made: {described(folder)}")


@data.command()
@click.option("--files", "paths", multiple=True, type=click.Path(path_type=Path), help="As of prepare text.")
@click.option("--field", default="text", show_default=True, help="Of a row, that holds the text.")
@click.option("--vocabulary", type=click.IntRange(min=300), default=32_000, show_default=True, help="Tokens.")
@click.option(
    "--sample", type=click.IntRange(min=1), default=100, show_default=True, help="MB to learn from."
)
@click.argument("file", type=click.Path(path_type=Path))
def tokenizer(paths: tuple[Path, ...], field: str, vocabulary: int, sample: int, file: Path) -> None:
    """Learn a tokenizer, and write it to FILE: SentencePiece .model, or byte-level BPE .json.

    Of text that is then prepared, only what falls into the training split is looked at. Without --files: of
    the Python sources that small scales train on.

    \b
    Examples:
      ademamix data tokenizer --files my/text --vocabulary 8000 my.model
      ademamix data tokenizer --vocabulary 8192 pysource.json
    """
    from ademamix.data import pysource, sources
    from ademamix.data.documents import Reading
    from ademamix.data.tokenizer import KINDS
    from ademamix.data.tokenizer_training import train

    if file.suffix not in KINDS:
        raise UserError(f"{file}: end its name in .model for SentencePiece, in .json for a byte-level BPE")
    if file.exists():
        raise UserError(f"{file} exists; name another, since what was made with it depends on it")
    source = sources.text(paths, Reading(field=field)) if paths else pysource.source()
    made = train(source, vocabulary, file, sample * 2**20)
    click.echo(f"{file}: {made.name}, digest {made.digest}")


@data.command("list")
@root_option
@json_option
def list_(root: Path, as_json: bool) -> None:
    """List the token folders under the root, and those that are being made."""
    import json

    from ademamix.cli.progress import print_sets
    from ademamix.data.catalogue import sets

    found = sets(root)
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        print_sets(found, root)


def described(folder: Path) -> str:
    """A token folder in a line."""
    from ademamix.data.tokens import Tokens

    tokens = Tokens(folder)
    counts = {
        split: sum(shard["tokens"] for shard in shards) for split, shards in tokens.manifest["splits"].items()
    }
    sizes = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    return f"{folder}: {sizes} tokens of {tokens.vocabulary:,}, digest {tokens.digest}"
