"""What Figures 5 and 26 share: AdamW runs that go on with AdEMAMix from some step on."""

from ademamix.paper.runs import ADEMAMIX, PaperRun

SIZE = "110M"
LENGTH = 500_000  # steps, 33B tokens


def switched(trunk: PaperRun, step: int, alpha: float, warmup: int | None = None) -> PaperRun:
    """`trunk` with AdEMAMix from `step` on, at the trunk's learning rate; warm-ups count from there."""
    return trunk.branch(step, to=ADEMAMIX, alpha=alpha, alpha_warmup=warmup, beta3_warmup=warmup)
