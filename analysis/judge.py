"""claims.json of a scale, from its committed tables."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ademamix.errors import Problems, UserError
from ademamix.scale import scale as known_scale
from ademamix.scale import scales
from ademamix.values import Shared
from analysis.artifacts import Artifact
from analysis.claims import Claim, Rules
from analysis.noise import Noise, group_of, read_noise
from analysis.tables import AGAIN, read_table
from analysis.verdicts import read_claims, write_verdicts

if TYPE_CHECKING:
    import pandas as pd


def rules_of(name: str) -> Rules:
    """What claims have to know of the scale of that name; `exact` is none."""
    found = scales().get(name)
    return Rules(found.judges, tuned=found.slow_half_life is not None) if found else Rules()


class Groups(Shared, dict[tuple[str, str], str]):
    """(panel, series) → whose spread over seeds its end has, for the curves of runs of the paper."""


def groups(artifact: Artifact, scale: str) -> Groups:
    """Those of the runs that an artifact needs at the scale of that name."""
    needs = artifact.whole.needs(known_scale(scale)) if artifact.trains else ()
    return Groups(
        {(need.panel, need.series): group_of(need.paper) for need in needs if need.paper and need.series}
    )


def judge(artifact: Artifact, folder: Path) -> dict[str, Any] | None:
    """The verdicts on an artifact whose table is in `folder`; None without a table, or without claims.

    What follows from the paper's own values is judged among the exact results, all else at scales.
    """
    path = folder / f"{artifact.whole.name}.csv"
    here = (folder.name == "exact") == (artifact.exact or artifact.stated)
    if not path.exists() or not artifact.claims or not here:
        return None
    frame, rules = evidence(artifact, path), rules_of(folder.name)
    frame.attrs["groups"] = groups(artifact, folder.name)
    noise = read_noise(folder / "noise.csv")
    changed = frame.attrs["changed"]
    return {
        "figure": artifact.whole.name,
        "scale": folder.name,
        **({"changed": changed} if changed else {}),
        "noise": dict(noise.by_group),
        "claims": [_judge(artifact, claim, frame, noise, rules) for claim in artifact.claims],
    }


def evidence(artifact: Artifact, path: Path) -> "pd.DataFrame":
    """What claims are measured on: its csv; where it states set-ups nothing, since claims read these, too."""
    import pandas as pd

    if not artifact.stated:
        return read_table(path)
    frame = pd.DataFrame()
    frame.attrs["changed"] = []
    return frame


def _judge(
    artifact: Artifact, claim: Claim, frame: "pd.DataFrame", noise: Noise, rules: Rules
) -> dict[str, Any]:
    with artifact.blamed():
        return claim.judge(frame, noise, rules)


def write_claims(
    artifacts: Iterable[Artifact], folder: Path, out: Path, problems: Problems
) -> list[dict[str, Any]]:
    """Judge every artifact that has a table in `folder`; merge the verdicts into claims.json in `out`.

    One that cannot be judged keeps its old verdicts, and goes to `problems`.
    """
    path = out / "claims.json"
    known, verdicts = read_claims(path), []
    for artifact in artifacts:
        with problems.collecting():
            found = judge(artifact, folder) if has_table(artifact, folder) else None
            known.pop(artifact.whole.name, None)  # one that lost its claims loses its verdicts
            verdicts += [found] if found else []
    if verdicts:
        write_verdicts(path, known | {v["figure"]: v for v in verdicts})
    return verdicts


def rejudge(
    artifacts: Sequence[Artifact], scale: str | None, root: Path, out: Path | None
) -> Iterator[dict[str, Any]]:
    """Judge again all artifacts, at one scale or at every one that has tables.

    Raises:
        UserError: tables are missing or damaged; the others were judged.
    """
    problems = Problems()
    for folder in folders(root, scale):
        yield from write_claims(artifacts, folder, (out or root) / folder.name, problems)
    problems.raise_any()


def has_table(artifact: Artifact, folder: Path) -> bool:
    """Whether the table of an artifact is in `folder`; UserError where it was, and only its drawing is."""
    names = {artifact.name, artifact.whole.name}
    if any((folder / f"{name}.csv").exists() for name in names):
        return True
    for name in names:
        if (folder / f"{name}.png").exists() or (folder / f"{name}.json").exists():
            raise UserError(f"{folder / name}.csv is missing; {AGAIN}")
    return False


def refuse_without_tables(artifacts: Sequence[Artifact], scale: str | None, root: Path, named: bool) -> None:
    """Raise UserError where there is nothing to draw or judge of what was asked for.

    `named`: the artifacts were asked for by name, so each has to be there; else one is enough.
    """
    own = [a for a in artifacts if named or not (scale and a.exact)]
    # The paper's own values of its tables lie among the exact results; they are no result of a scale.
    where = {
        exact: [f for f in folders(root, scale) if exact or not scale or f.name == scale]
        for exact in (True, False)
    }
    lacking = [a for a in own if not any(has_table(a, folder) for folder in where[a.exact])]
    if lacking and (named or len(lacking) == len(own)):
        what = lacking[0].label if named else "any figure"
        at = f" at scale {scale}" if scale else ""
        raise UserError(f"{root} has no table of {what}{at}; make it with 'ademamix run'")


def folders(root: Path, scale: str | None) -> list[Path]:
    """The folders of results under `root`: of one scale with the exact ones, or all.

    A folder is named after its scale, or 'exact'. Raises UserError for an unknown scale.
    """
    wanted = {known_scale(scale).name, "exact"} if scale else None
    return [p for p in sorted(root.glob("*/")) if p.is_dir() and (wanted is None or p.name in wanted)]
