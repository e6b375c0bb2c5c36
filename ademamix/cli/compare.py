"""The verbs that show runs beside each other: `compare` on a page that opens from disk, `watch` live."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

import click

from ademamix.checkout import checkout
from ademamix.cli.options import Verb, corpus_option, runs_option
from ademamix.cli.runs import Selection, selecting
from ademamix.errors import UserError
from ademamix.store import Store
from analysis.report.seen import Seen

ids_argument = click.argument("ids", nargs=-1, metavar="[RUN]…")


@click.command(cls=Verb)
@ids_argument
@selecting
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The page to write, or its folder. [default: out/compare.html]",
)
@corpus_option
@runs_option
def compare(selection: Selection, out: Path | None, runs: Path) -> None:
    """Write a page with runs side by side: curves with a cursor, settings with differences marked, cost.

    Runs are named by the beginning of their ids, or chosen as `ademamix runs` does. The page is one file
    that opens from disk and loads nothing.

    \b
    Examples:
      ademamix compare 3f9a 81c2
      ademamix compare --figure 12 --scale cpu --out figure-12.html
      ademamix compare --where optimizer.kind=lion
    """
    from analysis.report.compare import write_compare
    from analysis.report.comparison import Comparison

    path = out or checkout() / "out" / "compare.html"
    path = path / "compare.html" if path.is_dir() else path
    found = selection.runs(Store(runs))
    if not found:
        raise UserError(f"no such runs in {runs}; 'ademamix runs' lists those there are")
    if not selection.ids:  # named ones stand in the order of their naming
        found.sort(key=lambda run: inf if run.loss[1] is None else run.loss[1])
    try:
        write_compare(Comparison(found, [run.size for run in found]), "Runs compared", path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; name another with --out FILE") from None
    click.echo(path)


@click.command(cls=Verb)
@ids_argument
@selecting
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Serve there. [default: any that is free]"
)
@corpus_option
@runs_option
def watch(selection: Selection, port: int, runs: Path) -> None:
    """Serve the page of `compare` to this machine, and refresh it while runs go on. Ctrl-C ends it.

    Runs that begin later join the page. From another machine: ssh -L 8000:127.0.0.1:PORT this-machine

    \b
    Examples:
      ademamix watch
      ademamix watch --state running --port 8000
      ademamix watch --figure 12 --scale cpu
    """
    from analysis.report.live import LivePage, Reader, server

    store, whatever_state, once = Store(runs), replace(selection, state=None), set[str]()

    def look(read: Reader) -> Sequence[tuple[Seen, str]]:
        found = whatever_state.runs(store, read)
        # A run that was in the state asked for stays on the page when it is not any more.
        once.update(run.run.id for run in found if selection.state in (None, run.state))
        return [(run, run.size) for run in found if run.run.id in once]

    page = LivePage(look, "Runs, live")
    page.now()  # refuses what cannot be shown before a browser asks
    with server(page, port) as serving:
        click.echo(f"http://127.0.0.1:{serving.server_port}/  (Ctrl-C ends it)")
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            click.echo("", err=True)
