"""A further optimizer, added with one class, without touching the package."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ademamix.describe import describe
from ademamix.errors import UserError
from ademamix.optim.schedules import half_life
from ademamix.optimizers import AdamWConfig
from ademamix.paper.runs import run
from ademamix.paper.setups import PAPER_HORIZON
from ademamix.quantities import MomentumNorm
from ademamix.scale import refuse_collisions, scale
from ademamix.spec import Need, RunSpec, override
from ademamix.store import Store
from ademamix.training import checkpoint
from ademamix.training.job import Job
from ademamix.training.worker import work
from analysis.style import colours
from experiments import lines
from experiments.lines import Line
from tests.documents import block

names: dict[str, Any] = {"__name__": __name__}
exec(block("adding-an-optimizer.md"), names)
SIGNUM = names["SignumConfig"]


def test_it_is_mapped_by_the_roles_of_its_fields() -> None:
    paper = run("110M", "signum", PAPER_HORIZON, momentum=0.9999, momentum_warmup=64_000)
    assert scale("paper").map(paper) == paper.spec
    at = scale("cpu")
    own = at.map(paper).optimizer
    assert own.lr == at.lr["110M"]["adamw"]  # the paper's best of AdamW, whose rate it follows
    assert own.momentum_warmup == at.steps(64_000)  # type: ignore[attr-defined]
    assert half_life(own.momentum) == pytest.approx(half_life(at.beta(0.9999)))  # type: ignore[attr-defined]


def test_its_steps_must_not_collide() -> None:
    at = scale("cpu")
    both = [Line("", f"{n}", run("110M", "signum", PAPER_HORIZON, momentum_warmup=n), PAPER_HORIZON)
            for n in (64_000, 64_001)]  # fmt: skip
    with pytest.raises(UserError, match="steps 64000 and 64001 of the paper"):
        refuse_collisions(at, lines.steps_named(both))


def test_it_is_described_drawn_and_overridden(adamw_spec: RunSpec) -> None:
    spec = adamw_spec.changed(optimizer=SIGNUM(lr=1e-3, weight_decay=0.1))
    assert describe(spec).startswith("Signum, β 0.9, T 60")
    assert colours()["Signum"] == "#999999"
    assert override(spec, ["optimizer.momentum=0.5"]).optimizer.momentum == 0.5  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="did you mean 'momentum'"):
        override(spec, ["optimizer.momntum=0.5"])
    with pytest.raises(UserError, match=r"optimizer\.lr: .*greater than or equal to 0 \(got -1\)"):
        override(spec, ["optimizer.lr=-1"])


def test_it_trains_is_observed_and_goes_on(tmp_path: Path, data_root: Path, adamw_spec: RunSpec) -> None:
    spec = adamw_spec.changed(optimizer=SIGNUM(lr=1e-3, weight_decay=0.1))
    norm = MomentumNorm(moment="momentum")
    whole = Job(spec, 20, frozenset({10, 20}), {}, {norm: frozenset({20})}, 5, 1e9)
    assert work(whole, tmp_path, data_root, "cpu", 1) == 0
    branch = spec.branch(10)
    assert work(replace(whole, spec=branch), tmp_path, data_root, "cpu", 1) == 0
    ends = [checkpoint.load(Store(tmp_path).run(s.id), 20, torch.device("cpu")) for s in (spec, branch)]
    assert all(torch.equal(ends[0]["model"][k], ends[1]["model"][k]) for k in ends[0]["model"])  # type: ignore[index]
    outcome = Store(tmp_path).run(spec.id).outcome()
    assert outcome is not None
    assert outcome.machine["optimizer"] == __name__
    assert outcome.serves(Need(spec, 20, observe={norm: frozenset({20})}))


def test_what_cannot_go_on_from_it_is_refused(tmp_path: Path, data_root: Path, adamw_spec: RunSpec) -> None:
    spec = adamw_spec.changed(optimizer=SIGNUM(lr=1e-3, weight_decay=0.1))
    branch = spec.branch(10, optimizer=AdamWConfig(lr=1e-3, weight_decay=0.1))
    job = Job(spec, 10, frozenset({10}), {}, {}, 5, 1e9)
    assert work(job, tmp_path, data_root, "cpu", 1) == 0
    assert work(replace(job, spec=branch, until=20), tmp_path, data_root, "cpu", 1) == 1
    failure = Store(tmp_path).run(branch.id).failure_path.read_text()
    assert failure == "a branch cannot go on from Signum with another AdamW\n"
