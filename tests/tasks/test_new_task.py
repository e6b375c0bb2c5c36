"""A third task, added with one class and one spec, without touching the package."""

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ademamix.optimizers import AdEMAMixConfig
from ademamix.plan import entries, unite
from ademamix.quantities import ValidationLoss, parse
from ademamix.records import export, load_record
from ademamix.spec import Need, RunSpec, override
from ademamix.spec import parse as parse_spec
from ademamix.store import Store
from ademamix.training import checkpoint
from ademamix.training.job import Job
from ademamix.training.worker import work
from ademamix.values import canonical
from tests.hit import Worker
from tests.tasks import made_up

LOSS, DISTANCE = ValidationLoss(windows=4), parse("distance_to_truth")
OBSERVE = {LOSS: frozenset({20, 40, 60}), DISTANCE: frozenset({20, 60})}
SLOW = AdEMAMixConfig(lr=0.02, weight_decay=0.0, beta3=0.99, alpha=2.0)


def job(spec: RunSpec, **changes: Any) -> Job:
    return replace(Job(spec, 60, frozenset({60}), {}, OBSERVE, 7, 1e9), **changes)


def train(the_job: Job, root: Path) -> int:
    return work(the_job, root, root, "cpu", 1)


def weights(root: Path, spec: RunSpec) -> dict[str, torch.Tensor]:
    state = checkpoint.load(Store(root).run(spec.id), 60, torch.device("cpu"))
    assert state is not None
    return dict(state["model"])


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    root = tmp_path / "straight"
    assert train(job(made_up.spec()), root) == 0
    return root


def test_it_trains_and_is_observed(trained: Path) -> None:
    run = Store(trained).run(made_up.spec().id)
    rows = {row["step"]: row for row in run.metrics()}
    assert rows[60][str(LOSS)] < 0.5 * rows[20][str(LOSS)]
    assert rows[60]["distance_to_truth"] < rows[20]["distance_to_truth"]
    outcome = run.outcome()
    assert outcome is not None
    assert outcome.machine["data"] == "made"


def test_it_resumes_bit_for_bit_after_sigkill(trained: Path, tmp_path: Path) -> None:
    root, spec = tmp_path / "killed", made_up.spec()
    often = job(spec, checkpoint_seconds=0.02)
    for target in (15, 38):
        worker = Worker(often, root, root)
        worker.wait_for(target)
        assert worker.kill() == -signal.SIGKILL
    assert train(often, root) == 0
    first, second = weights(trained, spec), weights(root, spec)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert Store(root).run(spec.id).metrics() == Store(trained).run(spec.id).metrics()


def test_it_branches_to_another_optimizer(trained: Path) -> None:
    spec = made_up.spec()
    assert train(job(spec, keep=frozenset({30, 60})), trained) == 0
    branch = spec.branch(30, optimizer=SLOW)
    own = {q: frozenset(s for s in steps if s > 30) for q, steps in OBSERVE.items()}
    assert train(job(branch, observe=own), trained) == 0
    assert not torch.equal(weights(trained, branch)["weight"], weights(trained, spec)["weight"])


def test_it_is_a_spec_like_any_other(trained: Path, tmp_path: Path) -> None:
    spec = made_up.spec()
    assert parse_spec(canonical(spec)) == spec
    assert override(spec, ["model.inputs=7"]).model.parameters() == 8
    path = export(Store(trained).run(spec.id), tmp_path / "records")
    assert load_record(path, Store(tmp_path / "other"))
    wanted = unite({"1": [Need(spec, 60, observe=OBSERVE)]})
    (entry,) = entries(wanted, wanted, Store(tmp_path / "other"))
    assert entry.done
    assert entry.wanted.units == 60 * 8
