"""What Figures 23 and 25 share: the schedules of the paper's 110M run, with either form of α.

The forms: m1 + α·m2 (the paper's), and (1 − α)·m1 + α·m2 with α in [0, 1] (convex).
"""

from ademamix.optim.schedules import alpha_at, cosine_lr
from ademamix.settings import ADEMAMIX, run
from ademamix.spec import Cosine

T = 256_000
ALPHA, CONVEX_ALPHA = 8.0, 0.9
SHOWN_EVERY = 1_000
STEPS = range(SHOWN_EVERY, T + 1, SHOWN_EVERY)


def lr(t: int) -> float:
    """η(t): warm-up to 1e-3, then cosine."""
    paper = run("110M", ADEMAMIX, T)
    schedule = paper.schedule
    assert isinstance(schedule, Cosine)
    return cosine_lr(t, paper.optimizer.lr, schedule.warmup, schedule.horizon, schedule.final_lr)


def alpha(t: int) -> float:
    """α(t) of the paper's form: linear to 8."""
    return alpha_at(t, ALPHA, T)


def linear_convex_alpha(t: int) -> float:
    """α(t) of the convex form with the same kind of ramp: linear to 0.9."""
    return alpha_at(t, CONVEX_ALPHA, T)
