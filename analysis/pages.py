"""The generated pages, from the registry and claims.json: status, verdicts, gallery, report."""

from collections import Counter
from pathlib import Path
from typing import Any

from ademamix.errors import UserError
from ademamix.files import write_atomically
from ademamix.scale import scales
from analysis.artifacts import Artifact, Contents, Figure
from analysis.benchmarks import optimizer_benchmark
from analysis.claims import VERDICTS
from analysis.costs import Costs
from analysis.verdicts import json_schema, read_claims

Verdicts = dict[str, dict[str, Any]]  # scale (or 'exact') → figure name → its entry of claims.json
BEGIN, END = "<!-- generated: {} -->", "<!-- end: {} -->"


def write_pages(root: Path, contents: Contents, check: bool = False) -> list[str]:
    """Write what is stale, or only say so when `check`. Returns the names of the stale files."""
    from analysis.report.write import report_pages  # which reads its verdicts with this module

    verdicts = read_verdicts(root / "figures")
    with_checks = verdicts | {name: read_claims(root / "figures" / name / "claims.json") for name in checks()}
    readme = root / "README.md"
    front = in_page(readme, "status", status_table(verdicts, contents, root))
    benchmark = optimizer_benchmark(root / "benchmarks" / "results")
    texts = {
        readme: in_page(readme, "optimizer benchmark", benchmark, front),
        root / "docs" / "results.md": results_page(with_checks, contents),
        root / "docs" / "gallery.md": gallery_page(root / "figures", contents),
        root / "figures" / "claims.schema.json": json_schema(),
        **report_pages(contents, root, root / "figures"),
    }
    pages = ArtifactPages(verdicts, contents, root)
    judged_tables = (table for table in contents.tables.values() if table.claims)
    for artifact in (*contents.figures.values(), *judged_tables):
        page = artifact.folder / "README.md"
        name = f"verdicts of {artifact.name}"
        texts[page] = in_page(page, name, pages.section(artifact), texts.get(page))
    stale = {path: text for path, text in texts.items() if not path.exists() or path.read_text() != text}
    if not check:
        for path, text in stale.items():
            write_atomically(path, text.encode())
    return [path.relative_to(root).as_posix() for path in stale]


def in_page(page: Path, name: str, content: str, text: str | None = None) -> str:
    """The `text` of a page, read unless given, with what stands between the marks of `name` replaced.

    Raises:
        UserError: the page or its marks are missing.
    """
    try:
        return between_marks(page.read_text() if text is None else text, name, content)
    except FileNotFoundError:
        raise UserError(f"{page} is missing; write it, with the marks of '{name}'") from None
    except ValueError as problem:
        raise UserError(f"{page}: {problem}; put them where its results shall stand") from None


def between_marks(text: str, name: str, content: str) -> str:
    """`text` with what stands between the marks of `name` replaced."""
    begin, end = BEGIN.format(name), END.format(name)
    if begin not in text.partition(end)[0] or end not in text:
        raise ValueError(f"the page lacks the marks {begin} and {end}")
    before, after = text.split(begin)[0], text.split(end)[1]
    return f"{before}{begin}\n{content}{end}{after}"


def read_verdicts(folder: Path) -> Verdicts:
    """The verdicts of all scales whose results count."""
    return {scale: read_claims(folder / scale / "claims.json") for scale in ("exact", *shown())}


def shown() -> list[str]:
    """The scales whose results count, smallest first."""
    return [name for name, scale in scales().items() if scale.judges and not scale.check]


def checks() -> list[str]:
    """The scales that repeat another one on other seeds."""
    return [name for name, scale in scales().items() if scale.judges and scale.check]


def status_table(verdicts: Verdicts, contents: Contents, root: Path) -> str:
    """All figures and tables of the paper: how their claims were judged, at each scale."""
    lines = [
        "| | subject | kind | " + " | ".join(f"`{scale}`" for scale in shown()) + " |",
        "|---|---|---|" + "---|" * len(shown()),
    ]
    parts: dict[int, list[Figure]] = {number: [] for number in contents.catalogue["figures"]}
    for figure in contents.figures.values():
        parts.setdefault(figure.number, []).append(figure)
    for number, built in sorted(parts.items()):
        added = {"subject": built[0].title, "kind": "added"} if built else {}
        entry = contents.catalogue["figures"].get(number, added)
        folder = f"[Figure {number}](experiments/{built[0].folder.name}/)" if built else f"Figure {number}"
        cells = [_figure_cell(built, entry.get("panels", ""), scale, verdicts) for scale in shown()]
        lines.append(f"| {folder} | {entry['subject']} | {entry['kind']} | " + " | ".join(cells) + " |")
    for number, entry in contents.catalogue["tables"].items():
        cells = [_table_cell(number, scale, verdicts, contents, root) for scale in shown()]
        lines.append(f"| Table {number} | {entry['subject']} | {entry['kind']} | " + " | ".join(cells) + " |")
    return answer(verdicts) + LEGEND + "\n".join(lines) + "\n"


