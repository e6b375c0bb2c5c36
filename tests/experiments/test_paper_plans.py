"""The plans of the sweeps at `paper`: runs, steps, batches and values of the paper, typed in."""

from pathlib import Path
from typing import Any

import pytest

from ademamix.checkout import checkout
from ademamix.cli.report import plan_json
from ademamix.plan import entries, unite
from ademamix.quantities import BatchLoss, Displacement
from ademamix.scale import scale
from ademamix.store import Store
from analysis.artifacts import needs
from analysis.tables import read_table
from experiments import registry
from experiments.fig32_lion.figure import best_at, label

Run = dict[str, Any]
SMALL, LARGE = 768, 2048  # widths of 110M and 1.3B


def runs(*figures: str) -> list[Run]:
    chosen = [found for name in figures for found in registry.named(name)]
    wanted = unite(needs(chosen, scale("paper")))
    return plan_json(entries(wanted, wanted, Store(Path("/nonexistent"))), scale("paper"))["runs"]


def ademamix(found: list[Run]) -> list[dict[str, Any]]:
    return [run["optimizer"] for run in found if run["optimizer"]["kind"] == "ademamix"]


def baselines(found: list[Run]) -> list[Run]:
    return [run for run in found if run["optimizer"]["kind"] == "adamw"]


def common(found: list[Run], width: int, steps: int, batch: int) -> None:
    for run in found:
        assert (run["model"]["width"], run["steps"], run["batch"]) == (width, steps, batch)
        assert run["tokens"] == steps * batch * 1024
        assert run["schedule"] == {"kind": "cosine", "warmup": 3000, "horizon": steps}
        assert run["fork_step"] is None


def test_figure_3c() -> None:
    """Appendix B.2."""
    found = runs("3c")
    assert len(found) == 4
    for run in found:
        assert run["model"] == {"kind": "mamba", "width": 768, "layers": 24, "vocabulary": 50_280}
        assert run["parameters"] == 167_750_400
        assert (run["batch"], run["sequence"]) == (120, 1024)
        assert run["schedule"] == {"kind": "cosine", "warmup": 3000, "horizon": run["steps"]}
        assert (run["optimizer"]["lr"], run["optimizer"]["weight_decay"]) == (6e-4, 0.1)
    assert sorted(run["steps"] for run in found) == [64_000, 64_000, 128_000, 128_000]
    assert sorted(round(run["tokens"] / 1e9) for run in found) == [8, 8, 16, 16]
    for run in found:
        if run["optimizer"]["kind"] == "ademamix":
            slow = {"alpha": 8.0, "beta3": 0.9999, "alpha_warmup": run["steps"], "beta3_warmup": run["steps"]}
            assert slow.items() <= run["optimizer"].items()
    specs = [need.run for figure in registry.named("3c") for need in figure.needs(scale("paper"))]
    assert {(spec.data.set, spec.data.tokenizer, spec.clipping) for spec in specs} == {
        ("fineweb", "gpt-neox", 1.0)
    }


def test_figure_13() -> None:
    found = runs("13")
    common(found, SMALL, 256_000, 64)
    assert [o["alpha"] for o in ademamix(found)] == [10.0] * 11
    warmups = {(o.get("alpha_warmup"), o["beta3_warmup"]) for o in ademamix(found)}
    both = {(t, t) for t in (10_000, 30_000, 50_000, 70_000, 90_000, 128_000)}
    assert warmups == both | {(t, 256_000) for t in (None, 10_000, 50_000, 70_000, 256_000)}
    assert len(baselines(found)) == 1


def test_figure_14() -> None:
    small, large = runs("14a"), runs("14b")
    common(small, SMALL, 256_000, 64)
    common(large, LARGE, 256_000, 128)
    values = lambda found: {(o["alpha"], o.get("alpha_warmup")) for o in ademamix(found)}  # noqa: E731
    assert values(small) == {(a, t) for a in (2, 6) for t in (None, 256_000)}
    assert values(large) == {(1, None), (3, None), (5, None), (5, 256_000)}
    assert {o["beta3_warmup"] for o in ademamix(small + large)} == {256_000}
    assert (len(baselines(small)), len(baselines(large))) == (1, 0)


