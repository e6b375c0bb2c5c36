"""claims.json of a scale, from its committed tables."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ademamix.files import write_json
from ademamix.registry import Figure
from ademamix.scale import scale as known_scale
from analysis.noise import read_noise
from analysis.tables import read_table


def judge(figure: Figure, folder: Path) -> dict[str, Any] | None:
    """The verdicts on a figure whose table is in `folder`; None when there is no table."""
    path = folder / f"{figure.whole.name}.csv"
    if not path.exists():
        return None
    frame = read_table(path)
    noise = read_noise(folder / "noise.csv")
    claims = [claim.judge(frame, folder.name, noise) for claim in figure.module.CLAIMS]
    return {
        "figure": figure.whole.name,
        "scale": folder.name,
        "noise": dict(noise.by_size),
        "claims": claims,
    }


def write_claims(figures: Iterable[Figure], folder: Path, out: Path) -> list[dict[str, Any]]:
    """Judge every figure that has a table in `folder`; merge the verdicts into claims.json in `out`."""
    verdicts = [found for figure in figures if (found := judge(figure, folder))]
    if verdicts:
        path = out / "claims.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        known |= {v["figure"]: v for v in verdicts}
        write_json(path, dict(sorted(known.items())))
    return verdicts


def rejudge(
    figures: Sequence[Figure], scale: str | None, root: Path, out: Path | None
) -> Iterator[dict[str, Any]]:
    """Judge again all figures, at one scale or at every one that has tables."""
    for folder in folders(root, scale):
        yield from write_claims(figures, folder, (out or root) / folder.name)


def folders(root: Path, scale: str | None) -> list[Path]:
    """The folders of results under `root`: of one scale with the exact ones, or all.

    A folder is named after its scale, or 'exact'. Raises UserError for an unknown scale.
    """
    wanted = {known_scale(scale).name, "exact"} if scale else None
    return [p for p in sorted(root.glob("*/")) if p.is_dir() and (wanted is None or p.name in wanted)]