LEGEND = (
    "\nA cell counts the claims judged reproduced / not reproduced / inconclusive; 'exact': not trained. "
    "[docs/results.md](docs/results.md) has each with its numbers, [docs/gallery.md](docs/gallery.md) every "
    "drawing.\n\n"
)


def answer(verdicts: Verdicts) -> str:
    """Does it reproduce? In a line for each scale that has results, and what is computed exactly."""
    lines = []
    for scale, by_figure in verdicts.items():
        found = Counter(claim["verdict"] for entry in by_figure.values() for claim in entry["claims"])
        if total := sum(found.values()):
            where = "Computed exactly" if scale == "exact" else f"At scale `{scale}`"
            lines.append(
                f"{where}: **{found['reproduced']} of {total} claims are reproduced**, "
                f"{found['not reproduced']} are not, {found['inconclusive']} cannot be decided."
            )
    return "  \n".join(lines) + "\n" if lines else "Nothing was run yet.\n"


def _figure_cell(built: list[Figure], panels: str, scale: str, verdicts: Verdicts) -> str:
    """How a figure's claims were judged; of one that is built in parts, part by part."""
    if not built:
        return "not built"
    cells = [
        (f"{', '.join(figure.panels)}: " if panels else "") + _counts(figure, scale, verdicts)
        for figure in sorted(built, key=lambda figure: figure.panels)
    ]
    missing = [panel for panel in panels if not any(panel in figure.panels for figure in built)]
    return "; ".join([*cells, *([f"{', '.join(missing)}: not built"] if missing else [])])


def _counts(artifact: Artifact, scale: str, verdicts: Verdicts) -> str:
    if artifact.judged_with:
        return f"with {artifact.judged_with}"
    exact = verdicts["exact"].get(artifact.name)
    entry = exact or verdicts[scale].get(artifact.name)
    if entry is None:
        return "not run"
    found = [claim["verdict"] for claim in entry["claims"]]
    counts = " / ".join(str(found.count(v)) for v in VERDICTS)
    return f"{counts} (exact)" if exact else counts


def _table_cell(number: int, scale: str, verdicts: Verdicts, contents: Contents, root: Path) -> str:
    """A link to the table with the scale's values, at `paper` the paper's; verdicts on trained models."""
    table = contents.tables.get(str(number))
    if table is None:
        return "not built"
    stated = scale == "paper" and table.stated
    path = f"figures/{'exact' if stated else scale}/{table.name}.md"
    if not (root / path).exists():
        return "not run" if table.trains else "not written"
    counts = f"{_counts(table, scale, verdicts)}, " if table.claims else ""
    return f"{counts}[values]({path})"


def results_page(verdicts: Verdicts, contents: Contents) -> str:
    """docs/results.md: every claim judged, with its numbers."""
    text = (
        "# What reproduces\n\nGenerated by `make docs` from the committed `claims.json` files. "
        "A verdict is measured: see [analysis/claims.py](../analysis/claims.py) for the rules.\n"
    )
    titles = {found.name: f"{found.label}: {found.title}" for found in contents.artifacts}
    text += _contents({scale: list(by_figure) for scale, by_figure in verdicts.items()}, contents)
    for scale, by_figure in verdicts.items():
        if not by_figure:
            continue
        if unknown := by_figure.keys() - titles.keys():
            raise UserError(
                f"claims.json of {scale} has {min(unknown)}, which is not defined; run 'make claims'"
            )
        text += f"\n## {_heading(scale)}\n{_note(scale)}"
        for name, entry in by_figure.items():
            text += f"\n### {_anchor(scale, name)}{titles[name]}\n\n"
            if entry["noise"]:
                spreads = ", ".join(f"{sigma:.4f} at {size}" for size, sigma in entry["noise"].items())
                text += f"Spread over seeds, σ: {spreads}.\n\n"
            text += "".join(_claim(claim) for claim in entry["claims"])
    return text


