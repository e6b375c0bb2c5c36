"""What the paper names of its set-ups (appendix B), counted: parameters, tokens, epochs."""

import re
from collections.abc import Mapping

from ademamix.paper.runs import ADAMW, run
from ademamix.paper.setups import PAPER_HORIZON
from analysis.claims import Claim, Exact
from experiments.setup_tables.cells import counted

PREFIXES = {"M": 1e6, "B": 1e9}
CLOSE = 0.03  # a size is called by its parameters when it has so many, within this share


def called(name: str) -> float:
    """The parameters that a size is called by: 110e6 of '110M'."""
    digits, prefix = re.fullmatch(r"([\d.]+)([MB])", name).groups()  # type: ignore[union-attr]
    return float(digits) * PREFIXES[prefix]


def parameters(*sizes: str) -> Claim:
    """That language models have as many parameters as their names say."""

    def measure(_: object) -> list[Exact]:
        found = {size: counted(run(size, ADAMW, PAPER_HORIZON).spec.model) for size in sizes}
        return [
            Exact(
                f"{size}: {CLOSE:.0%} minus how far {count:,} is from its name",
                CLOSE - abs(count / called(size) - 1),
            )
            for size, count in found.items()
        ]

    return Claim(
        name="parameters-as-named",
        statement="The models have as many parameters as their names say.",
        statistic=f"parameters counted, embeddings tied; within {CLOSE:.0%}",
        measure=measure,
    )


def tokens(size: str, billions: Mapping[int, int]) -> Claim:
    """That trainings see as many tokens as the paper says; `billions`: steps → tokens, as it names them."""

    def measure(_: object) -> list[Exact]:
        spec = run(size, ADAMW, PAPER_HORIZON).spec
        seen = {steps: steps * spec.units_per_step / 1e9 for steps in billions}
        return [
            Exact(
                f"{steps:,} steps: ½ minus how far {seen[steps]:.1f} billion is from {named}",
                0.5 - abs(seen[steps] - named),
            )
            for steps, named in billions.items()
        ]

    return Claim(
        name="tokens-as-named",
        statement="Its trainings see "
        + ", ".join(f"{b}B ({_short(s)} steps)" for s, b in billions.items())
        + " tokens.",
        statistic="steps × batch × sequence, rounded to billions",
        measure=measure,
    )


def _short(steps: int) -> str:
    return f"{steps / 1e6:g}M" if steps >= 1_000_000 else f"{steps // 1000}k"