def test_figure_15() -> None:
    first, second = runs("15a"), runs("15b")
    common(first + second, SMALL, 256_000, 64)
    pairs = {
        (json_clip(run), run["optimizer"]["alpha"]) for run in first if run["optimizer"]["kind"] == "ademamix"
    }
    assert pairs == {(clip, alpha) for clip in (0.1, 1, 5) for alpha in (8, 2)}
    assert {o.get("beta1", 0.9) for o in ademamix(second)} == {0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99}
    assert {o["alpha"] for o in ademamix(second)} == {10}


def json_clip(run: Run) -> float:
    """Clipping is of the run, not of the optimizer: looked up by the run's id."""
    needs = [need for f in registry.named("15") for need in f.needs(scale("paper"))]
    return next(need.run.clipping for need in needs if need.run.id == run["id"])  # type: ignore[return-value]


@pytest.mark.parametrize(("figure", "count"), [("16", 8), ("17", 12)])
def test_figures_16_and_17(figure: str, count: int) -> None:
    found = runs(figure)
    assert len(found) == count
    for run in found:
        assert run["batch"] == {256_000: 64, 128_000: 128, 64_000: 256, 32_000: 512}[run["steps"]]
        assert run["schedule"] == {"kind": "cosine", "warmup": 3000, "horizon": run["steps"]}
        if run["optimizer"]["kind"] == "ademamix":
            assert run["optimizer"]["alpha_warmup"] == run["optimizer"]["beta3_warmup"] == run["steps"]
    assert {run["tokens"] for run in found} == {256_000 * 64 * 1024}
    assert {o["beta3"] for o in ademamix(found)} == ({0.9999} if figure == "16" else {0.9999, 0.999})


def test_figure_19() -> None:
    first, second = runs("19a"), runs("19b")
    common(first + second, SMALL, 256_000, 64)
    assert {run["optimizer"].get("beta1", 0.9) for run in first} == {0.9, 0.99, 0.999, 0.9999, 0.99999}
    assert not any("beta1_warmup" in run["optimizer"] for run in first)
    ramped = [run["optimizer"] for run in second if "beta1_warmup" in run["optimizer"]]
    betas = {(o["beta1"], o.get("beta2", 0.999)) for o in ramped}
    assert betas == {(b, 0.999) for b in (0.99, 0.999, 0.9999, 0.99995, 0.99999)} | {(0.99999, 0.9999)}
    assert {o["beta1_warmup"] for o in ramped} == {256_000}
    assert len(second) == 7


def test_figure_21() -> None:
    found = runs("21")
    values = {(run["batch"], run["optimizer"].get("beta1", 0.9)) for run in found}
    assert values == {(batch, beta1) for batch in (4, 8, 16, 32, 64, 128) for beta1 in (0, 0.9)}
    assert {run["steps"] for run in found} == {256_000}


def test_figure_22() -> None:
    found = runs("22")
    common(found, LARGE, 770_000, 128)
    assert sorted(o.get("beta1", 0.9) for o in ademamix(found)) == [0, 0.9]
    assert len(baselines(found)) == 1
    assert {round(run["tokens"] / 1e9) for run in found} == {101}


def test_figure_27() -> None:
    found = runs("27")
    common(found, SMALL, 256_000, 32)
    assert {run["optimizer"]["weight_decay"] for run in found} == {0}
    assert {o["alpha"] for o in ademamix(found)} == {0.1, 0.3, 0.6, 0.9}
    assert all("alpha_warmup" not in o and "beta3_warmup" not in o for o in ademamix(found))
    observed = {q for f in registry.named("27") for need in f.needs(scale("paper")) for q in need.observe}
    assert Displacement(lag=1000) in observed


def test_figure_29_is_figure_1c() -> None:
    assert {run["id"] for run in runs("29")} == {run["id"] for run in runs("1c")}
    assert max(run["steps"] for run in runs("29")) == 1_500_000


