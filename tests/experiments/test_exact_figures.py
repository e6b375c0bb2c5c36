"""The numbers of the exact figures, from formulas and recursions written again here."""

import math
from collections import defaultdict
from pathlib import Path

import pandas as pd
import pytest

from ademamix.checkout import checkout
from analysis.results import Results
from analysis.tables import read_table
from experiments.fig18_wrong_direction import figure as fig18
from experiments.registry import figures

Lines = dict[tuple[str, str], dict[float, float]]
COMMITTED = checkout() / "figures" / "exact"


def lines_of(frame: pd.DataFrame) -> Lines:
    """(panel, series) → x → y."""
    found: Lines = defaultdict(dict)
    for row in frame.itertuples():
        found[row.panel, row.series][row.x] = row.y
    return found


def computed(name: str) -> Lines:
    return lines_of(figures()[name].module.table(Results(None, None)))  # type: ignore[arg-type]


def test_figure_3a() -> None:
    lines = computed("3a")
    assert len(lines) == 4
    assert lines["a", "β = 0.9"][10_000] == pytest.approx(0.1)
    assert lines["a", "β = 0.99"][9_900] == pytest.approx(0.01 * 0.99**100)
    assert lines["a", "β = 0.999"][5_000] == pytest.approx(6.7208e-06, rel=1e-4)
    assert lines["a", "β = 0.9999"][10] == pytest.approx(3.6826e-05, rel=1e-4)


def test_figure_7() -> None:
    lines = computed("7")
    assert all(list(line) == pytest.approx([i / 1000 for i in range(1001)]) for line in lines.values())
    for end in (0.999, 0.9999):
        ramp = lines["", f"linear in the half-life, to {end}"]
        steps = {beta: math.log(0.5) / math.log(beta) for beta in (0.9, end)}  # half-life + 1
        for mu in (0.0, 0.001, 0.25, 0.5, 1.0):
            assert ramp[mu] == pytest.approx(
                0.5 ** (1 / ((1 - mu) * steps[0.9] + mu * steps[end])), abs=1e-12
            )
        assert lines["", f"linear in β3, to {end}"][0.5] == pytest.approx((0.9 + end) / 2)


def plain_adam(start: tuple[float, float], past: tuple[float, float], lr: float) -> list[float]:
    """Adam with β1 = β2 = 0.999 from the given momentum, bias corrections over: the last point."""
    x, m = list(start), list(past)
    nu = [g * g for g in fig18.gradient(*start)]
    for _ in range(2_000):
        g = fig18.gradient(*x)
        for i in (0, 1):
            m[i] = 0.999 * m[i] + 0.001 * g[i]
            nu[i] = 0.999 * nu[i] + 0.001 * g[i] ** 2
            x[i] -= lr * m[i] / (math.sqrt(nu[i]) + 1e-8)
    return x


def plain_ademamix(start: tuple[float, float], past: tuple[float, float], lr: float) -> list[float]:
    x, m1, m2 = list(start), list(past), list(past)
    nu = [g * g for g in fig18.gradient(*start)]
    for _ in range(2_000):
        g = fig18.gradient(*x)
        for i in (0, 1):
            m1[i] = 0.9 * m1[i] + 0.1 * g[i]
            m2[i] = 0.999 * m2[i] + 0.001 * g[i]
            nu[i] = 0.999 * nu[i] + 0.001 * g[i] ** 2
            x[i] -= lr * (m1[i] + 9 * m2[i]) / (math.sqrt(nu[i]) + 1e-8)
    return x


@pytest.mark.parametrize(("panel", "past"), [("a", (-3.0, 0.0)), ("b", (-0.8, -3.0))])
@pytest.mark.parametrize("start", [(0.3, 1.5), (0.3, -1.5)])
def test_figure_18(panel: str, past: tuple[float, float], start: tuple[float, float]) -> None:
    """Where the trajectories end, from loops over plain numbers."""
    frame = read_table(COMMITTED / "figure-18.csv")
    assert fig18.adam_learning_rate() == 0.1
    for name, expected in (
        ("Adam", plain_adam(start, past, 0.1)),
        ("AdEMAMix", plain_ademamix(start, past, 0.01)),
    ):
        line = frame[(frame["panel"] == panel) & (frame["series"] == f"{name} from ({start[0]}, {start[1]})")]
        assert line[["x", "y"]].iloc[-1].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-4)
        assert len(line) == 401


def test_gradient_of_figure_18() -> None:
    x, y, h = 0.37, 1.3, 1e-6
    numeric = (
        (fig18.height(x + h, y) - fig18.height(x - h, y)) / (2 * h),
        (fig18.height(x, y + h) - fig18.height(x, y - h)) / (2 * h),
    )
    assert fig18.gradient(x, y) == pytest.approx(numeric, rel=1e-6)
    assert fig18.gradient(*fig18.MINIMUM) == (0, 0)


def eta(t: int) -> float:
    if t <= 3_000:
        return 1e-3 * t / 3_000
    return 1e-5 + 0.5 * (1e-3 - 1e-5) * (1 + math.cos(math.pi * (t - 3_000) / 253_000))


def test_figures_23_and_25() -> None:
    weights, schedules = computed("23"), computed("25")
    for lines in (weights, schedules):
        assert all(list(line) == list(range(1_000, 256_001, 1_000)) for line in lines.values())
    for t in (1_000, 3_000, 64_000, 129_000, 256_000):
        eight, nine = 8 * t / 256_000, 0.9 * t / 256_000
        assert weights["a", "weight of m1"][t] == pytest.approx(eta(t))
        assert weights["a", "weight of m2"][t] == pytest.approx(eta(t) * eight)
        assert weights["b", "weight of m1"][t] == pytest.approx(eta(t) * (1 - nine))
        assert weights["b", "weight of m2"][t] == pytest.approx(eta(t) * nine)
        assert schedules["a", "η"][t] == pytest.approx(eta(t))
        assert schedules["a", "η̂ = η·(1 + α)"][t] == pytest.approx(eta(t) * (1 + eight))
        assert schedules["b", "α"][t] == pytest.approx(eight)
        assert schedules["b", "α̂ = α / (1 + α)"][t] == pytest.approx(eight / (1 + eight))


def test_figure_31() -> None:
    lines = computed("31")
    nested = lines["a", "nested EMAs, β = 0.9 and 0.4"]
    assert lines["b", "nested EMAs, β = 0.9 and 0.4"] == nested
    assert nested[200] == pytest.approx(0.1 * 0.6)
    assert nested[199] == pytest.approx(0.1 * 0.6 * (0.9 + 0.4))
    assert lines["a", "sum of two EMAs, β = 0.9 and 0.999"][100] == pytest.approx(
        0.1 * 0.9**100 + 0.001 * 0.999**100
    )
    # AdMeta-S gives the newest gradient 0.6·(κ + μ) = 0.6·7 of κ + 10·μ = 51.
    assert lines["a", "AdMeta-S, scaled to sum 1"][200] == pytest.approx(0.6 * 7 / 51)


def test_figures_are_typeset_for_print() -> None:
    """Column widths of the paper, TrueType fonts embedded, nothing as outlines."""
    pdfs = sorted((checkout() / "figures").glob("*/figure-*.pdf"))
    assert pdfs
    for path in map(Path, pdfs):
        pdf = path.read_bytes()
        assert b"/FontFile2" in pdf, path  # an embedded TrueType font, Type 42
        assert b"/Type3" not in pdf, path
        width = float(pdf.split(b"/MediaBox [")[1].split()[2])
        assert width in (6.75 * 72, 3.25 * 72), path
