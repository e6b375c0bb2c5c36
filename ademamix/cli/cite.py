"""`ademamix cite`: BibTeX for the paper and for this reproduction."""

import re
from typing import Any

import click

from ademamix.checkout import checkout, commit
from ademamix.errors import UserError
from ademamix.files import read_yaml


@click.command()
def cite() -> None:
    """Print BibTeX of the paper, and of this reproduction at the commit at hand."""
    path = checkout() / "CITATION.cff"
    try:
        software = read_yaml(path)
        (paper,) = software["references"]
        click.echo(_article(paper) + "\n\n" + _software(software, commit().get("commit", "")))
    except (OSError, LookupError, TypeError, ValueError):
        raise UserError(f"{path} is missing or damaged; take it from git") from None


def _article(paper: dict[str, Any]) -> str:
    (arxiv,) = re.findall(r"arxiv\.org/abs/([\d.]+)", paper["url"])
    first = paper["authors"][0]["family-names"].lower()
    return _entry(
        "article",
        f"{first}{paper['year']}ademamix",
        author=" and ".join(author["family-names"] for author in paper["authors"]),
        title=f"{{{paper['title']}}}",
        journal=f"arXiv preprint arXiv:{arxiv}",
        year=paper["year"],
        url=paper["url"],
    )


def _software(software: dict[str, Any], at: str) -> str:
    return _entry(
        "software",
        "ademamix_reproduction",
        author=" and ".join(f"{{{author['name']}}}" for author in software["authors"]),
        title=f"{{{software['title']}}}",
        version=software["version"],
        note=f"commit {at}" if at else "",
        license=software["license"],
    )


def _entry(kind: str, key: str, **fields: object) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])
