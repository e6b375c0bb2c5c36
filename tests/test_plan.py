"""The union of needs, the order of training, and what the store still owes."""

from pathlib import Path

import pytest

from ademamix.cli.pipeline import prune
from ademamix.plan import Entry, cost, forks_of, hours_from_scratch, in_order, owed, together, unite
from ademamix.plan import entries as planned
from ademamix.quantities import ValidationLoss
from ademamix.scale import scale
from ademamix.spec import Fork, Need, RunSpec
from ademamix.store import Outcome, Store
from experiments import registry

VALIDATION = ValidationLoss(windows=8)


def entries(needs: list[Need], store: Store) -> list[Entry]:
    wanted = unite({"1": needs})
    return planned(wanted, wanted, store)


def _finish(store: Store, spec: RunSpec, step: int, observed: dict[str, list[int]] | None = None) -> None:
    store.run(spec.id).begin(spec)
    store.run(spec.id).finish(Outcome("finished", step, observed or {}, 1.0))


def test_needs_on_one_run_are_united(adamw_spec: RunSpec) -> None:
    wanted = unite(
        {
            "1": [Need(adamw_spec, 50, observe={VALIDATION: frozenset({25, 50})})],
            "12": [Need(adamw_spec, 60, keep=frozenset({7}), observe={VALIDATION: frozenset({60})})],
        }
    )
    (only,) = wanted.values()
    assert only.until == 60
    assert only.keep == {7}
    assert only.observe == {VALIDATION: {25, 50, 60}}
    assert only.figures == ("1", "12")


def test_a_branch_brings_its_trunk_and_comes_after_it(adamw_spec: RunSpec) -> None:
    branch = adamw_spec.changed(batch=2, fork=Fork(parent=adamw_spec, step=20))
    order = in_order(unite({"4": [Need(branch, 60)]}))
    assert [w.spec.id for w in order] == [adamw_spec.id, branch.id]
    trunk, child = order
    assert (trunk.until, trunk.keep) == (20, frozenset())
    assert child.new_steps == 40
    assert child.units == 40 * 2 * 16


def test_the_longest_free_run_comes_first(adamw_spec: RunSpec) -> None:
    specs = [adamw_spec.changed(seed=seed) for seed in range(3)]
    needs = [Need(spec, until) for spec, until in zip(specs, (10, 30, 20), strict=True)]
    assert [w.until for w in in_order(unite({"1": needs}))] == [30, 20, 10]


def test_what_the_store_has_is_done(tmp_path: Path, adamw_spec: RunSpec) -> None:
    store = Store(tmp_path)
    observe = {VALIDATION: frozenset({30, 60})}
    wanted = [Need(adamw_spec, 60, observe=observe)]
    assert not entries(wanted, store)[0].done
    _finish(store, adamw_spec, 60, {str(VALIDATION): [30, 60]})
    assert entries(wanted, store)[0].done
    more = [Need(adamw_spec, 60, observe={VALIDATION: frozenset({45})})]
    (entry,) = entries(more, store)
    assert not entry.done
    assert entry.again


def test_a_longer_need_reopens_a_run(tmp_path: Path, adamw_spec: RunSpec) -> None:
    store = Store(tmp_path)
    _finish(store, adamw_spec, 60)
    (entry,) = entries([Need(adamw_spec, 61)], store)
    assert entry.again


def test_a_diverged_run_is_done_whatever_its_length(tmp_path: Path, adamw_spec: RunSpec) -> None:
    store = Store(tmp_path)
    store.run(adamw_spec.id).begin(adamw_spec)
    store.run(adamw_spec.id).finish(Outcome("diverged", 31, {str(VALIDATION): [30]}, 1.0))
    need = Need(adamw_spec, 60, observe={VALIDATION: frozenset({30, 60})})
    (entry,) = entries([need], store)
    assert entry.done
    assert entry.status == "diverged"


def test_a_trunk_owes_checkpoints_only_to_pending_branches(tmp_path: Path, adamw_spec: RunSpec) -> None:
    store = Store(tmp_path)
    branch = adamw_spec.changed(fork=Fork(parent=adamw_spec, step=20))
    needs = [Need(adamw_spec, 60), Need(branch, 60)]
    _finish(store, adamw_spec, 60)
    forks = forks_of(unite({"4": needs}).values())[adamw_spec.id]
    assert [entry.done for entry in entries(needs, store)] == [False, False]
    assert owed(frozenset({7}), forks, store) == {7, 20}
    _finish(store, branch, 60)
    assert [entry.done for entry in entries(needs, store)] == [True, True]
    assert owed(frozenset({7}), forks, store) == {7}


def test_one_training_serves_the_branches_of_all_figures(tmp_path: Path, adamw_spec: RunSpec) -> None:
    """Figure 1's trunk leaves what Figure 4 needs, but is done without it when only Figure 1 is asked."""
    store = Store(tmp_path)
    branch = adamw_spec.changed(fork=Fork(parent=adamw_spec, step=20))
    asked = unite({"1": [Need(adamw_spec, 60)]})
    everything = unite({"1": [Need(adamw_spec, 60)], "4": [Need(branch, 60)]})
    (entry,) = planned(asked, everything, store)
    assert set(entry.forks) == {20}
    assert entry.wanted.figures == ("1", "4")
    _finish(store, adamw_spec, 60)
    (entry,) = planned(asked, everything, store)
    assert entry.done