def test_figure_33() -> None:
    found = runs("33")
    common(found, SMALL, 256_000, 64)
    three = [run["optimizer"] for run in found if run["optimizer"]["kind"] == "ad3emamix"]
    assert {(o["beta3"], o["beta4"]) for o in three} == {
        (0.9999, 0.99999), (0.999, 0.99999), (0.999, 0.9999), (0.99, 0.9999), (0.99, 0.99999)
    }  # fmt: skip
    assert {o["alpha"] for o in three} | {o["alpha"] for o in ademamix(found)} == {4}
    assert {o["alpha_warmup"] for o in three} == {o["beta3_warmup"] for o in three} == {256_000}
    assert len(found) == 7


def test_figure_24() -> None:
    found = runs("24")
    common(found, SMALL, 128_000, 64)
    assert {run["model"]["layers"] for run in found} == {6}
    rates = [round(0.4e-3 + 0.2e-3 * i, 6) for i in range(7)]
    pairs = {
        kind: {(o["alpha"], o["lr"]) for o in (run["optimizer"] for run in found) if o["kind"] == kind}
        for kind in ("ademamix", "ademamix-convex")
    }
    assert pairs["ademamix"] == {(2.0 * i, lr) for i in range(1, 8) for lr in rates}
    assert pairs["ademamix-convex"] == {(round(0.1 * i, 1), lr) for i in range(3, 10) for lr in rates}
    assert sorted(run["optimizer"]["lr"] for run in baselines(found)) == rates
    assert len(found) == 49 + 49 + 7


def test_figure_32() -> None:
    found = runs("32")
    lion = [run["optimizer"] for run in found if run["optimizer"]["kind"] == "lion"]
    common(found, SMALL, 256_000, 64)
    assert len(lion) == 7 * 6 * 2 * 3 * 2  # all of Table 8, the best of it among them
    assert {o["lr"] for o in lion} == {5e-5, 1e-4, 2e-4, 4e-4, 6e-4, 8e-4, 1e-3}
    assert {o["weight_decay"] for o in lion} == {0.01, 0.125, 0.166, 0.25, 0.5, 1}
    assert {(o["alpha"], o["beta"]) for o in lion} == {
        (a, b) for a in (0.5, 0.7, 0.9) for b in (0.99, 0.9999)
    }
    assert len(baselines(found)) == 1


def test_figure_32_searches_one_coordinate_at_a_time() -> None:
    at = scale("cpu")
    needs = [need for f in registry.named("32b") for need in f.needs(at)]
    assert len(needs) == 1 + 6 + 5 + 1 + 2 + 1
    assert {need.run.seed for need in needs} == {100}
    # The learning rate keeps the paper's ratio to AdamW's.
    first = needs[0].run.optimizer
    assert first.lr == pytest.approx(4e-4 / 1e-3 * 3e-3)
    # What is reported is the lowest trial, on another seed.
    trials = read_table(checkout() / "figures" / at.name / "figure-32.csv")
    trials = trials[trials["panel"] == "b"]
    lowest = trials.loc[trials["y"].idxmin(), "series"]
    assert lowest == label(best_at(at))
    reported = [need.run for need in registry.named("32a")[0].needs(at)]
    assert {run.seed for run in reported} == {0, 1, 2, 6, 7}


def forks(found: list[Run]) -> set[tuple[str, int, int]]:
    """(optimizer, step of the fork, last step) of every branch."""
    return {
        (run["optimizer"]["kind"], run["fork_step"], run["steps"])
        for run in found
        if run["fork_step"] is not None
    }


def trunks(found: list[Run]) -> list[Run]:
    return [run for run in found if run["fork_step"] is None]


def test_figure_4() -> None:
    found = runs("4")
    common(trunks(found), SMALL, 256_000, 64)
    kinds = ("adamw", "ademamix")
    assert forks(found) == {
        (kind, t - 1, 256_000) for kind in kinds for t in (90_000, 170_000, 190_000, 230_000)
    }
    assert len(found) == 2 + 8
    assert {run["optimizer"]["lr"] for run in found} == {1e-3}
    assert {o["alpha"] for o in ademamix(found)} == {8}
    for run in trunks(found):
        assert run["forks"] == [89_999, 169_999, 189_999, 229_999]


