"""The verb that writes the report."""

from pathlib import Path

import click

from ademamix.checkout import checkout
from ademamix.cli.options import out_option
from experiments import registry


@click.command()
@out_option
def report(out: Path | None) -> None:
    """Write the report: figures/index.html and a page for every scale that has results. Opens from disk.

    \b
    Examples:
      ademamix report
      ademamix report --out /tmp/report
    """
    from analysis.report.write import write_report

    for path in write_report(registry.contents(), checkout(), out or checkout() / "figures"):
        click.echo(path)