def test_checkpoints_of_no_pending_need_are_removed(tmp_path: Path, adamw_spec: RunSpec) -> None:
    store = Store(tmp_path)
    branches = [adamw_spec.changed(fork=Fork(parent=adamw_spec, step=step)) for step in (20, 30)]
    wanted = unite({"4": [Need(adamw_spec, 60), *(Need(b, 60) for b in branches)]})
    _finish(store, adamw_spec, 60)
    run = store.run(adamw_spec.id)
    run.checkpoints.mkdir()
    for step in (20, 30, 60):
        run.checkpoint_path(step).touch()
        run.checkpoint_path(step).with_suffix(".json").touch()
    _finish(store, branches[0], 60)
    prune(wanted, store)
    assert run.checkpoint_steps() == {30}
    assert [p.name for p in run.checkpoints.glob("*.pt")] == ["000000030.pt"]


def test_spare_checkpoints_are_not_deleted_and_not_missed(tmp_path: Path, adamw_spec: RunSpec) -> None:
    """Whoever else uses the run: a sweep that tries the same setting needs none."""
    store = Store(tmp_path)
    figure = unite({"table 7": [Need(adamw_spec, 60, spare=frozenset({60}))]})
    sweep = unite({"sweep mine": [Need(adamw_spec, 60)]})
    _finish(store, adamw_spec, 60)
    assert all(entry.done for entry in planned(figure, figure, store))
    run = store.run(adamw_spec.id)
    run.checkpoints.mkdir()
    for step in (30, 60):
        run.checkpoint_path(step).touch()
        run.checkpoint_path(step).with_suffix(".json").touch()
    prune(together(figure, sweep), store)
    assert run.checkpoint_steps() == {60}


def test_a_recorded_branch_that_lost_its_checkpoints_is_pending(tmp_path: Path, adamw_spec: RunSpec) -> None:
    """Trunk and branch came as records; the branch has a branch of its own that is still to be trained."""
    store = Store(tmp_path)
    branch = adamw_spec.branch(20)
    twig = branch.branch(40, inject=0)
    needs = [Need(branch, 60), Need(twig, 60)]
    _finish(store, adamw_spec, 20)
    _finish(store, branch, 60)
    assert [(entry.wanted.spec.id, entry.done) for entry in entries(needs, store)] == [
        (adamw_spec.id, False), (branch.id, False), (twig.id, False)
    ]  # fmt: skip
    forks = forks_of(unite({"10": needs}).values())
    assert owed(frozenset(), forks[adamw_spec.id], store) == {20}
    _finish(store, twig, 60)
    assert all(entry.done for entry in entries(needs, store))


def test_a_branch_can_be_planned_without_its_trunk(tmp_path: Path, adamw_spec: RunSpec) -> None:
    """As with --only."""
    whole = unite({"4": [Need(adamw_spec.branch(20), 60)]})
    alone = {id: w for id, w in whole.items() if w.spec.fork}
    (entry,) = planned(alone, whole, Store(tmp_path))
    assert not entry.done


def test_cost_states_operations_over_peak_and_utilisation(adamw_spec: RunSpec) -> None:
    (w,) = in_order(unite({"1": [Need(adamw_spec, 60)]}))
    at = scale("cpu")
    flops = 60 * 4 * adamw_spec.model.training_flops(16)
    assert w.flops == pytest.approx(flops)
    machine = at.machine
    assert cost(w, at).hours == pytest.approx(flops / machine.peak_flops / machine.utilisation / 3600)


def test_a_branch_is_observed_on_its_trunk_up_to_the_fork(adamw_spec: RunSpec) -> None:
    branch = adamw_spec.branch(20, inject=0)
    twig = branch.branch(40)
    wanted = unite({"4": [Need(twig, 60, observe={VALIDATION: frozenset({10, 20, 21, 40, 41, 60})})]})
    seen = {id: w.observe[VALIDATION] for id, w in wanted.items()}
    assert seen == {adamw_spec.id: {10, 20}, branch.id: {21, 40}, twig.id: {41, 60}}
    assert [w.shown for w in in_order(wanted)] == [False, False, True]


def test_what_branches_save(adamw_spec: RunSpec) -> None:
    """Two curves of 60 steps that share 40, and the trunk's own of 50."""
    at = scale("cpu")
    needs = [Need(adamw_spec.branch(40, inject=i), 60) for i in range(2)]
    for more, scratch in (([], 2 * 60), ([Need(adamw_spec, 50)], 2 * 60 + 50)):
        wanted = unite({"4": [*needs, *more]})
        per_step = cost(wanted[adamw_spec.id], at).hours / wanted[adamw_spec.id].new_steps
        assert hours_from_scratch(wanted.values(), at) == pytest.approx(scratch * per_step)


def test_all_figures_at_gpu_cost_less_than_four_hours() -> None:
    """Of one GPU, by the scale's own arithmetic; no run sees the 94.3M bytes of its text twice."""
    at = scale("gpu")
    wanted = unite(registry.needs_of_all(at)).values()
    assert sum(cost(w, at).hours for w in wanted) < 4
    language = [w for w in wanted if w.spec.task == "language"]
    assert max(w.until * w.spec.units_per_step for w in language) < 94.3e6
