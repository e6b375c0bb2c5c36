"""What the report says, from committed results: plain values for the template."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import relpath
from pathlib import Path
from typing import Any

from ademamix.scale import scales
from analysis.artifacts import Artifact, Contents, Figure
from analysis.caption import caption
from analysis.costs import cost_line, users_of

VERDICTS = ("reproduced", "not reproduced", "inconclusive")


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


def page_of(name: str, contents: Contents, root: Path, out: Path) -> Page | None:
    """The page of a scale from figures/<name>, to be read in `out`/<name>; None without results."""
    folder = root / "figures" / name
    path = folder / "claims.json"
    if not path.exists():
        return None
    verdicts = json.loads(path.read_text())
    users = {} if name == "exact" else users_of(contents.artifacts, name)
    entries = [
        replace(
            _entry(artifact, name, verdicts.get(artifact.name, {}), contents, root, users),
            links={what: relpath(path, out / name) for what, path in _links(artifact, folder).items()},
        )
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


def pages(contents: Contents, root: Path, out: Path) -> list[Page]:
    """Every page there are results for: of the scales, largest first, then the exact figures."""
    names = [*reversed([name for name, scale in scales().items() if scale.judges]), "exact"]
    return [page for name in names if (page := page_of(name, contents, root, out))]


def _entry(
    artifact: Artifact,
    name: str,
    verdicts: Mapping[str, Any],
    contents: Contents,
    root: Path,
    users: Mapping[str, Sequence[str]],
) -> Entry:
    folder = root / "figures" / name
    drawing = folder / f"{artifact.name}.svg"
    scale = scales().get(name)
    is_figure = isinstance(artifact, Figure)
    known = contents.catalogue["figures" if is_figure else "tables"].get(artifact.number, {})
    trained = scale is not None and not artifact.exact
    return Entry(
        label=artifact.label,
        title=artifact.title,
        kind=known.get("kind", "added"),
        anchor=artifact.name,
        drawing=embedded(drawing, artifact.name) if drawing.exists() else "",
        run=caption(artifact, scale) if trained and scale and isinstance(artifact, Figure) else "",
        cost=cost_line(artifact, name, folder / "records", users).strip() if trained else "",
        claims=verdicts.get("claims", ()),
        judged_with=artifact.judged_with,
        links={},
    )


def _links(artifact: Artifact, folder: Path) -> dict[str, Path]:
    """Its files, its records and what defines it."""
    files = {suffix: folder / f"{artifact.name}.{suffix}" for suffix in ("csv", "pdf", "png", "md", "tex")}
    files["records"] = folder / "records"
    found = {what: path for what, path in files.items() if path.exists()}
    return found | {"runs, drawing, claims": artifact.folder}


def embedded(path: Path, prefix: str) -> str:
    """An svg to stand in a page: without its header and size, its ids its own."""
    text = path.read_text()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'(xlink:href|href)="#', rf'\1="#{prefix}-', text)
    return re.sub(r"url\(#", f"url(#{prefix}-", text)
