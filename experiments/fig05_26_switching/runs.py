"""What Figures 5 and 26 share: AdamW runs that go on with AdEMAMix from some step on."""

from ademamix.settings import ADEMAMIX, run
from ademamix.spec import RunSpec

SIZE = "110M"
LENGTH = 500_000  # steps, 33B tokens


def switched(trunk: RunSpec, size: str, step: int, alpha: float, warmup: int | None = None) -> RunSpec:
    """`trunk` with AdEMAMix from `step` on, at the trunk's learning rate; warm-ups count from there."""
    optimizer = run(
        size, ADEMAMIX, LENGTH, lr=trunk.optimizer.lr, alpha=alpha, alpha_warmup=warmup, beta3_warmup=warmup
    ).optimizer
    return trunk.branch(step, optimizer=optimizer)
