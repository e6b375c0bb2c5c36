"""Figure 13: sensitivity to the warm-ups of α and β3."""

from itertools import pairwise
from typing import TYPE_CHECKING

from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from analysis.claims import SAME, Claim, Effect, final, lower, ranking
from analysis.curves import thousands
from experiments import lines
from experiments.lines import Line

if TYPE_CHECKING:
    import pandas as pd

NUMBER = 13
TITLE = "Sensitivity of AdEMAMix to the warm-ups of α and β3 (110M)"

PANELS = "ab"
SIZE = "110M"
HORIZON = 256_000
ALPHA = 10
BOTH = (10_000, 30_000, 50_000, 70_000, 90_000, 128_000)  # panel a: T_α = T_β3
ALPHA_WARMUPS = (0, 10_000, 50_000, 70_000, 256_000)  # panel b, with T_β3 = 256k


def both_name(warmup: int) -> str:
    return f"T = {warmup // 1000}k"


def alpha_name(warmup: int) -> str:
    return f"T_α = {warmup // 1000}k" if warmup else "T_α = 0"


def _line(panel: str, label: str, alpha_warmup: int, beta3_warmup: int) -> Line:
    paper = run(
        SIZE, ADEMAMIX, HORIZON, alpha=ALPHA, alpha_warmup=alpha_warmup or None, beta3_warmup=beta3_warmup
    )
    swept = {"T" if panel == "a" else "T_α": thousands(alpha_warmup)}
    return Line(panel, label, paper, HORIZON, "headline", swept=swept)


LINES = [
    Line("a", "AdamW", run(SIZE, ADAMW, HORIZON), HORIZON, "headline"),
    *(_line("a", both_name(warmup), warmup, warmup) for warmup in BOTH),
    Line("b", "AdamW", run(SIZE, ADAMW, HORIZON), HORIZON, "headline"),
    *(_line("b", alpha_name(warmup), warmup, HORIZON) for warmup in ALPHA_WARMUPS),
]
TITLES = {"a": "(a) T = T_α = T_β3 varies", "b": "(b) T_β3 = 256k, T_α varies"}


needs, table, draw = lines.figure(LINES, TITLES)


def _no_worse_when_longer(frame: "pd.DataFrame") -> list[Effect]:
    ends = {warmup: final(frame, "a", both_name(warmup)) for warmup in BOTH}
    return [
        Effect.of(f"{both_name(a)} − {both_name(b)} + {SAME}", ends[a] - ends[b] + SAME)
        for a, b in pairwise(BOTH[1:])
    ]


CLAIMS = [
    Claim(
        name="short-warmups-worse",
        statement="Too short a warm-up of α and β3 diverges or ends worse.",
        statistic="final validation loss, T = 10k − T = 128k; a run that diverges is infinitely bad",
        measure=lower("a", both_name(128_000), both_name(10_000)),
        report=ranking("a", ["AdamW", *map(both_name, BOTH)]),
    ),
    Claim(
        name="warmups-in-between",
        statement="The warm-ups in between end no worse the longer they are.",
        statistic=f"final validation loss of each T − that of the next longer one, plus {SAME} nats",
        measure=_no_worse_when_longer,
    ),
    Claim(
        name="alpha-warmup-needed",
        statement="T_α must be large enough: without a warm-up of α, training diverges or ends worse.",
        statistic="final validation loss, T_α = 0 − T_α = 256k; a run that diverges is infinitely bad",
        measure=lower("b", alpha_name(256_000), alpha_name(0)),
        report=ranking("b", ["AdamW", *map(alpha_name, ALPHA_WARMUPS)]),
    ),
]
