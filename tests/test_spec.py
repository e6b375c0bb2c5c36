"""What must and what must not change a run's identity; what a spec refuses."""

import json

import pytest

from ademamix.errors import UserError
from ademamix.optimizers import AdamWConfig
from ademamix.quantities import ReserveLoss, ValidationLoss
from ademamix.schedules import Cosine
from ademamix.spec import (
    Fork,
    RunSpec,
    canonical_json,
    override,
    override_known,
    parse,
    unite_observations,
)
from ademamix.values import canonical


def test_the_id_is_pinned(ademamix_spec: RunSpec) -> None:
    """Records are named by id: a change of canonical form would orphan every one of them."""
    assert ademamix_spec.id == "fdbc61e37d9b"


@pytest.mark.parametrize(
    "setting",
    [
        "seed=1",
        "batch=5",
        "sequence=8",
        "clipping=null",
        "precision=bf16",
        "model.width=32",
        "optimizer.lr=0.011",
        "optimizer.beta3=0.990001",
        "optimizer.alpha_warmup=null",
        "optimizer.eps=1e-9",
        "schedule.horizon=61",
        "schedule.final_lr=0",
        "data.set=other",
    ],
)
def test_what_determines_an_update_changes_the_id(ademamix_spec: RunSpec, setting: str) -> None:
    assert override(ademamix_spec, [setting]).id != ademamix_spec.id


def test_the_optimizers_kind_changes_the_id(ademamix_spec: RunSpec, adamw_spec: RunSpec) -> None:
    assert ademamix_spec.id != adamw_spec.id


def test_betas_near_one_are_told_apart(ademamix_spec: RunSpec) -> None:
    ids = {override(ademamix_spec, [f"optimizer.beta3={b}"]).id for b in (0.999999, 0.9999995, 0.99999951)}
    assert len(ids) == 3


def test_how_a_number_is_written_does_not_change_the_id(ademamix_spec: RunSpec) -> None:
    assert override(ademamix_spec, ["optimizer.alpha=4"]).id == ademamix_spec.id
    assert override(ademamix_spec, ["optimizer.lr=1.00000000000001e-2"]).id == ademamix_spec.id


def test_defaults_are_left_out_so_new_fields_keep_old_ids(adamw_spec: RunSpec) -> None:
    data = canonical(adamw_spec)
    assert "fork" not in data
    assert "beta1" not in data["optimizer"]
    assert data["optimizer"]["kind"] == "adamw"
    explicit = adamw_spec.changed(
        optimizer=AdamWConfig(kind="adamw", lr=1e-2, weight_decay=0.1, beta1=0.9, beta2=0.999, eps=1e-8)
    )
    assert explicit.id == adamw_spec.id


def test_a_spec_as_computed_and_as_read_back_are_one(adamw_spec: RunSpec) -> None:
    """0.3·3 is not 0.9, but its twelve digits are: the id must survive being written down."""
    computed = adamw_spec.changed(
        optimizer=AdamWConfig(kind="adamw", lr=0.1 * 3, weight_decay=0.1, beta1=0.3 * 3, eps=1e-9 * 10)
    )
    assert parse(json.loads(canonical_json(computed))).id == computed.id


def test_another_seed_reaches_the_trunk(adamw_spec: RunSpec) -> None:
    branch = adamw_spec.changed(fork=Fork(parent=adamw_spec, step=10)).reseeded(5)
    assert branch.fork is not None
    assert (branch.seed, branch.fork.parent.seed) == (5, 5)


def test_a_fork_is_part_of_the_identity(adamw_spec: RunSpec) -> None:
    ids = {
        adamw_spec.changed(fork=Fork(parent=adamw_spec, step=step, inject=inject)).id
        for step in (10, 11)
        for inject in (None, 0, 1)
    }
    assert len(ids | {adamw_spec.id}) == 7


def test_a_spec_survives_its_json(ademamix_spec: RunSpec) -> None:
    child = ademamix_spec.changed(fork=Fork(parent=ademamix_spec, step=10))
    again = parse(json.loads(canonical_json(child)))
    assert again == child
    assert again.id == child.id


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optimizer.alhpa=4", "did you mean 'alpha'"),
        ("optimiser.alpha=4", "did you mean 'optimizer'"),
        ("batches=4", "did you mean 'batch'"),
        ("optimizer.beta3=1.0", "optimizer.beta3.*less than 1"),
        ("optimizer.alpha=-1", "optimizer.alpha.*greater than or equal to 0"),
        ("optimizer.alpha_warmup=0", "optimizer.alpha_warmup.*greater than or equal to 1"),
        ("optimizer.lr=.nan", "finite"),
        ("model.heads=3", "not a multiple of heads"),
        ("sequence=17", "exceeds 16 positions"),
        ("schedule.horizon=5", "does not end before horizon"),
        ("optimizer.kind=adan", "optimizer"),
        ("seed", "not KEY=VALUE"),
    ],
)
def test_mistakes_are_named(ademamix_spec: RunSpec, setting: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        override(ademamix_spec, [setting])
    assert "\n" not in str(caught.value)


def test_a_cosine_has_a_horizon_and_a_constant_rate_has_none(adamw_spec: RunSpec) -> None:
    assert not adamw_spec.schedule.EXTENDABLE
    assert override(adamw_spec, ["schedule={kind: constant, warmup: 5}"]).schedule.EXTENDABLE
    assert isinstance(adamw_spec.schedule, Cosine)


def test_observations_unite() -> None:
    a, b = ValidationLoss(windows=8), ReserveLoss(batch=1)
    united = unite_observations({a: frozenset({1, 2})}, {a: frozenset({2, 3}), b: frozenset({4})})
    assert united == {a: {1, 2, 3}, b: {4}}


def test_a_setting_changes_a_branch_and_its_trunk(ademamix_spec: RunSpec, adamw_spec: RunSpec) -> None:
    branch = adamw_spec.branch(20, optimizer=ademamix_spec.optimizer)
    changed = override_known(branch, ["optimizer.alpha=1", "batch=2"])
    assert changed.optimizer.alpha == 1  # type: ignore[union-attr]
    assert changed.fork is not None
    assert changed.fork.parent == adamw_spec.changed(batch=2)


def test_a_run_knows_what_it_branches_from(adamw_spec: RunSpec) -> None:
    first = adamw_spec.branch(10)
    second = first.branch(20, inject=3)
    assert list(second.lineage()) == [second, first, adamw_spec]
    assert list(adamw_spec.lineage()) == [adamw_spec]