def test_figure_10() -> None:
    found = runs("10")
    assert [(run["steps"], run["schedule"]) for run in trunks(found)] == [
        (250_000, {"kind": "constant", "warmup": 3000})
    ] * 2
    starts = (229_999, 250_000, 269_999, 279_999, 289_999)
    assert forks(found) == {(kind, t, 300_000) for kind in ("adamw", "ademamix") for t in starts}
    decay = {"kind": "linear-decay", "warmup": 3000, "start": 250_000, "end": 300_000}
    assert all(run["schedule"] == decay for run in found if run["fork_step"])
    assert {o["beta3_warmup"] for o in ademamix(found)} == {300_000}
    assert {run["optimizer"]["lr"] for run in found} == {1e-3}


def test_figures_5_and_26() -> None:
    """Panel b and Figure 26 leave one run of 500k steps, panel c one of 770k."""
    found = runs("5b", "26")
    common(trunks(found), SMALL, 500_000, 64)
    switches = {("ademamix", t, 500_000) for t in (300_000, 330_000, 360_000, 390_000)}
    assert forks(runs("5b")) == switches
    assert forks(runs("26")) == {("ademamix", 300_000, 500_000)}
    branches = [run["optimizer"] for run in found if run["fork_step"]]
    assert {(o["alpha"], o["beta3"], o["lr"]) for o in branches} == {(2, 0.9999, 1e-3)}
    assert sorted(o.get("beta3_warmup") or 0 for o in branches) == [0, 0, 0, 0, 25_000, 50_000, 100_000]
    assert all(o.get("alpha_warmup") == o.get("beta3_warmup") for o in branches)
    assert len(trunks(found)) == 2  # AdamW, and AdEMAMix from 0: Figure 1's
    assert {run["id"] for run in trunks(found)} <= {run["id"] for run in runs("1a")}

    found = runs("5c")
    assert forks(found) == {("ademamix", t, 770_000) for t in (500_000, 600_000)}
    branches = [run["optimizer"] for run in found if run["fork_step"]]
    assert {(o["alpha"], o["lr"]) for o in branches} == {(1, 5e-4)}
    assert sorted(run["steps"] for run in trunks(found)) == [770_000, 770_000, 1_000_000]
    assert {run["id"] for run in trunks(found)} <= {run["id"] for run in runs("1c")}


def test_figure_9_watches_figure_1() -> None:
    needs = [need for f in registry.named("9") for need in f.needs(scale("paper"))]
    assert {need.run.id for need in needs} <= {run["id"] for run in runs("1a")}
    assert {need.until for need in needs} == {256_000}
    for need in needs:
        assert set(need.observe) == {BatchLoss(update=tau) for tau in range(30_000, 250_001, 10_000)}
        steps = need.observe[BatchLoss(update=180_000)]
        assert {179_999, 180_049, 189_999} <= steps
        assert (min(steps), max(steps)) == (179_999, 189_999)
        assert max(need.observe[BatchLoss(update=250_000)]) == 255_999


def test_figure_11() -> None:
    found = runs("11")
    common([run for run in found if run["fork_step"] is None], SMALL, 256_000, 32)
    assert [o["alpha"] for o in ademamix(found)] == [10, 10]
    assert {(o["alpha_warmup"], o["beta3_warmup"]) for o in ademamix(found)} == {
        (t, t) for t in (256_000, 90_000)
    }
    assert [r["fork_step"] for r in found if r["fork_step"]] == [128_000] * 2
    assert {r["optimizer"]["kind"] for r in found if r["fork_step"]} == {"adamw"}
    assert len(found) == 5


