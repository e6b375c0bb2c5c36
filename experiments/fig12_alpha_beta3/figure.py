"""Figure 12: sensitivity to α and to β3."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from analysis.claims import Claim, Effect, at, beats, final, in_order, lower, lowest, ranking
from experiments import lines
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd


NUMBER = 12
TITLE = "Sensitivity of AdEMAMix to α and β3 (110M)"

PANELS = "ab"
SIZE = "110M"
HORIZON = 256_000
ALPHAS = (2, 6, 10, 15, 20, 30, 40)  # panel a, with β3 = 0.9999
BETA3S = (0.99, 0.999, 0.9999, 0.99999, 0.999995)  # panel b
ALPHA_OF_B = 8


def alpha_name(alpha: float) -> str:
    return f"α = {alpha}"


def beta3_name(beta3: float) -> str:
    return f"β3 = {beta3}"


def _line(panel: str, label: str, swept: Mapping[str, str], **changes: float) -> Line:
    return Line(panel, label, run(SIZE, ADEMAMIX, HORIZON, **changes), HORIZON, swept=swept)


LINES = [
    Line("a", "AdamW", run(SIZE, ADAMW, HORIZON), HORIZON),
    *(_line("a", alpha_name(alpha), {"α": str(alpha)}, alpha=alpha, beta3=0.9999) for alpha in ALPHAS),
    Line("b", "AdamW", run(SIZE, ADAMW, HORIZON), HORIZON),
    *(_line("b", beta3_name(b), {"β3": str(b)}, alpha=ALPHA_OF_B, beta3=b) for b in BETA3S),
]


TITLES = {"a": "(a) β3 = 0.9999, α varies", "b": f"(b) α = {ALPHA_OF_B}, β3 varies"}
needs, table, draw = lines.figure(LINES, TITLES)


def _falls_faster(frame: "pd.DataFrame") -> list[Effect]:
    """Large against small α, after an eighth of the training and at its end."""
    small, large = alpha_name(2), alpha_name(40)
    ten = alpha_name(10)
    return [
        Effect.of(
            "after an eighth: α = 2 − α = 40", at(frame, "a", small, 1 / 8) - at(frame, "a", large, 1 / 8)
        ),
        Effect.of("at the end: α = 40 − α = 10", final(frame, "a", large) - final(frame, "a", ten)),
        *in_order("a", [alpha_name(alpha) for alpha in ALPHAS if alpha >= 20])(frame),
    ]


CLAIMS = [
    Claim(
        name="alpha-wide-range",
        statement="A wide range of α (2 to 20) beats AdamW.",
        statistic="final validation loss, AdamW − AdEMAMix, for each α",
        measure=beats("a", "AdamW", [alpha_name(a) for a in ALPHAS if a <= 20]),
        report=ranking("a", ["AdamW", *map(alpha_name, ALPHAS)]),
    ),
    Claim(
        name="alpha-best-near-10",
        statement="The best α is about 10: α = 10 ends lower than the smallest and the largest.",
        statistic="final validation loss of α = 2 and of α = 40, minus that of α = 10",
        measure=lower("a", alpha_name(10), [alpha_name(2), alpha_name(40)]),
        number=("best α ≈ 10", lowest("a", {alpha_name(alpha): str(alpha) for alpha in ALPHAS})),
    ),
    Claim(
        name="large-alpha-early",
        statement="A larger α falls faster early and ends worse.",
        statistic="loss of α = 2 − α = 40 after an eighth of the training; of α = 40 − α = 10 at its end, "
        "and of 30 − 20 and 40 − 30",
        measure=_falls_faster,
    ),
    Claim(
        name="beta3-beat-adamw",
        statement="Every β3 up to 0.99999 beats AdamW.",
        statistic="final validation loss, AdamW − AdEMAMix, for each β3",
        measure=beats("b", "AdamW", [beta3_name(b) for b in BETA3S[:-1]]),
        report=ranking("b", ["AdamW", *map(beta3_name, BETA3S)]),
    ),
    Claim(
        name="largest-beta3-loses",
        statement="The largest β3, 0.999995, does not beat AdamW.",
        statistic="final validation loss, β3 = 0.999995 − AdamW",
        measure=lower("b", "AdamW", beta3_name(BETA3S[-1])),
    ),
    Claim(
        name="largest-beta3-worse-again",
        statement="β3 can be too large: 0.999995 ends worse than 0.9999.",
        statistic="final validation loss, β3 = 0.999995 − β3 = 0.9999",
        measure=lower("b", beta3_name(0.9999), beta3_name(BETA3S[-1])),
    ),
    Claim(
        name="beta3-best",
        statement="The best β3 is 0.9999.",
        statistic="final validation loss of every other β3, minus that of 0.9999",
        measure=lower("b", beta3_name(0.9999), [beta3_name(b) for b in BETA3S if b != 0.9999]),
        tuned=True,
        number=("best β3 0.9999", lowest("b", {beta3_name(beta3): str(beta3) for beta3 in BETA3S})),
    ),
]
