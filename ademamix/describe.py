"""A run in a few words, for people."""

from ademamix.spec import RunSpec
from ademamix.values import Symbol, marks


def describe(spec: RunSpec) -> str:
    """Optimizer with its main values, schedule, fork, model, learning rate, seed."""
    o = spec.optimizer
    symbols = marks(type(o), Symbol)
    words = [o.TITLE]
    words += [f"{symbol.text} {getattr(o, name):.6g}" for name, symbol in symbols.items() if symbol.brief]
    words.append(spec.schedule.brief)
    if spec.fork:
        batch = "" if spec.fork.inject is None else f" with batch {spec.fork.inject}"
        words.append(f"from {spec.fork.step:,}{batch}")
    words += [spec.model.brief, f"lr {o.lr:g}", f"seed {spec.seed}"]
    return ", ".join(words)
