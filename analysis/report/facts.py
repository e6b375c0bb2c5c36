"""What the report says, from committed results: plain values for the template."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path
from typing import Any

from ademamix.errors import UserError
from ademamix.scale import Scale, scales
from analysis.artifacts import Artifact, Contents, Figure
from analysis.caption import caption
from analysis.claims import VERDICTS
from analysis.costs import Costs
from analysis.pages import read_verdicts, shown
from analysis.tables import read_table


@dataclass(frozen=True)
class Entry:
    """A figure or table on a page.

    Attributes:
        label, title, kind: 'Figure 12', its subject, 'language'.
        anchor: its place on the page, 'figure-12'.
        drawing: the svg, to stand in the page; "": there is none.
        run: what was run, in a line; cost: what that took.
        claims: as in claims.json; judged_with: the figure whose claims are its own too.
        links: what → where, from the page's folder.
    """

    label: str
    title: str
    kind: str
    anchor: str
    drawing: str
    run: str
    cost: str
    claims: Sequence[Mapping[str, Any]]
    judged_with: str
    links: Mapping[str, str]


@dataclass(frozen=True)
class Page:
    """The page of a scale, or of the exact figures.

    Attributes:
        name: 'cpu' or 'exact'.
        overview: the svg of all verdicts.
        numbers: claims for which the paper names a number, with their figure.
        counts: verdict → how many claims.
    """

    name: str
    entries: Sequence[Entry]
    overview: str
    numbers: Sequence[tuple[Entry, Mapping[str, Any]]]
    counts: Mapping[str, int]

    @property
    def title(self) -> str:
        return "Exact and toy figures" if self.name == "exact" else f"Scale {self.name}"

    @property
    def kinds(self) -> list[str]:
        return sorted({entry.kind for entry in self.entries})


def pages(contents: Contents, root: Path, out: Path) -> list[Page]:
    """Every page there are results for: of the scales, largest first, then the exact figures.

    `out`: each is read in a folder of this one, named after it.
    """
    found = read_verdicts(root / "figures")
    names = [name for name in (*reversed(shown()), "exact") if found[name]]
    return [_page(name, found[name], contents, root / "figures" / name, out / name) for name in names]


def _page(name: str, verdicts: Mapping[str, Any], contents: Contents, folder: Path, here: Path) -> Page:
    """The page of the results in `folder`, to be read in `here`."""
    costs = None if name == "exact" else Costs.of(contents.artifacts, name)
    entries = [
        _entry(artifact, verdicts.get(artifact.name, {}), contents, folder, here, costs)
        for artifact in contents.artifacts
        if (folder / f"{artifact.name}.svg").exists() or artifact.name in verdicts
    ]
    numbers = [(e, claim) for e in entries for claim in e.claims if claim.get("number")]
    counts = Counter(claim["verdict"] for entry in entries for claim in entry.claims)
    overview = folder / "overview.svg"
    return Page(
        name,
        entries,
        embedded(overview, f"overview-of-{name}") if overview.exists() else "",
        numbers,
        {verdict: counts[verdict] for verdict in VERDICTS},
    )


def _entry(
    artifact: Artifact,
    verdicts: Mapping[str, Any],
    contents: Contents,
    folder: Path,
    here: Path,
    costs: Costs | None,
) -> Entry:
    drawing = folder / f"{artifact.name}.svg"
    scale = None if artifact.exact else scales().get(folder.name)
    known = contents.catalogue[f"{artifact.KIND}s"].get(artifact.number, {})
    return Entry(
        label=artifact.label,
        title=artifact.title,
        kind=known.get("kind", "added"),
        anchor=artifact.name,
        drawing=embedded(drawing, artifact.name) if drawing.exists() else "",
        run=_run(artifact, scale, folder) if scale and isinstance(artifact, Figure) else "",
        cost=costs.line(artifact, folder / "records").strip() if costs else "",
        claims=verdicts.get("claims", ()),
        judged_with=artifact.judged_with,
        links={what: relpath(path, here) for what, path in _links(artifact, folder).items()},
    )


def _run(figure: Figure, scale: Scale, folder: Path) -> str:
    """What was run, as the drawing says it: with the seeds that the table holds."""
    table = folder / f"{figure.name}.csv"
    seeds = read_table(table)["seed"].unique().tolist() if table.exists() else None
    return caption(figure, scale, shown=seeds)


def _links(artifact: Artifact, folder: Path) -> dict[str, Path]:
    """Its files, its records and what defines it."""
    files = {suffix: folder / f"{artifact.name}.{suffix}" for suffix in ("csv", "pdf", "png", "md", "tex")}
    files["records"] = folder / "records"
    found = {what: path for what, path in files.items() if path.exists()}
    return found | {"runs, drawing, claims": artifact.folder}


def embedded(path: Path, prefix: str) -> str:
    """An svg to stand in a page: without its header and size, its ids its own.

    Raises:
        UserError: it is no whole drawing, and would break the page that it stands in.
    """
    text = path.read_bytes().decode(errors="replace")
    if "<svg" not in text or not text.rstrip().endswith("</svg>"):
        raise UserError(f"{path} is damaged; draw it again with 'make plots'")
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'(xlink:href|href)="#', rf'\1="#{prefix}-', text)
    return re.sub(r"url\(#", f"url(#{prefix}-", text)
