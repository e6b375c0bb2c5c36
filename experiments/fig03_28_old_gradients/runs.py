"""What Figures 3b and 28 share: 1.3B at a constant learning rate, and linear decays that branch off."""

from typing import Any

from ademamix.paper.language import language
from ademamix.paper.runs import ADAMW, ADEMAMIX, PaperRun, run
from ademamix.schedules import Constant, LinearDecay
from experiments.lines import Line

SIZE = "1.3B"
LR = 1e-4
RAMP = 500_000  # T of α and β3
BETA3S = (0.9999, 0.99999)
NAMES = ("AdamW", *(f"AdEMAMix, β3 = {beta3}" for beta3 in BETA3S))


def _constant(optimizer: str, **changes: Any) -> PaperRun:
    schedule = Constant(warmup=language().warmup)
    return run(SIZE, optimizer, RAMP, lr=LR, **changes).changed(schedule=schedule).at_shared_rate()


# Name → the run at a constant rate, which has no end: each figure trains it as far as it needs.
TRUNKS = {
    NAMES[0]: _constant(ADAMW),
    **{name: _constant(ADEMAMIX, beta3=b) for name, b in zip(NAMES[1:], BETA3S, strict=True)},
}


def decayed(trunk: PaperRun, start: int, steps: int) -> PaperRun:
    """`trunk`, with a linear decay of the learning rate to 0 over the `steps` after `start`."""
    return trunk.branch(
        start,
        schedule=LinearDecay(warmup=language().warmup, start=start, end=start + steps),
    )


def decay_name(name: str, start: int, steps: int) -> str:
    thousands = f"{start // 1000:,}k"
    return f"{name}, decay of {steps // 1000}k from {thousands}"


def decay_lines(panel: str, start: int, steps: int) -> list[Line]:
    """The decay from `start` of every constant run."""
    return [
        Line(panel, decay_name(name, start, steps), decayed(trunk, start, steps), start + steps, "few")
        for name, trunk in TRUNKS.items()
    ]
