"""A pack: several runs in one program, each as if it were alone."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ademamix.models import MambaConfig
from ademamix.optimizers import Ad3EMAMixConfig, LionConfig
from ademamix.quantities import Displacement, MomentumNorm, ReserveLoss, ValidationLoss
from ademamix.spec import RunSpec, override
from ademamix.store import Store
from ademamix.training import pack_worker
from ademamix.training.job import FAILED, HELD, Job
from ademamix.training.pack import Member, Pack
from ademamix.training.pack_worker import work_together
from ademamix.training.trainer import Trainer
from ademamix.training.worker import opened, work
from tests.training.test_step import compiles
from tests.training.test_training import job, same, state, train

CPU = torch.device("cpu")
SLOW = MomentumNorm(moment="exp_avg_slow")


def wild(spec: RunSpec) -> RunSpec:
    """A run that diverges within a few updates."""
    return override(spec, ["optimizer.lr=1e38", "clipping=null", "schedule.warmup=null"])


@pytest.fixture
def specs(ademamix_spec: RunSpec, adamw_spec: RunSpec) -> list[RunSpec]:
    """Five runs of one shape that differ in all else."""
    return [
        ademamix_spec,
        override(
            ademamix_spec, ["optimizer.lr=5e-3", "optimizer.alpha=8", "optimizer.beta3=0.999", "seed=3"]
        ),
        override(ademamix_spec, ["optimizer.beta1=0.0", "clipping=null", "optimizer.weight_decay=0"]),
        adamw_spec,
        override(adamw_spec, ["optimizer.lr=3e-3", "clipping=0.05", "seed=7", "optimizer.beta2=0.99"]),
    ]


def members(jobs: Sequence[Job], data_root: Path) -> list[Member]:
    return [Member(each, each.spec.open(data_root, CPU)) for each in jobs]


def together(jobs: Sequence[Job], root: Path, data_root: Path) -> int:
    return work_together(jobs, root, data_root, "cpu", 1)


def test_members_equal_separate_runs_over_a_hundred_steps(data_root: Path, specs: list[RunSpec]) -> None:
    jobs = [job(spec, until=100, log_every=100, observe={}) for spec in specs]
    pack = Pack(members(jobs, data_root))
    alone = [Trainer(each, each.spec.open(data_root, CPU)) for each in jobs]
    for t in range(1, 101):
        pack.update()
        for trainer in alone:
            trainer.update(t)
    for member, trainer in zip(pack.members, alone, strict=True):
        rows = [each.losses.close()[0] for each in (member, trainer)]
        assert rows[0] == pytest.approx(rows[1], rel=1e-4)
        moved = [
            torch.cat([p.detach().flatten() for p in each.model.parameters()]) for each in (member, trainer)
        ]
        assert float((moved[0] - moved[1]).norm() / moved[1].norm()) < 2e-4


def test_one_update_is_the_separate_one(data_root: Path, specs: list[RunSpec]) -> None:
    """The gradient, before rounding can grow; in parts and whole."""
    for passes in (None, 3):
        jobs = [job(spec, micro_batch=passes, log_every=1) for spec in specs]
        pack = Pack(members(jobs, data_root))
        pack.update()
        for member, spec in zip(pack.members, specs, strict=True):
            alone = Trainer(job(spec, log_every=1), spec.open(data_root, CPU))
            alone.update(1)
            rows = [each.losses.close()[0] for each in (member, alone)]
            assert rows[0] == pytest.approx(rows[1], rel=1e-5)


def test_what_the_store_holds_is_what_separate_runs_leave(
    tmp_path: Path, data_root: Path, specs: list[RunSpec]
) -> None:
    """Rows, observations, outcomes, checkpoints; members of different lengths leave when they are done."""
    first = {
        ValidationLoss(windows=8): frozenset({20, 60}),
        Displacement(lag=7): frozenset({20}),
        SLOW: frozenset({40}),
    }
    jobs = [job(specs[0], observe=first), job(specs[1], until=33, keep=frozenset({20, 33}), observe={})]
    jobs.append(job(specs[3], log_every=5, observe={ReserveLoss(batch=1): frozenset({11, 60})}))
    assert together(jobs, tmp_path / "pack", data_root) == 0
    for each in jobs:
        assert train(each, tmp_path / "alone", data_root) == 0
        runs = [Store(tmp_path / root).run(each.spec.id) for root in ("pack", "alone")]
        for row, expected in zip(*(run.metrics() for run in runs), strict=True):
            assert row == pytest.approx(expected, rel=1e-4)
        ends = [run.outcome() for run in runs]
        assert ends[0]
        assert ends[1]
        assert (ends[0].status, ends[0].step, ends[0].observed) == (
            ends[1].status,
            ends[1].step,
            ends[1].observed,
        )
        assert ends[0].machine["packed"] == 3
        assert "packed" not in ends[1].machine
        assert runs[0].checkpoint_steps() == runs[1].checkpoint_steps() == each.keep
        found, expected = (state(tmp_path / root, each.spec, each.until) for root in ("pack", "alone"))
        assert alike(found, expected)
        size = [run.checkpoint_path(each.until).stat().st_size for run in runs]
        assert size[0] < 1.1 * size[1]  # a member's own tensors, not the whole pack's


def alike(a: Any, b: Any) -> bool:
    """Equality of nested states but for rounding and time."""
    if isinstance(a, torch.Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and torch.allclose(a, b, rtol=1e-2, atol=1e-3)
    if isinstance(a, dict):
        known = {"seconds", "differentiable", "decoupled_weight_decay"}
        return a.keys() - known == b.keys() - known and all(alike(a[k], b[k]) for k in a.keys() - known)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    return bool(a == pytest.approx(b)) if isinstance(a, float) else bool(a == b)


def test_a_member_that_diverges_changes_no_bit_of_another(
    tmp_path: Path, data_root: Path, specs: list[RunSpec]
) -> None:
    tame = specs[4]
    others = [job(spec) for spec in specs[:4]]
    assert together([*others, job(wild(tame))], tmp_path / "wild", data_root) == 0
    assert together([*others, job(tame)], tmp_path / "tame", data_root) == 0
    outcome = Store(tmp_path / "wild").run(wild(tame).id).outcome()
    assert outcome is not None
    assert outcome.status == "diverged"
    assert train(job(wild(tame)), tmp_path / "alone", data_root) == 0
    alone = Store(tmp_path / "alone").run(wild(tame).id).outcome()
    assert alone is not None
    assert outcome.step == alone.step
    for each in others:
        assert same(state(tmp_path / "wild", each.spec), state(tmp_path / "tame", each.spec))
        runs = [Store(tmp_path / root).run(each.spec.id).metrics() for root in ("wild", "tame")]
        assert runs[0] == runs[1]


def _process(jobs: Sequence[Job], root: Path, data_root: Path) -> subprocess.Popen[str]:
    """A pack in a process of its own, slowed so that it can be hit."""
    path = root.parent / f"{root.name}.jobs"
    path.write_bytes(pickle.dumps(list(jobs)))
    code = f"""