def gallery_page(folder: Path, contents: Contents) -> str:
    """docs/gallery.md: every committed drawing."""
    text = "# Gallery\n\nGenerated by `make docs`: every committed drawing. "
    text += "Beside each png lie a pdf, an svg and the csv it was drawn from.\n"
    drawn = {
        scale: [f for f in contents.figures.values() if (folder / scale / f"{f.name}.png").exists()]
        for scale in ("exact", *shown(), *checks())
    }
    text += _contents({scale: [f.name for f in there] for scale, there in drawn.items()}, contents)
    for scale, there in drawn.items():
        text += f"\n## {_heading(scale)}\n" if there else ""
        for figure in there:
            stem = f"../figures/{scale}/{figure.name}"
            text += f"\n### {_anchor(scale, figure.name)}{figure.label}: {figure.title}\n\n"
            text += f"![{figure.label}]({stem}.png)\n\n"
            text += f"[runs, drawing and claims](../experiments/{figure.folder.name}/) · "
            text += f"[pdf]({stem}.pdf) · [csv]({stem}.csv)\n"
    return text


def _contents(names: dict[str, list[str]], contents: Contents) -> str:
    """A line of links for each scale that has something, to the anchors of its figures and tables."""
    labels = {found.name: found.label for found in contents.artifacts}
    text = ""
    for scale, of_scale in names.items():
        links = [f"[{labels[name]}](#{scale}-{name})" for name in of_scale if name in labels]
        text += f"\n{_heading(scale)}: {', '.join(links)}.\n" if links else ""
    return text


def _anchor(scale: str, name: str) -> str:
    return f'<a id="{scale}-{name}"></a>'


def _heading(scale: str) -> str:
    if scale == "exact":
        return "Exact and toy figures"
    if scales()[scale].check:
        return f"Scale `{scales()[scale].like}` again, on other seeds (`{scale}`)"
    return f"Scale `{scale}`"


def _note(scale: str) -> str:
    """What has to be known of the verdicts of a check."""
    at = scales().get(scale)
    if not at or not at.check:
        return ""
    seeds = ", ".join(map(str, sorted(at.seeds.reported)))
    return (
        f"\nSeeds {seeds}: nothing was tuned, chosen or looked at by them. These verdicts are in no total, "
        f"and the drawings of `{at.like}` do not show these runs "
        "([how it was chosen](../configs/scales/README.md)).\n"
    )


class ArtifactPages:
    """What the README of each figure or table shows of its results."""

    def __init__(self, verdicts: Verdicts, contents: Contents, root: Path) -> None:
        self.verdicts = verdicts
        self.folder = root / "figures"
        self._costs = {
            scale: Costs.of(contents.artifacts, scale)
            for scale, by_figure in verdicts.items()
            if by_figure and scale != "exact"
        }

    def section(self, artifact: Artifact) -> str:
        """The drawing of a figure or the table itself, what its runs cost and the verdicts on it."""
        text = ""
        for scale, by_name in self.verdicts.items():
            drawing = self.folder / scale / f"{artifact.name}.png"
            entry = by_name.get(artifact.name)
            if entry or (artifact.judged_with and drawing.exists()):
                where = "" if scale == "exact" else f" at scale `{scale}`"
                file = f"../../figures/{scale}/{artifact.name}"
                drawn = isinstance(artifact, Figure)
                label = f"{artifact.label}{where}"
                text += f"![{label}]({file}.png)\n\n" if drawn else f"[{label}]({file}.md)\n\n"
                if where:
                    text += self._costs[scale].line(artifact, self.folder / scale / "records")
                if entry:
                    text += "".join(_claim(claim) for claim in entry["claims"])
                else:
                    text += f"Judged with Figure {artifact.judged_with}.\n"
        return text or "Not run yet.\n"


def _claim(claim: dict[str, Any]) -> str:
    lines = [f"- **{claim['verdict']}**: {claim['statement']}", f"  Measured: {claim['statistic']}."]
    lines.append(f"  Threshold {claim['threshold']:g}; {claim['why']}.")
    lines += [f"  - {_effect(effect)}" for effect in claim["effects"]]
    lines += [f"  - {what}: {value}" for what, value in claim["also"].items()]
    return "\n".join(lines) + "\n"


def _effect(effect: dict[str, Any]) -> str:
    """An effect with its interval; where that decides nothing, how far from the threshold it would."""
    interval, value = effect["interval"], effect["value"]
    text = f"{effect['what']}: {value if isinstance(value, str) else f'{value:.4g}'}"
    if interval is None and not isinstance(value, str):
        text += " (spread unknown)"
    elif interval and interval[0] != interval[1]:
        text += f" [{interval[0]:.4g}, {interval[1]:.4g}]"
    text += f", {effect['verdict']}"
    if effect["verdict"] == "inconclusive" and effect["resolution"]:
        text += f" (decided from {effect['resolution']:.2g} away from the threshold)"
    return text
