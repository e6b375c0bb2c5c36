"""Searches over a store that is written without training: what comes next, and after a kill."""

import math
import shutil
from pathlib import Path

import pytest

from ademamix.scale import scale
from ademamix.spec import RunSpec
from ademamix.store import Store
from ademamix.sweeps.controller import Controller
from ademamix.sweeps.definition import from_flags
from ademamix.sweeps.space import Space, Trial, space
from tests.sweeps import pretend

ALPHAS, RATES = (1, 2, 4, 8), (1e-3, 2e-3, 4e-3)
GRID = ("optimizer.alpha=1,2,4,8", "optimizer.lr=1e-3,2e-3,4e-3")
DRAWN = ("optimizer.alpha=1,2,4,8", "optimizer.lr=log(1e-4,1e-1)")


def made(*settings: str, at: str = "smoke", **fields: object) -> Space:
    given = {"name": "mine", "size": "110M", "optimizer": "ademamix", **fields}
    return space(from_flags(settings, **given), scale(at))


def bowl(spec: RunSpec, step: int) -> float:
    """Lowest at α = 4 and a rate of 2e-3; α = 8 at the largest rate diverges."""
    alpha, lr = spec.optimizer.alpha, spec.optimizer.lr  # type: ignore[attr-defined]
    if alpha == 8 and lr == 4e-3:
        return math.inf
    return math.log2(alpha / 4) ** 2 + math.log2(lr / 2e-3) ** 2 + 1 / step


def test_a_grid_is_tried_once(tmp_path: Path) -> None:
    store, found = Store(tmp_path), made(*GRID, seeds=(0, 1))
    ended = pretend.finish(found, store, bowl)
    assert sorted(trial.point for trial in ended) == [(a, lr) for a in ALPHAS for lr in RATES]
    assert Controller(found, store).next(free=4) == []
    assert Controller(made(*GRID, seeds=(0,)), store).next(free=4) == []
    assert len(Controller(made(*GRID, seeds=(0, 2)), store).next(free=4)) == 12
    controller = Controller(found, store)
    controller.next(0)
    assert controller.losses[4, 2e-3][0] == min(losses[0] for losses in controller.losses.values())
    assert controller.losses[8, 4e-3][0] == math.inf


def test_coordinates_go_from_the_best_so_far(tmp_path: Path) -> None:
    found = made(*GRID, search="coordinates", rounds=2)
    ended = [trial.point for trial in pretend.finish(found, Store(tmp_path), bowl)]
    start = found.start
    assert start == (8, scale("smoke").lr["110M"]["ademamix"])
    assert ended[:4] == [(alpha, start[1]) for alpha in ALPHAS]
    assert ended[4:7] == [(4, lr) for lr in RATES]
    assert ended[7:] == [(alpha, 2e-3) for alpha in ALPHAS if alpha != 4]


def test_a_single_value_is_fixed_from_the_start(tmp_path: Path) -> None:
    found = made("optimizer.lr=1e-3,2e-3", "optimizer.weight_decay=0", search="coordinates")
    ended = pretend.finish(found, Store(tmp_path), bowl)
    assert [trial.point for trial in ended] == [(1e-3, 0), (2e-3, 0)]