def test_figure_20() -> None:
    found = runs("20")
    common(trunks(found), SMALL, 500_000, 64)
    assert len(trunks(found)) == 1
    assert forks(found) == {("adamw", 300_000, 500_000)}
    branches = {
        (o["beta1"], o.get("beta1_warmup")) for o in (run["optimizer"] for run in found if run["fork_step"])
    }
    assert branches == {(b, ramp) for b in (0.99, 0.999, 0.9999, 0.99999) for ramp in (None, 200_000)}


def test_figures_3b_and_28() -> None:
    first, longer = runs("3b"), runs("28")
    for found, length in ((first, 1_300_000), (longer, 1_100_000)):
        for run in trunks(found):
            assert (run["steps"], run["model"]["width"], run["batch"]) == (length, LARGE, 128)
            assert run["schedule"] == {"kind": "constant", "warmup": 3000}
        assert len(trunks(found)) == 3
        assert {o["beta3"] for o in ademamix(found)} == {0.9999, 0.99999}
        assert {(o["alpha"], o["alpha_warmup"], o["beta3_warmup"]) for o in ademamix(found)} == {
            (5, 500_000, 500_000)
        }
        assert {run["optimizer"]["lr"] for run in found} == {1e-4}
    decays = lambda found: {(r["fork_step"], r["schedule"]["end"]) for r in found if r["fork_step"]}  # noqa: E731
    assert decays(first) == {(1_000_000, 1_100_000), (1_300_000, 1_400_000)}
    assert decays(longer) == {(900_000, 1_100_000), (1_000_000, 1_100_000)}
    assert {run["id"] for run in trunks(first)} == {run["id"] for run in trunks(longer)}


VISION = {384: (3e-3, 0.03), 768: (1e-3, 0.1)}  # width → AdamW's best rate and decay with 11M images


def test_figures_6_and_30() -> None:
    """Tables 5 and 6, typed in: 37, 37 and 320 epochs of 100k × 4,096."""
    found = runs("6")
    for run in found:
        assert (run["steps"], run["batch"], run["tokens"]) == (100_000, 4096, 409_600_000)
        assert (run["model"]["patch"], run["model"]["image"], run["model"]["dropout"]) == (16, 224, 0.1)
        assert run["model"]["heads"] == run["model"]["width"] // 64
        assert (run["model"]["layers"], run["model"]["mlp"]) == (12, 4 * run["model"]["width"])
    settings = {(run["model"]["width"], run["model"]["classes"], round(run["epochs"])) for run in found}
    assert settings == {(384, 10_450, 37), (768, 10_450, 37), (768, 1_000, 320)}
    for width, classes, lrs, decays in (
        (384, 10_450, (1e-3, 3e-3, 5e-3), (0.03, 0.1, 0.3)),
        (768, 10_450, (1e-3, 3e-3), (0.03, 0.1, 0.3)),
        (768, 1_000, (1e-3, 3e-3, 5e-3), (0.03, 0.1, 0.3, 0.5, 0.7)),
    ):
        here = [run for run in found if (run["model"]["width"], run["model"]["classes"]) == (width, classes)]
        tried = {
            (o["lr"], o["weight_decay"], o.get("beta1", 0.9))
            for o in (run["optimizer"] for run in baselines(here))
        }
        assert tried == {(lr, decay, b) for lr in lrs for decay in decays for b in (0.9, 0.99, 0.999)}
        lr, decay = VISION[width] if classes > 1_000 else (5e-3, 0.3)
        assert {(o["alpha"], o["beta3"]) for o in ademamix(here)} == {
            (alpha, beta3) for alpha in (1, 5, 10, 15, 20) for beta3 in (0.999, 0.9999)
        }
        assert {
            (o["lr"], o["weight_decay"], o["alpha_warmup"], o["beta3_warmup"]) for o in ademamix(here)
        } == {(lr, decay, 100_000, 100_000)}
        assert len(ademamix(here)) == 10
    curves = runs("30")
    assert {run["id"] for run in curves} < {run["id"] for run in found}
    assert len(curves) == 3 * 11
    hours = {run["model"]["width"]: run["hours"] for run in found}
    assert 5 < hours[384] < 12  # of one H100
    assert 20 < hours[768] < 40
