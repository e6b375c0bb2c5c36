"""claims.json of a scale, from its committed tables."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ademamix.files import write_json
from ademamix.scale import scale as known_scale
from ademamix.scale import scales
from analysis.artifacts import Artifact
from analysis.claims import Rules
from analysis.noise import group_of, read_noise
from analysis.tables import read_table


def rules_of(name: str) -> Rules:
    """What claims have to know of the scale of that name; `exact` is none."""
    found = scales().get(name)
    return Rules(found.judges, tuned=found.slow_half_life is not None) if found else Rules()


def groups(artifact: Artifact, scale: str) -> dict[tuple[str, str], str]:
    """(panel, series) → whose spread over seeds its end has, for the curves of runs of the paper."""
    if artifact.exact:
        return {}
    return {
        (need.panel, need.series): group_of(need.paper)
        for need in artifact.whole.needs(known_scale(scale))
        if need.paper and need.series
    }


def judge(artifact: Artifact, folder: Path) -> dict[str, Any] | None:
    """The verdicts on an artifact whose table is in `folder`; None without a table, or without claims.

    Among the exact results a table of trained models has the paper's values alone: nothing to judge.
    """
    path = folder / f"{artifact.whole.name}.csv"
    if not path.exists() or not artifact.claims or (folder.name == "exact" and not artifact.exact):
        return None
    frame, rules = read_table(path), rules_of(folder.name)
    frame.attrs["groups"] = groups(artifact, folder.name)
    noise = read_noise(folder / "noise.csv")
    return {
        "figure": artifact.whole.name,
        "scale": folder.name,
        "noise": dict(noise.by_group),
        "claims": [claim.judge(frame, noise, rules) for claim in artifact.claims],
    }


def write_claims(artifacts: Iterable[Artifact], folder: Path, out: Path) -> list[dict[str, Any]]:
    """Judge every artifact that has a table in `folder`; merge the verdicts into claims.json in `out`."""
    artifacts = list(artifacts)
    verdicts = [found for artifact in artifacts if (found := judge(artifact, folder))]
    if verdicts:
        path = out / "claims.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        for artifact in artifacts:  # one that lost its claims loses its verdicts
            known.pop(artifact.whole.name, None)
        known |= {v["figure"]: v for v in verdicts}
        write_json(path, dict(sorted(known.items())))
    return verdicts


def rejudge(
    artifacts: Sequence[Artifact], scale: str | None, root: Path, out: Path | None
) -> Iterator[dict[str, Any]]:
    """Judge again all artifacts, at one scale or at every one that has tables."""
    for folder in folders(root, scale):
        yield from write_claims(artifacts, folder, (out or root) / folder.name)


def folders(root: Path, scale: str | None) -> list[Path]:
    """The folders of results under `root`: of one scale with the exact ones, or all.

    A folder is named after its scale, or 'exact'. Raises UserError for an unknown scale.
    """
    wanted = {known_scale(scale).name, "exact"} if scale else None
    return [p for p in sorted(root.glob("*/")) if p.is_dir() and (wanted is None or p.name in wanted)]
