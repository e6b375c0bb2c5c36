"""What --set may change: what figures do not vary themselves, and what their runs know."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from ademamix.errors import UserError
from ademamix.scale import Scale
from ademamix.spec import Need, RunSpec, override, override_known
from ademamix.values import UnknownKey, canonical
from analysis.artifacts import Artifact


def changeable(artifacts: Sequence[Artifact], named: bool) -> list[Artifact]:
    """Those of the figures and tables that have runs to change.

    Raises:
        UserError: there are none, or one that was asked for by name is not among them.
    """
    for artifact in artifacts:
        if named and (artifact.exact or artifact.measured):
            why = "is measured" if artifact.measured else "needs no training"
            raise UserError(f"{artifact.label} {why}: it has no runs that --set could change")
    return [artifact for artifact in artifacts if not (artifact.exact or artifact.measured)]


def refuse_settings(figure: Artifact, at: Scale, settings: Iterable[str]) -> None:
    """Raise UserError for settings that no run of a figure knows, or that the figure varies itself.

    A curve is called after what its figure varies, so changing that would leave it with a false name.
    """
    needs = figure.needs(at)
    for setting in settings:
        key = setting.partition("=")[0]
        if key.rpartition(".")[2] in ("kind", "task") or key.startswith("fork"):
            raise UserError(f"--set {setting}: '{key}' says what a run is, which a figure does; it stays")
        _refuse_unknown([need.run for need in needs], setting)
        if _varies(needs, key) or _merges(needs, setting):
            raise UserError(
                f"--set {setting}: {figure.label} varies {key} itself, so its curves would have false names; "
                "ask for panels or figures that do not, or train one run with 'ademamix train'"
            )


def _varies(needs: Sequence[Need], key: str) -> bool:
    """Whether runs of one panel, set-up and optimizer have several values of `key`."""
    found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for need in needs:
        name = need.paper.setup.name if need.paper else ""
        value = _value(need.run, key)
        if value is not UNKNOWN and key != "seed":
            found[need.panel, name, need.run.optimizer.kind].add(repr(value))
    return any(len(values) > 1 for values in found.values())


def _merges(needs: Sequence[Need], setting: str) -> bool:
    """Whether runs of one panel become the same run."""
    before: dict[str, set[str]] = defaultdict(set)
    after: dict[str, set[str]] = defaultdict(set)
    for need in needs:
        before[need.panel].add(need.run.id)
        after[need.panel].add(override_known(need.run, [setting]).id)
    return any(len(after[panel]) < len(ids) for panel, ids in before.items())


UNKNOWN = object()


def _value(spec: RunSpec, key: str) -> Any:
    """The value at a dotted key of a spec; `UNKNOWN` where it has no such key."""
    value: Any = spec
    for name in key.split("."):
        if not hasattr(value, name):
            return UNKNOWN
        value = getattr(value, name)
    return canonical(value)


def _refuse_unknown(specs: list[RunSpec], setting: str) -> None:
    """Raise UnknownKey, with the nearest right key, for a setting that no run knows."""
    problems = []
    for spec in specs:
        try:
            override(spec, [setting])
            return
        except UnknownKey as problem:
            problems.append(problem)
    if problems:
        raise min(problems, key=lambda problem: "did you mean" not in str(problem))
