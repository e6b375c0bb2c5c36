"""A run in a few words, for people; and several runs, by what differs between them."""

from collections.abc import Mapping, Sequence
from typing import Any

from ademamix.spec import RunSpec
from ademamix.values import Frozen, Symbol, marks


def describe(spec: RunSpec) -> str:
    """Optimizer with its main values, schedule, fork, model, learning rate, seed."""
    o = spec.optimizer
    symbols = marks(type(o), Symbol)
    words = [o.TITLE]
    words += [f"{symbol.text} {getattr(o, name):.6g}" for name, symbol in symbols.items() if symbol.brief]
    words.append(spec.schedule.brief)
    if spec.fork:
        words.append(_fork(spec))
    words += [spec.model.brief, f"lr {o.lr:g}", f"seed {spec.seed}"]
    return ", ".join(words)


def describe_all(specs: Sequence[RunSpec], sizes: Sequence[str] = ()) -> tuple[str, list[str]]:
    """What the runs have in common, in a line, and what tells each of them from the others.

    `sizes`: the paper's names of their models, '' where there is none.
    """
    every = [_parts(spec, size) for spec, size in zip(specs, sizes or [""] * len(specs), strict=True)]
    keys = {key for parts in every for key in parts}
    varying = {key for key in keys if len({parts[key] for parts in every if key in parts}) > 1} | {
        "optimizer"
    }
    varying |= {
        f"optimizer.{name}" for spec in specs for name, s in _symbols(spec.optimizer).items() if s.brief
    }
    varying |= {"fork"}
    common = [every[0][key] for key in every[0] if key not in varying and key in MAIN] if every else []
    each = [", ".join(text for key, text in parts.items() if key in varying) for parts in every]
    return ", ".join(text for text in common if text), each


MAIN = ("schedule", "model", "batch", "optimizer.lr", "seed", "data")


def _parts(spec: RunSpec, size: str) -> dict[str, str]:
    """Key → how it is said, of all that a run states; first what people look for."""
    found = {"optimizer": spec.optimizer.TITLE}
    found |= _fields(spec.optimizer, "optimizer", horizon=getattr(spec.schedule, "horizon", None))
    found["schedule"] = spec.schedule.brief
    found |= _fields(spec.schedule, "schedule", but=("horizon", "start", "end"))
    if spec.fork:
        found["fork"] = _fork(spec)
        found["trunk"] = f"of {spec.fork.parent.id}"
    found["model"] = f"{spec.model.brief} ({size})" if size else spec.model.brief
    found |= _fields(spec.model, "model", but=("width",))
    found["data"] = str(spec.data.tag())
    found |= _fields(spec, "", but=("fork",))
    return found


def _symbols(value: Frozen) -> Mapping[str, Symbol]:
    return marks(type(value), Symbol)


def _fields(value: Frozen, place: str, but: Sequence[str] = (), horizon: int | None = None) -> dict[str, str]:
    """The plain fields of a part of a spec, 'optimizer.alpha' → 'α 8'; one over the `horizon` is 'T'."""
    symbols = _symbols(value)
    found = {}
    for name in type(value).model_fields:
        field = getattr(value, name)
        if name in ("kind", "task", *but) or isinstance(field, Frozen | dict):
            continue
        called = symbols[name].text if name in symbols else name
        found[f"{place}.{name}" if place else name] = (
            f"{called} {'T' if horizon and field == horizon else _value(field)}"
        )
    return found


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return (
        f"{value:.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )


def _fork(spec: RunSpec) -> str:
    assert spec.fork is not None
    batch = "" if spec.fork.inject is None else f" with batch {spec.fork.inject}"
    return f"from {spec.fork.step:,}{batch}"