@pytest.mark.parametrize("search", ["grid", "coordinates"])
def test_a_search_that_is_killed_ends_as_if_it_was_not(search: str, tmp_path: Path) -> None:
    found = made(
        "optimizer.alpha=1,2,4", "optimizer.lr=1e-3,2e-3", search=search, halving=int(search == "grid")
    )
    whole = pretend.finish(found, Store(tmp_path / "whole"), bowl)
    for patience in (1, len(whole) // 2, len(whole) - 1):
        store = Store(tmp_path / str(patience))
        before = pretend.finish(found, store, bowl, patience=patience)
        after = pretend.finish(found, store, bowl)
        assert sorted(map(str, before + after)) == sorted(map(str, whole))


def test_the_worse_half_is_left_behind(tmp_path: Path) -> None:
    found = made("optimizer.alpha=1,2,4,8", "optimizer.lr=1e-3,2e-3", halving=2)
    store = Store(tmp_path)
    ended = pretend.finish(found, store, bowl)
    by_level = [[trial.point for trial in ended if trial.level == level] for level in range(3)]
    assert list(map(len, by_level)) == [8, 4, 2]
    assert set(by_level[2]) < set(by_level[1]) < set(by_level[0])
    assert (4, 2e-3) in by_level[2]


def test_a_run_that_was_stopped_beyond_a_halving_goes_on_to_the_next(tmp_path: Path) -> None:
    """Its first half is not waited for again: a worker leaves what is beyond the job as it is."""
    found, store = made(*GRID, halving=1), Store(tmp_path)
    trial = Trial((1, 1e-3))
    pretend.begin(found, store, trial)
    spec = found.spec(trial.point, 0)
    store.run(spec.id).write_metrics([{"step": found.steps(spec, 0) + 1, "loss": 1.0}])
    assert Controller(found, store).next(free=1)[0] == Trial(trial.point, level=1)


def test_drawn_trials_get_better_and_end_at_their_number(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    found = made(*DRAWN, search="tpe", trials=30)
    ended = [trial.point for trial in pretend.finish(found, Store(tmp_path), bowl)]
    assert len(set(ended)) == len(ended) == 30
    losses = [bowl(found.spec(point, 0), 64) for point in ended]
    assert min(losses[15:]) < min(losses[:10])
    assert sum(losses[15:]) < sum(losses[:15])


def test_a_study_is_rebuilt_from_the_store(tmp_path: Path) -> None:
    """Killed with four trials under way: these come first, and no point is lost or tried twice."""
    pytest.importorskip("optuna")
    found, store = made(*DRAWN, search="tpe", trials=24), Store(tmp_path)
    before = pretend.finish(found, store, bowl, patience=13)
    under_way = {run.id for run in store.runs() if not run.outcome()}
    assert under_way
    controller = Controller(found, store)
    assert {found.spec(trial.point, 0).id for trial in controller.next(free=1)} == under_way
    after = pretend.finish(found, store, bowl)
    points = [trial.point for trial in before + after]
    assert len(set(points)) == len(points) == 24
    assert len(list(store.runs())) == 24
    assert all(run.outcome() for run in store.runs())


def test_the_same_knowledge_draws_the_same_point(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    found, store = made(*DRAWN, search="tpe", trials=30), Store(tmp_path / "a")
    pretend.finish(found, store, bowl, workers=1, patience=12)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert Controller(found, store).next(2) == Controller(found, Store(tmp_path / "b")).next(2)


def test_what_others_trained_is_known_to_a_drawn_search(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    store = Store(tmp_path)
    pretend.finish(made(*GRID), store, bowl)
    pretend.finish(made("optimizer.alpha=3", "optimizer.lr=1e-3"), store, bowl)  # not of the space
    pretend.finish(made("optimizer.alpha=2", "optimizer.lr=1e-3", "clipping=1"), store, bowl)  # nor this
    controller = Controller(made(*DRAWN, search="tpe", trials=14), store)
    assert len(controller.points) == 12
    assert controller.undecided == 2
    assert len(controller.next(free=8)) == 2


def test_a_finite_space_is_drawn_at_most_once(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    found = made(*GRID, search="tpe", trials=100)
    assert len(pretend.finish(found, Store(tmp_path), bowl)) == 12


def test_drawn_trials_are_halved_as_they_come(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    found, store = made(*DRAWN, search="tpe", trials=16, halving=1), Store(tmp_path)
    pretend.finish(found, store, bowl, patience=9)
    pretend.finish(found, store, bowl)
    controller = Controller(found, store)
    assert controller.next(4) == []
    assert len(controller.points) == 16
    whole = {point: losses[1] for point, losses in controller.losses.items() if 1 in losses}
    assert 8 <= len(whole) < 16
    best = min(controller.losses, key=lambda point: min(controller.losses[point].values()))
    assert best in whole
