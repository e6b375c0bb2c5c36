"""A scale file that is tuned while it is used: learning rates from its trials, set-ups settled one by one."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import yaml

from ademamix.files import read_yaml, write_atomically
from ademamix.paper.runs import ADAMW, ADEMAMIX
from ademamix.sweeps.evidence import open_sides, rates_tried

KINDS = (ADAMW, ADEMAMIX)  # in the order in which they are tuned, with as many trials each


def begin(path: Path, like: Path) -> None:
    """Write the scale file `path` as a variant of the scale of `like`, where it is not there yet."""
    if not path.exists():
        of_base = {key: found for key, found in read_yaml(like).items() if key in ("lr", "unsettled")}
        _write(path, {"like": like.stem, "order": 9, **of_base})


def wider(path: Path, size: str, first: Sequence[float]) -> list[float]:
    """The learning rates to try of a set-up: the `first` ones, then two more on the sides that are open.

    Both optimizers get the same ones. Empty: of each, the best lies inside what was tried.
    """
    tried = _mean_losses(path, size)
    if not all(tried.values()):
        return list(first)
    found = set()
    for losses in tried.values():
        best = min(losses, key=losses.__getitem__)
        for side in open_sides(best, [losses]):
            edge, factor = (min(losses), 1 / math.sqrt(2)) if side == "below" else (max(losses), math.sqrt(2))
            found |= {float(f"{edge * factor**n:.2g}") for n in (1, 2)}
    return sorted(found)


def settle(path: Path, size: str) -> None:
    """State the best of the trials of a set-up in the scale file.

    `shared` is where the worse of the two optimizers loses least. A set-up whose best rates are bracketed by
    worse ones is settled; of another, the file says so.
    """
    tried = _mean_losses(path, size)
    best = {kind: min(losses, key=losses.__getitem__) for kind, losses in tried.items()}
    both = set.intersection(*(set(losses) for losses in tried.values()))
    shared = min(
        sorted(both), key=lambda lr: max(losses[lr] - losses[best[kind]] for kind, losses in tried.items())
    )
    fields = read_yaml(path)
    fields["lr"][size] = {**best, "shared": shared}
    unsettled = {name: why for name, why in fields.get("unsettled", {}).items() if name != size}
    if any(open_sides(best[kind], [losses]) for kind, losses in tried.items()):
        unsettled[size] = "a best learning rate lies on the edge of its trials"
    _write(path, {**fields, "unsettled": unsettled})


def trials(path: Path) -> Path:
    """The csv of a scale file's trials, where `ademamix sweep --evidence` puts them."""
    return path.with_name(f"{path.stem}-tuning.csv")


def _mean_losses(path: Path, size: str) -> dict[str, dict[float, float]]:
    """Of each optimizer, learning rate → the mean over seeds."""
    known = rates_tried(trials(path)) if trials(path).exists() else {}
    found: dict[str, dict[float, float]] = {}
    for kind in KINDS:
        by_seed = known.get((size, kind), [])
        rates = {lr for losses in by_seed for lr in losses}
        found[kind] = {lr: fmean(losses[lr] for losses in by_seed if lr in losses) for lr in rates}
    return found


def _write(path: Path, fields: dict[str, object]) -> None:
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=110)
    write_atomically(path, text.encode())
