"""The trials that scales were tuned with: every chosen learning rate is bracketed by worse ones."""

import csv
from pathlib import Path

import pytest

from ademamix.checkout import checkout
from ademamix.errors import UserError
from ademamix.scale import read_scale
from ademamix.spec import override
from ademamix.store import Store
from ademamix.sweeps import evidence
from ademamix.sweeps.evidence import FIELDS, chosen, open_sides
from tests.sweeps import pretend
from tests.sweeps.test_search import made

TUNED = sorted((checkout() / "configs" / "scales").rglob("*-tuning.csv"))


@pytest.mark.parametrize("path", TUNED, ids=lambda path: str(path.relative_to(checkout() / "configs/scales")))
def test_no_chosen_learning_rate_is_on_the_edge_of_its_trials(path: Path) -> None:
    """Of each set-up and optimizer with trials: a worse one on both sides."""
    at = read_scale(path.with_name(path.name.replace("-tuning.csv", ".yaml")))
    found = chosen(at, path)
    assert found, "a csv with trials and a scale that states none of what was tuned"
    assert not [one for one in found if one.open]


@pytest.mark.parametrize("path", TUNED, ids=lambda path: path.parent.name)
def test_rows_read_back(path: Path) -> None:
    """Every row names a run by settings that make one."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == FIELDS
        for row in reader:
            assert row["validation_loss"] == "diverged" or float(row["validation_loss"]) > 0
            assert all("=" in setting for setting in row["settings"].split())
            assert len(row["run"]) == 12


def test_open_sides() -> None:
    assert open_sides(2, [{1: 1.5, 2: 1.0, 3: 1.5}]) == ()
    assert open_sides(2, [{2: 1.0, 3: 1.5}]) == ("below",)
    assert open_sides(2, [{1: 0.9, 2: 1.0, 3: 1.5}]) == ("below",)
    assert open_sides(2, [{1: 0.9, 2: 1.0}, {1: 1.3, 2: 1.0}]) == ("above",)
    assert open_sides(2, [{1: 1.5}, {3: 1.5}]) == ("below", "above")
    assert open_sides(2, [{1: 1.5, 2: 1.0, 3: float("inf")}]) == ()


def test_trials_are_appended_once_in_the_scales_own_numbers(tmp_path: Path) -> None:
    store, path = Store(tmp_path / "runs"), tmp_path / "smoke-tuning.csv"
    found = made("optimizer.lr=5e-4,1e-3", units="paper", seeds=(100, 101))
    pretend.finish(found, store, lambda spec, step: float("inf") if spec.seed == 101 else 1.5)
    assert evidence.append(found, store, found.grid or [], path) == 4
    assert evidence.append(found, store, found.grid or [], path) == 0
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["validation_loss"] for row in rows] == ["1.5", "diverged"] * 2
    for row, point in zip(rows[::2], found.grid or [], strict=True):
        spec = found.spec(point, 100)
        assert row["run"] == spec.id == override(spec, row["settings"].split()).id
        assert spec.optimizer.lr == 6 * point[0]  # type: ignore[operator]


@pytest.mark.parametrize(("name", "seed"), [("smoke", 1), ("cpu", 2), ("cpu", 4)])
def test_seeds_that_figures_report_are_no_evidence(tmp_path: Path, name: str, seed: int) -> None:
    """Nor are those of a check."""
    found = made("optimizer.lr=1e-3", seeds=(seed,), at=name)
    with pytest.raises(UserError, match=f"figures report seed {seed}"):
        evidence.append(found, Store(tmp_path), found.grid or [], tmp_path / "x.csv")
