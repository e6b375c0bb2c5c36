"""The weights that exponential moving averages give to past gradients.

`lag` counts steps back from the newest gradient, whose lag is 0. Weights are those of an average in its
steady state: divide by their sum for one that started t steps ago. Nothing here imports torch.
"""


def ema_weight(beta: float, lag: int) -> float:
    """Of m ← β·m + (1−β)·g: (1−β)·β^lag. Sums to 1."""
    return (1 - beta) * beta**lag


def cumulative_weight(beta: float, lag: float) -> float:
    """Of all gradients up to `lag`: 1 − β^(lag+1), which is one half at the half-life (paper, section 3)."""
    return 1 - beta ** (lag + 1)


def nested_ema_weight(inner: float, outer: float, lag: int) -> float:
    """Of the EMA with β = `outer` of the EMA with β = `inner`, in either order; sums to 1.

    (1−a)(1−b)·(a^(lag+1) − b^(lag+1)) / (a−b), and (1−a)²·(lag+1)·a^lag where a = b.
    """
    a, b = inner, outer
    scale = (1 - a) * (1 - b)
    if a == b:
        return scale * (lag + 1) * a**lag
    return scale * (a ** (lag + 1) - b ** (lag + 1)) / (a - b)


def dema_weight(beta: float, lag: int) -> float:
    """Of the double EMA 2·EMA(g) − EMA(EMA(g)): negative at large lags. Sums to 1."""
    return 2 * ema_weight(beta, lag) - nested_ema_weight(beta, beta, lag)


def admeta_factors(beta1: float) -> tuple[float, float]:
    """(μ, κ) of AdMeta: μ = 25 − 10·(β1 + 1/β1), κ = 10/β1 − 9; (4.89, 2.11) for β1 = 0.9."""
    return 25 - 10 * (beta1 + 1 / beta1), 10 / beta1 - 9


def admeta_weight(beta1: float, beta2: float, lag: int) -> float:
    """Of AdMeta-S: I ← β1·I + g, h = κ·g + μ·I, m ← β2·m + (1−β2)·h. Sums to κ + μ/(1−β1)."""
    mu, kappa = admeta_factors(beta1)
    return kappa * ema_weight(beta2, lag) + mu * nested_ema_weight(beta1, beta2, lag) / (1 - beta1)
