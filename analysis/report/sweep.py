"""The page of a sweep: its table of settings, neighbours and drawings, and the curves of its runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ademamix.files import write_atomically
from ademamix.store import Store
from ademamix.sweeps.axes import text
from ademamix.sweeps.outcomes import Row
from ademamix.sweeps.space import Space
from analysis.report.compare import compare_page
from analysis.report.comparison import Comparison
from analysis.report.facts import embedded
from analysis.report.seen import seen
from analysis.sweeps import Report, Results, Tried, edge_in_words, flattered, how, state, with_interval

CURVES = 100  # runs whose curves are in the page, those of the best settings


@dataclass(frozen=True)
class Line:
    """A setting in a table.

    Attributes:
        values: of the keys that are shown.
        loss: with its interval; "" while runs are missing.
        beyond, verdict: its loss minus the best's, and what that says.
        seeds: seed → the state of its run.
    """

    values: Sequence[str]
    loss: str
    beyond: str
    verdict: str
    seeds: Mapping[int, str]


@dataclass(frozen=True)
class Neighbours:
    """The settings next to the best that differ from it in one key."""

    key: str
    lines: Sequence[Line]


def write_sweep_page(space: Space, report: Report, rows: Sequence[Row], store: Store, folder: Path) -> Path:
    """Write `folder`/index.html of a sweep's report, from the rows of its trials.csv and its runs."""
    results = report.results
    keys = results.varied or results.keys
    rank = {id(tried): number for number, tried in enumerate(results.ranked)}
    tried = sorted(results.tried, key=lambda one: rank.get(id(one), len(rank)))
    page = compare_page(
        _curves(space, tried, results, rows, store),
        f"Sweep {space.sweep.name}",
        template="sweep.html.j2",
        stated=report.lines[0],
        state=state(results),
        best=_line(results, results.best, keys) if results.best else None,
        what=results.best.label if results.best else "",
        how=how(len(results.best.losses), results.sigma) if results.best else "",
        flattered=flattered(results) if len(results.ranked) > 1 else "",
        edges=[edge_in_words(edge) for edge in report.edges],
        keys=keys,
        lines=[_line(results, one, keys) for one in tried],
        neighbours=[
            Neighbours(key, [_line(results, near, keys) for near in found])
            for key in (results.varied if results.best else ())
            if (found := results.neighbours(key))
        ],
        drawings={path.stem: embedded(path, path.stem) for path in report.paths if path.suffix == ".svg"},
        most=CURVES if len(rows) > CURVES else None,
    )
    path = folder / "index.html"
    write_atomically(path, page.encode())
    return path


def _line(results: Results, tried: Tried, keys: Sequence[str]) -> Line:
    beyond = results.beyond_best(tried) if results.best and tried.complete else None
    return Line(
        values=[text(tried.setting[key]) for key in keys],
        loss=with_interval(tried.mean, results.interval(tried)) if tried.complete else "",
        beyond=with_interval(beyond.mean, beyond.width, "+") if beyond else "",
        verdict="best" if tried is results.best else beyond.verdict if beyond else "",
        seeds=tried.states,
    )


def _curves(
    space: Space, tried: Sequence[Tried], results: Results, rows: Sequence[Row], store: Store
) -> Comparison:
    """The runs that the store has, those of the best settings first."""
    place = {tuple(text(one.setting[key]) for key in results.keys): i for i, one in enumerate(tried)}
    ordered = sorted(rows, key=lambda row: place[tuple(row[key] for key in results.keys)])
    runs = (store.run(row["run"]) for row in ordered)
    there = islice((run for run in runs if (run.folder / "spec.json").exists()), CURVES)
    found = [seen(run) for run in there]
    return Comparison(found, [space.sweep.size] * len(found))
