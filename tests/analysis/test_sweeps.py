"""Reports of sweeps: the best, how sure it is, its neighbours and edges; drawings of each kind."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from ademamix.store import Store
from ademamix.sweeps import outcomes
from ademamix.sweeps.axes import text
from analysis.stats import t_interval
from analysis.sweep_drawings import curves, heat_map, parallel
from analysis.sweeps import Results, names, write_report
from tests.sweeps import pretend
from tests.sweeps.test_search import GRID, bowl, made


def rows(
    axes: dict[str, list[object]], loss: Callable[..., float], seeds: tuple[int, ...] = (0,)
) -> list[outcomes.Row]:
    """Rows of a grid with a made-up loss of (values…, seed)."""
    found = []
    for number, point in enumerate(itertools.product(*axes.values())):
        for seed in seeds:
            value = loss(*point, seed)
            status = "finished" if math.isfinite(value) else "diverged"
            first = [
                "cpu",
                "110M",
                "adamw",
                "scale",
                str(number),
                str(seed),
                status,
                str(value),
                "4",
                "1",
                "8",
            ]
            settings = {key: text(value) for key, value in zip(axes, point, strict=True)}  # type: ignore[arg-type]
            found.append(dict(zip(outcomes.FIRST, [*first, f"run{number}"], strict=True)) | settings)
    return found


LR = [1e-3, 2e-3, 4e-3, 8e-3]


def test_the_best_its_interval_and_its_neighbours_are_paired_by_seed() -> None:
    noise = {0: 0.0, 1: 0.3, 2: -0.1}
    found = Results(rows({"lr": LR}, lambda lr, seed: abs(math.log2(lr / 2e-3)) + noise[seed], (0, 1, 2)))
    assert found.best is not None
    assert found.best.setting == {"lr": 2e-3}
    assert found.interval(found.best) == t_interval([0.0, 0.3, -0.1])[1]
    below, above = found.neighbours("lr")
    assert (below.setting["lr"], above.setting["lr"]) == (1e-3, 4e-3)
    beyond = found.beyond_best(above)
    assert (beyond.mean, beyond.width) == (pytest.approx(1), pytest.approx(0))
    assert beyond.verdict == "worse"
    assert found.edges() == []


def test_one_seed_has_the_spread_of_the_scale_or_none() -> None:
    table = rows({"lr": LR}, lambda lr, seed: abs(math.log2(lr / 2e-3)) / 100)
    for sigma, verdict, width in (
        (0.01, "not told apart", 0.02),
        (0.001, "worse", 0.002),
        (None, "worse, in one seed", None),
    ):
        found = Results(table, sigma)
        assert found.best is not None
        assert found.interval(found.best) == width
        assert found.beyond_best(found.neighbours("lr")[0]).verdict == verdict


@pytest.mark.parametrize(
    ("axes", "loss", "edges"),
    [
        ({"lr": LR}, lambda lr, seed: lr, [("lr", 1e-3, ("below",))]),
        ({"lr": LR}, lambda lr, seed: -lr, [("lr", 8e-3, ("above",))]),
        ({"lr": LR}, lambda lr, seed: abs(lr - 4e-3), []),
        ({"lr": LR}, lambda lr, seed: math.inf if lr > 4e-3 else -lr, []),  # a divergence is worse
        ({"decay": [0, 0.1]}, lambda decay, seed: decay, []),  # nothing lies below 0
        ({"clip": [1, None]}, lambda clip, seed: -(clip or 9), []),  # nor beyond none
        ({"clip": [1, None]}, lambda clip, seed: clip or 9, [("clip", 1, ("below",))]),
        ({"kind": ["a", "b"]}, lambda kind, seed: len(kind), []),
        (
            {"lr": LR, "alpha": [1, 2, 3]},
            lambda lr, alpha, seed: abs(lr - 2e-3) - alpha,
            [("alpha", 3, ("above",))],
        ),
    ],
)  # fmt: skip
def test_edges(axes: dict, loss: Callable[..., float], edges: list) -> None:  # type: ignore[type-arg]
    found = Results(rows(axes, loss))
    assert [(edge.key, edge.value, edge.sides) for edge in found.edges()] == edges


def test_drawn_values_have_edges_too() -> None:
    drawn = [1e-4 * 1.5**i for i in range(12)]
    assert Results(rows({"lr": drawn}, lambda lr, seed: -lr)).edges(drawn=True)[0].sides == ("above",)
    assert Results(rows({"lr": drawn}, lambda lr, seed: abs(lr - drawn[6]))).edges(drawn=True) == []


def test_a_report_is_written_from_a_store(tmp_path: Path) -> None:
    found, store = made(*GRID[:1], seeds=(0, 1)), Store(tmp_path / "runs")
    pretend.finish(found, store, bowl)
    table = list(outcomes.rows(found, store, found.grid or []))
    report = write_report(found, "what it is", table, tmp_path / "out")
    page = (tmp_path / "out" / "report.md").read_text()
    assert "**Best: `optimizer.alpha=4`**" in page
    assert "what it is" in page
    assert "![curves](curves.png)" in page
    drawn = [path for path in report.paths if path.stem == "curves"]
    assert {path.suffix for path in drawn} == {".png", ".svg", ".pdf"}
    assert all(path.stat().st_size > 5_000 for path in drawn)
    assert report.as_json()["best"] == {"optimizer.alpha": 4}


def test_drawings_show_every_trial() -> None:
    """A cell for each pair of values, a line for each setting; what diverged is marked, or left out."""
    from matplotlib import pyplot as plt

    lost = 1, 8e-3
    table = rows(
        {"a": [1, 2, None], "lr": LR}, lambda a, lr, seed: math.inf if (a, lr) == lost else lr + (a or 0)
    )
    found = Results(table)
    cells = heat_map(found, {"a": "a", "lr": "rate"}).axes[0]
    assert len(cells.texts) == 12
    assert [text.get_text() for text in cells.texts].count("div.") == 1
    assert [label.get_text() for label in cells.get_xticklabels()] == ["1", "2", "null"]
    panels = curves(found, {"a": "a", "lr": "rate"}, "C0").axes
    assert panels[1].get_xscale() == "log"
    assert "diverged" in panels[0].get_legend_handles_labels()[1]
    three = Results(rows({"a": [1, 2], "lr": LR, "b": ["x", "y"]}, lambda a, lr, b, seed: a + lr + len(b)))
    across = parallel(three, {"a": "a", "lr": "rate", "b": "b"}).axes[0]
    assert sum(len(line.get_xdata()) == 3 for line in across.lines) == 16
    plt.close("all")


def test_rows_are_tidy(tmp_path: Path) -> None:
    """A row for each setting and seed: as asked, with every value of the run, its loss, steps and cost."""
    found, store = (
        made("optimizer.alpha=1,8", "optimizer.lr=4e-3", units="paper", seeds=(0, 1)),
        Store(tmp_path),
    )
    pretend.finish(found, store, lambda spec, step: 1.5)
    path = tmp_path / "trials.csv"
    outcomes.write_rows(list(outcomes.rows(found, store, found.grid or [])), path)
    table = outcomes.read_rows(path)
    assert [(row["optimizer.alpha"], row["seed"]) for row in table] == [
        ("1", "0"),
        ("1", "1"),
        ("8", "0"),
        ("8", "1"),
    ]
    spec = found.spec((8, 4e-3), 1)
    last = table[-1]
    assert last["run"] == spec.id
    assert last["optimizer.lr"] == "0.004"
    assert float(last["run.optimizer.lr"]) == spec.optimizer.lr
    assert last["run.clipping"] == "0.5"
    assert (last["units"], last["status"], last["loss"], last["steps"]) == ("paper", "finished", "1.5", "64")
    assert float(last["flops"]) == pytest.approx(64 * spec.flops_per_step, rel=1e-5)
    assert float(last["seconds"]) == 1


def test_what_the_store_has_lost_stays_known(tmp_path: Path) -> None:
    found = made("optimizer.alpha=1,8")
    pretend.finish(found, Store(tmp_path / "here"), lambda spec, step: 1.5)
    before = list(outcomes.rows(found, Store(tmp_path / "here"), found.grid or []))
    now = list(outcomes.rows(found, Store(tmp_path / "elsewhere"), found.grid or []))
    assert {row["status"] for row in now} == {"new"}
    assert outcomes.merged(before, now) == before
    assert outcomes.merged(now, before) == before


def test_a_sweep_without_results_says_so(tmp_path: Path) -> None:
    found = made("optimizer.alpha=1,8")
    table = list(outcomes.rows(found, Store(tmp_path), found.grid or []))
    report = write_report(found, "", table, tmp_path / "out")
    assert "Nothing to compare yet" in "\n".join(report.lines)
    assert report.as_json()["best"] is None


def test_keys_are_called_as_in_figures() -> None:
    from ademamix.optimizers import AdEMAMixConfig

    called = names(["optimizer.alpha", "optimizer.lr", "batch"], AdEMAMixConfig)
    assert list(called.values()) == ["α", "learning rate", "batch"]
