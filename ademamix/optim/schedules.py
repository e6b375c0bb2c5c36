"""Half-lives, and the schedules of α and β3 as pure functions of the step.

Steps count from 1: the value at t is the one that update t uses. Nothing here imports torch.
"""

import math


def half_life(beta: float) -> float:
    """Lag, in steps, at which the cumulative weight of an EMA reaches one half (paper, section 3).

    `ln 0.5 / ln β − 1`: about 5.6 for β = 0.9 and 6,930 for β = 0.9999. Defined for 0 < β < 1.
    """
    return math.log(0.5) / math.log(beta) - 1


def beta_of_half_life(steps: float) -> float:
    """The β whose `half_life` is `steps` (> −1): the inverse, `0.5^(1/(steps+1))`."""
    return 0.5 ** (1 / (steps + 1))


def alpha_at(t: int, alpha: float, warmup: int | None) -> float:
    """α(t) = min(α·t/T_α, α); α itself from step 1 when there is no warm-up (`None`)."""
    if warmup is None or t >= warmup:
        return alpha
    return alpha * t / warmup


def beta3_at(t: int, beta3: float, beta_start: float, warmup: int | None) -> float:
    """β3(t): its half-life grows linearly from that of `beta_start` to that of `beta3`.

    With μ = t/T_β3,

        β3(t) = min( exp( ln β_start · ln β3 / ((1−μ)·ln β3 + μ·ln β_start) ), β3 ).

    From t = T_β3 on it is exactly β3. With β_start = 0 (β1 = 0), where ln β_start is undefined, it is
    the limit of the formula, β3^(1/μ). Without a warm-up (`None`) it is β3 from step 1.
    """
    if warmup is None or t >= warmup:
        return beta3
    if beta3 == 0:
        return 0.0
    mu = t / warmup
    log_end = math.log(beta3)
    if beta_start == 0:
        return math.exp(log_end / mu)
    log_start = math.log(beta_start)
    return min(math.exp(log_start * log_end / ((1 - mu) * log_end + mu * log_start)), beta3)


def convex_form(lr: float, alpha: float) -> tuple[float, float]:
    """(η̂, α̂) with which η̂·((1−α̂)·m1 + α̂·m2) equals η·(m1 + α·m2): η·(1+α) and α/(1+α)."""
    return lr * (1 + alpha), alpha / (1 + alpha)


def convex_weights(lr: float, alpha: float, weight_decay: float) -> tuple[float, float, float]:
    """(η, α, λ) with which η·(m1 + α·m2 + λθ) equals the convex form's η̂·((1−α̂)·m1 + α̂·m2 + λ̂θ).

    The inverse of `convex_form`; defined for α̂ < 1.
    """
    return lr * (1 - alpha), alpha / (1 - alpha), weight_decay / (1 - alpha)