import pickle, sys, time
from pathlib import Path
from ademamix.training import pack, pack_worker
update = pack.Pack.update
def slow(self):
    update(self)
    time.sleep(0.01)
    print(max(m.step for m in self.members), flush=True)
pack.Pack.update = slow
jobs = pickle.loads(Path({str(path)!r}).read_bytes())
sys.exit(pack_worker.work_together(jobs, Path({str(root)!r}), Path({str(data_root)!r}), "cpu", 1))
"""
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def _wait_for_step(process: subprocess.Popen[str], step: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= step:
            return


def test_a_pack_that_is_killed_ends_with_the_bits_of_one_that_is_not(
    tmp_path: Path, data_root: Path, specs: list[RunSpec]
) -> None:
    """SIGKILL, once when all are under way and once when one has ended and one has diverged."""
    jobs = [job(spec, checkpoint_seconds=0.03) for spec in specs]
    jobs[1] = replace(jobs[1], until=30, keep=frozenset({30}), observe={})
    jobs.append(job(wild(specs[4])))
    assert together(jobs, tmp_path / "straight", data_root) == 0
    root = tmp_path / "killed"
    for target in (12, 45):
        process = _process(jobs, root, data_root)
        _wait_for_step(process, target)
        time.sleep(0.013)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert Store(root).run(jobs[0].spec.id).outcome() is None
    assert together(jobs, root, data_root) == 0
    for each in jobs[:-1]:
        found, expected = (state(r, each.spec, each.until) for r in (root, tmp_path / "straight"))
        assert same(found, expected)
        rows = [Store(r).run(each.spec.id).metrics() for r in (root, tmp_path / "straight")]
        assert rows[0] == rows[1]
    assert Store(root).run(jobs[-1].spec.id).status()[0] == "diverged"


def test_packed_and_separate_sessions_go_on_from_each_other(
    tmp_path: Path, data_root: Path, specs: list[RunSpec]
) -> None:
    """A signal stops all members with checkpoints; each goes on alone, and the other way round."""
    jobs = [job(spec) for spec in (specs[0], specs[2], specs[3])]
    process = _process(jobs, tmp_path / "first packed", data_root)
    _wait_for_step(process, 20)
    process.terminate()
    assert process.wait() == 128 + signal.SIGTERM
    for each in jobs:
        assert max(Store(tmp_path / "first packed").run(each.spec.id).checkpoint_steps()) >= 20
        assert train(each, tmp_path / "first packed", data_root) == 0
    # Members need not be at the same step.
    for until, each in zip((10, 20, 30), jobs, strict=True):
        short = replace(each, until=60, checkpoint_seconds=0.0, observe={})
        _stop_at(until, short, tmp_path / "first alone", data_root)
    assert together(jobs, tmp_path / "first alone", data_root) == 0
    for each in jobs:
        assert train(each, tmp_path / "alone", data_root) == 0
        for root in ("first packed", "first alone"):
            found, expected = (state(tmp_path / r, each.spec) for r in (root, "alone"))
            assert alike(found["model"], expected["model"])
            assert alike(found["optimizer"], expected["optimizer"])


def _stop_at(step: int, the_job: Job, root: Path, data_root: Path) -> None:
    from ademamix.training.session import Session

    run = Store(root).run(the_job.spec.id)
    run.begin(the_job.spec)
    task = the_job.spec.open(data_root, CPU)
    with Session(the_job, run, task, Trainer(the_job, task)) as session:
        while not session.stopped:
            session.step(stop=session.trainer.step == step - 1)


def test_branches_are_members_too(tmp_path: Path, data_root: Path, specs: list[RunSpec]) -> None:
    """Of a trunk trained alone: one that goes on, one with a batch injected, one with the other optimizer."""
    trunk = specs[3]
    branches = [
        trunk.branch(20, clipping=0.1),
        trunk.branch(24, inject=1),
        specs[0].branch(20).changed(fork=trunk.branch(20).fork),
    ]
    for root in ("pack", "alone"):
        assert (
            train(job(trunk, keep=frozenset({20, 24}), until=30, observe={}), tmp_path / root, data_root) == 0
        )
    jobs = [job(spec, observe={}) for spec in branches]
    assert together(jobs, tmp_path / "pack", data_root) == 0
    for each in jobs:
        assert train(each, tmp_path / "alone", data_root) == 0
        found, expected = (state(tmp_path / root, each.spec) for root in ("pack", "alone"))
        assert alike(found["model"], expected["model"])
        assert alike(found["optimizer"], expected["optimizer"])


def test_optimizers_of_any_elementwise_kind(data_root: Path, ademamix_spec: RunSpec) -> None:
    """In one pack: each is its own."""
    options = {"weight_decay": 0.1, "lr": 3e-3}
    specs = [
        ademamix_spec,
        ademamix_spec.changed(optimizer=LionConfig(alpha=0.9, beta=0.99, **options)),
        ademamix_spec.changed(optimizer=Ad3EMAMixConfig(beta3=0.99, beta4=0.999, alpha=2.0, **options)),
        ademamix_spec.changed(optimizer=override(ademamix_spec, ["optimizer.eps=1e-6"]).optimizer),
    ]
    jobs = [job(spec) for spec in specs]
    pack, alone = Pack(members(jobs, data_root)), [Trainer(j, j.spec.open(data_root, CPU)) for j in jobs]
    for t in range(1, 7):
        pack.update()
        for trainer in alone:
            trainer.update(t)
    for member, trainer in zip(pack.members, alone, strict=True):
        assert member.losses.close()[0] == pytest.approx(trainer.losses.close()[0], rel=1e-4)


def test_what_fails_in_one_run_ends_that_run(tmp_path: Path, data_root: Path, specs: list[RunSpec]) -> None:
    missing = job(specs[1].branch(20), observe={})
    held = job(specs[2], observe={})
    Store(tmp_path).run(held.spec.id).folder.mkdir()
    Store(tmp_path).run(held.spec.id).stop_path.touch()
    assert together([missing, held, job(specs[0])], tmp_path, data_root) == FAILED
    assert "no usable checkpoint of step 20" in Store(tmp_path).run(missing.spec.id).failure()
    assert Store(tmp_path).run(held.spec.id).outcome() is None
    assert Store(tmp_path).run(specs[0].id).status()[0] == "finished"
    assert together([held, job(specs[0])], tmp_path, data_root) == HELD


def test_an_observation_that_fails_ends_its_run_alone(
    tmp_path: Path, data_root: Path, specs: list[RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    observe = Member.observe

    def failing(self: Member) -> Any:
        return 1 / 0 if self.job.spec == specs[0] and self.step == 20 else observe(self)

    monkeypatch.setattr(Member, "observe", failing)
    assert together([job(spec) for spec in specs[:3]], tmp_path, data_root) == FAILED
    assert "ZeroDivisionError" in Store(tmp_path).run(specs[0].id).failure()
    assert [Store(tmp_path).run(spec.id).status()[0] for spec in specs[1:3]] == ["finished"] * 2


def test_what_does_not_fit_in_the_memory_is_trained_in_halves(
    tmp_path: Path, data_root: Path, specs: list[RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Pack.update

    def too_much(self: Pack) -> None:
        if len(self.slots) > 2:
            raise torch.OutOfMemoryError
        update(self)

    monkeypatch.setattr(Pack, "update", too_much)
    assert together([job(spec) for spec in specs[:4]], tmp_path, data_root) == 0
    outcomes = [Store(tmp_path).run(spec.id).outcome() for spec in specs[:4]]
    assert [outcome and outcome.machine["packed"] for outcome in outcomes] == [2] * 4


def test_what_cannot_even_be_opened_together_is_trained_in_halves(
    tmp_path: Path, data_root: Path, specs: list[RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The locks of what was open are given back."""
    calls = []

    def third_fails(*args: Any, **options: Any) -> Any:
        calls.append(args)
        if len(calls) == 3:
            raise torch.OutOfMemoryError
        return opened(*args, **options)

    monkeypatch.setattr(pack_worker, "opened", third_fails)
    jobs = [job(spec, until=7, observe={}, keep=frozenset()) for spec in specs[:4]]
    assert together(jobs, tmp_path, data_root) == 0
    assert [Store(tmp_path).run(each.spec.id).status()[0] for each in jobs] == ["finished"] * 4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_pack_on_a_gpu(data_root: Path, specs: list[RunSpec]) -> None:
    """Its members equal separate runs there, and nothing in an update waits for the device."""
    gpu = torch.device("cuda:0")
    jobs = [job(spec, log_every=100) for spec in specs]
    pack = Pack([Member(each, each.spec.open(data_root, gpu)) for each in jobs])
    alone = [Trainer(each, each.spec.open(data_root, gpu)) for each in jobs]
    for _ in range(3):  # states are made, and kernels compiled
        pack.update()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(17):
            pack.update()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for trainer in alone:
        for t in range(1, 21):
            trainer.update(t)
    for member, trainer in zip(pack.members, alone, strict=True):
        assert member.losses.close()[0] == pytest.approx(trainer.losses.close()[0], rel=1e-3)


