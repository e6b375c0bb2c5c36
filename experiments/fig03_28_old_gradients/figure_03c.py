"""Figure 3c: AdEMAMix and AdamW on Mamba, without attention (168M)."""

from typing import TYPE_CHECKING

from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from analysis.claims import Claim, Effect, final, ranking
from experiments import lines
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd

NUMBER = 3
PANEL = PANELS = "c"
TITLE = "Mamba (168M)"

SIZE = "mamba-168M"
LENGTHS = (64_000, 128_000)
OPTIMIZERS = {"AdamW": ADAMW, "AdEMAMix": ADEMAMIX}


def name_of(optimizer: str, length: int) -> str:
    return f"{optimizer}, {length // 1000}k"


LINES = [
    Line("c", name_of(name, length), run(SIZE, kind, length), length, seeds="few")
    for length in LENGTHS
    for name, kind in OPTIMIZERS.items()
]


def looks() -> lines.Looks:
    """One colour for each optimizer, the shorter training lighter."""
    from analysis import style

    return {
        name_of(name, length): {"color": style.colour(name), "alpha": alpha}
        for length, alpha in zip(LENGTHS, (0.55, 1.0), strict=True)
        for name in OPTIMIZERS
    }


needs, table, draw = lines.figure(LINES, {"c": "(c) Mamba (168M)"}, looks, columns=2)


def _lower(frame: "pd.DataFrame") -> list[Effect]:
    found = []
    for length in LENGTHS:
        adamw, ademamix = (final(frame, "c", name_of(name, length)) for name in OPTIMIZERS)
        found.append(Effect.of(f"{length // 1000}k steps: AdamW − AdEMAMix", adamw - ademamix))
    return found


CLAIMS = [
    Claim(
        name="lower-without-attention",
        statement="AdEMAMix ends lower than AdamW on Mamba, too, at both lengths.",
        statistic="final validation loss, AdamW − AdEMAMix",
        measure=_lower,
        report=ranking("c", [line.label for line in LINES]),
    ),
]