@compiles
def test_a_compiled_pack_is_the_eager_one_but_for_rounding(data_root: Path, specs: list[RunSpec]) -> None:
    torch._dynamo.reset()
    eager, compiled = (
        Pack(members([job(spec.changed(compiled=how)) for spec in specs[:3]], data_root))
        for how in (False, True)
    )
    for _ in range(3):
        eager.update()
        compiled.update()
    for one, other in zip(eager.members, compiled.members, strict=True):
        assert one.losses.close()[0] == pytest.approx(other.losses.close()[0], rel=1e-5)


def test_what_can_be_packed(specs: list[RunSpec]) -> None:
    assert len({spec.pack_key for spec in specs}) == 1
    assert specs[0].branch(3, inject=1).pack_key == specs[0].pack_key
    wider = override(specs[0], ["model.width=32"])
    assert wider.pack_key not in (None, specs[0].pack_key)
    assert override(specs[0], ["batch=2"]).pack_key != specs[0].pack_key
    assert specs[0].changed(model=MambaConfig(width=16, layers=1, vocabulary=32)).pack_key is None


def test_a_finished_pack_is_not_trained_again(tmp_path: Path, data_root: Path, specs: list[RunSpec]) -> None:
    jobs = [job(spec) for spec in specs[:2]]
    assert together(jobs, tmp_path, data_root) == 0
    before = [os.stat(Store(tmp_path).run(each.spec.id).metrics_path).st_mtime_ns for each in jobs]
    assert together(jobs, tmp_path, data_root) == 0
    assert [os.stat(Store(tmp_path).run(e.spec.id).metrics_path).st_mtime_ns for e in jobs] == before
    assert work(jobs[0], tmp_path, data_root, "cpu", 1) == 0
