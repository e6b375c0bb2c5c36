"""Training: a golden curve, and that observing, stopping, killing and forking change no bit."""

import errno
import json
import os
import random
import signal
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ademamix.errors import UserError
from ademamix.optimizers import LionConfig
from ademamix.plan import Branch, entries, unite
from ademamix.quantities import BatchLoss, Displacement, MomentumNorm, ReserveLoss, ValidationLoss
from ademamix.schedules import Constant
from ademamix.spec import Fork, Need, RunSpec, override
from ademamix.store import Run, Store
from ademamix.tasks import LanguageRun
from ademamix.tasks.language_task import LanguageTask
from ademamix.training import checkpoint
from ademamix.training.job import FAILED, Job
from ademamix.training.session import Session
from ademamix.training.trainer import Trainer
from ademamix.training.worker import work
from tests.hit import Worker

VALIDATION = ValidationLoss(windows=8)
NAME = str(VALIDATION)
OBSERVE = {VALIDATION: frozenset({20, 40, 60})}


def job(spec: RunSpec, **changes: Any) -> Job:
    plain = Job(
        spec=spec,
        until=60,
        keep=frozenset({60}),
        forks={},
        observe=OBSERVE,
        log_every=7,
        checkpoint_seconds=1e9,
    )
    return replace(plain, **changes)


def train(the_job: Job, root: Path, data_root: Path) -> int:
    return work(the_job, root, data_root, "cpu", 1)


def state(root: Path, spec: RunSpec, step: int = 60) -> dict[str, Any]:
    found = checkpoint.load(Store(root).run(spec.id), step, torch.device("cpu"))
    assert found is not None
    return found


def same(a: Any, b: Any) -> bool:
    """Bitwise equality of nested states, but for time, name, and a key that torch adds on loading."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        ignored = {"seconds", "id", "past", "differentiable"}
        return a.keys() - ignored == b.keys() - ignored and all(
            same(a[k], b[k]) for k in a if k not in ignored
        )
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


@pytest.fixture
def trained(tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun) -> Path:
    """A store with the run trained to its end without interruption."""
    root = tmp_path / "straight"
    assert train(job(ademamix_spec), root, data_root) == 0
    return root


def test_golden_curve(trained: Path, ademamix_spec: LanguageRun) -> None:
    """Fifty steps and more of loss, to tolerances that other CPUs and torch versions keep."""
    rows = Store(trained).run(ademamix_spec.id).metrics()
    golden = json.loads((Path(__file__).parent / "golden_curve.json").read_text())
    assert [row["step"] for row in rows] == [row["step"] for row in golden]
    for row, expected in zip(rows, golden, strict=True):
        assert row.keys() - expected.keys() <= {"lr", "alpha", "beta3"}
        assert {name: row[name] for name in expected} == pytest.approx(expected, rel=2e-3)
    assert rows[-1][NAME] < 0.95 * rows[0]["loss"]


def test_the_outcome_says_what_was_done(trained: Path, ademamix_spec: LanguageRun) -> None:
    outcome = Store(trained).run(ademamix_spec.id).outcome()
    assert outcome is not None
    assert (outcome.status, outcome.step) == ("finished", 60)
    assert outcome.observed == {NAME: [20, 40, 60]}
    assert outcome.machine["torch"] == torch.__version__
    assert len(outcome.machine["commit"]) == 40
    assert outcome.machine["dirty"] in (True, False)


def test_observing_logging_and_saving_change_no_bit(
    trained: Path, tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun
) -> None:
    quiet = job(ademamix_spec, observe={}, log_every=60)
    busy = job(
        ademamix_spec,
        observe={VALIDATION: frozenset(range(1, 61))},
        log_every=1,
        keep=frozenset(range(10, 61, 10)),
        checkpoint_seconds=0.0,
    )
    straight = state(trained, ademamix_spec)
    for number, other in enumerate((quiet, busy)):
        root = tmp_path / str(number)
        assert train(other, root, data_root) == 0
        for part in ("model", "optimizer"):
            assert same(state(root, ademamix_spec)[part], straight[part])


def test_displacements_and_momentum_norms(
    tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun
) -> None:
    """Against checkpoints; a stop between the two ends of a displacement changes nothing."""
    lag, ends, norm = 7, frozenset({7, 40, 60}), MomentumNorm(moment="exp_avg_slow")
    observe = {**OBSERVE, Displacement(lag=lag): ends, norm: frozenset({40})}
    keep = frozenset({33, 40, 53, 60})
    straight, halting = tmp_path / "straight", tmp_path / "halting"
    wanted = job(ademamix_spec, observe=observe, keep=keep)
    assert train(wanted, straight, data_root) == 0
    rows = {row["step"]: row for row in Store(straight).run(ademamix_spec.id).metrics()}
    for end in (40, 60):
        early, late = (state(straight, ademamix_spec, step)["model"] for step in (end - lag, end))
        moved = sum(float((late[name] - early[name]).double().square().sum()) for name in late) ** 0.5
        assert rows[end][f"displacement:{lag}"] == pytest.approx(moved, rel=1e-6)
    assert rows[7]["displacement:7"] > 0  # from the initial weights
    slow = [s["exp_avg_slow"] for s in state(straight, ademamix_spec, 40)["optimizer"]["state"].values()]
    assert rows[40][str(norm)] == pytest.approx(
        float(torch.cat([m.flatten() for m in slow]).norm()), rel=1e-5
    )

    run = Store(halting).run(ademamix_spec.id)
    run.begin(ademamix_spec)
    task = LanguageTask(ademamix_spec, data_root, torch.device("cpu"))
    stopped = Trainer(wanted, task)
    with Session(wanted, run, task, stopped) as session:
        while stopped.step < 36:
            session.step(stop=stopped.step == 35)
    assert max(run.checkpoint_steps()) == 36
    assert train(wanted, halting, data_root) == 0
    assert {row["step"]: row for row in run.metrics()} == rows


def test_gradient_norms_before_and_after_clipping(data_root: Path, ademamix_spec: LanguageRun) -> None:
    """Against the gradients that the optimizer is given."""
    spec = ademamix_spec.changed(clipping=0.8)
    trainer = Trainer(job(spec), LanguageTask(spec, data_root, torch.device("cpu")))
    given = []
    inner = trainer.optimizer.step

    def step() -> None:
        given.append(torch.cat([p.grad.flatten() for p in trainer.params]).norm())
        inner()

    trainer.optimizer.step = step  # type: ignore[method-assign, assignment]
    for t in range(1, 8):
        trainer.update(t)
    row, _ = trainer.losses.close()
    assert row is not None
    assert row["grad_norm_clipped"] == pytest.approx(float(torch.stack(given).mean()), rel=1e-4)
    assert row["grad_norm_clipped"] < row["grad_norm"]


def test_losses_on_held_out_and_on_training_batches(
    tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun
) -> None:
    """Against the losses of checkpoints on the same batches, through a branch that trains on one."""
    branch = ademamix_spec.branch(29, inject=1)
    reserve, followed = ReserveLoss(batch=1), BatchLoss(update=33)
    observe = {reserve: frozenset({20, 30, 40}), followed: frozenset({32, 40})}
    trunk_job = job(ademamix_spec, observe=observe, keep=frozenset({20, 29, 30, 32, 40}), until=40)
    branch_job = job(branch, observe=observe, keep=frozenset({30, 40}), until=40)
    assert train(trunk_job, tmp_path, data_root) == 0
    assert train(branch_job, tmp_path, data_root) == 0
    task = LanguageTask(ademamix_spec, data_root, torch.device("cpu"))
    model = task.model()
    for spec, first in ((ademamix_spec, 0), (branch, 29)):
        rows = {row["step"]: row for row in Store(tmp_path).run(spec.id).metrics()}
        for quantity, batch in ((reserve, task.reserve(1)), (followed, task.batch(33))):
            for step in {s for s in observe[quantity] if s > first} - ({32} if first else set()):
                model.load_state_dict(state(tmp_path, spec, step)["model"])
                with torch.inference_mode():
                    assert rows[step][str(quantity)] == pytest.approx(
                        float(task.loss(model, batch)), rel=1e-5
                    )
    last = [Store(tmp_path).run(spec.id).metrics()[-1][str(reserve)] for spec in (ademamix_spec, branch)]
    assert last[1] < last[0]  # what was trained on once is known better


def test_held_out_batches_share_no_window(data_root: Path, ademamix_spec: LanguageRun) -> None:
    task = LanguageTask(ademamix_spec, data_root, torch.device("cpu"))
    other = LanguageTask(ademamix_spec.reseeded(5), data_root, torch.device("cpu"))
    split = task.tokens.split("reserve", ademamix_spec.sequence)
    count = len(split) // ademamix_spec.batch
    windows = torch.cat([task.reserve(number) for number in range(count)])
    all_there_are = Counter(tuple(window) for window in split.read(np.arange(len(split))).tolist())
    assert not Counter(map(tuple, windows.tolist())) - all_there_are  # none twice
    assert torch.equal(windows, torch.cat([other.reserve(number) for number in range(count)]))
    with pytest.raises(UserError, match="has no batch"):
        task.reserve(1000)


def test_micro_batches_give_the_same_gradient(
    trained: Path, tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun
) -> None:
    assert train(job(ademamix_spec, micro_batch=3), tmp_path, data_root) == 0
    rows, others = (Store(r).run(ademamix_spec.id).metrics() for r in (trained, tmp_path))
    assert rows[-1][NAME] == pytest.approx(others[-1][NAME], rel=1e-3)


def test_sigkill_at_random_moments_changes_no_bit(
    trained: Path, tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun
) -> None:
    root = tmp_path / "killed"
    often = job(ademamix_spec, checkpoint_seconds=0.03)
    draw = random.Random(0)
    kills = 0
    for target in (8, 21, 33, 52):
        worker = Worker(often, root, data_root)
        worker.wait_for(target)
        time.sleep(draw.random() * 0.02)
        kills += worker.kill() == -signal.SIGKILL
    assert kills >= 3
    assert Store(root).run(ademamix_spec.id).outcome() is None
    assert train(often, root, data_root) == 0
    assert same(state(root, ademamix_spec), state(trained, ademamix_spec))
    runs = [Store(r).run(ademamix_spec.id) for r in (root, trained)]
    assert runs[0].metrics() == runs[1].metrics()


def test_a_killed_branch_resumes_as_if_nothing_had_happened(
    tmp_path: Path, data_root: Path, adamw_spec: LanguageRun, ademamix_spec: LanguageRun
) -> None:
    """One that switches optimizers, injects a batch, and is observed on it."""
    branch = adamw_spec.branch(20, inject=0, optimizer=ademamix_spec.optimizer)
    observe = {ReserveLoss(batch=0): frozenset({21, 40, 60})}
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    for root in (straight, killed):
        assert train(job(adamw_spec, keep=frozenset({20}), until=20), root, data_root) == 0
    assert train(job(branch, observe=observe), straight, data_root) == 0
    often = job(branch, observe=observe, checkpoint_seconds=0.03)
    for target in (24, 45):
        worker = Worker(often, killed, data_root)
        worker.wait_for(target)
        worker.kill()
    assert Store(killed).run(branch.id).outcome() is None
    assert train(often, killed, data_root) == 0
    assert same(state(killed, branch), state(straight, branch))
    assert Store(killed).run(branch.id).metrics() == Store(straight).run(branch.id).metrics()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_and_the_shells_exit_code(
    number: int, trained: Path, tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun
) -> None:
    root = tmp_path / "stopped"
    worker = Worker(job(ademamix_spec), root, data_root)
    worker.wait_for(25)
    os.kill(worker.pid, number)
    assert worker.end() == 128 + number
    run = Store(root).run(ademamix_spec.id)
    assert run.outcome() is None
    (step,) = run.checkpoint_steps()
    assert 25 <= step < 60
    assert train(job(ademamix_spec), root, data_root) == 0
    assert same(state(root, ademamix_spec), state(trained, ademamix_spec))
    assert run.metrics() == Store(trained).run(ademamix_spec.id).metrics()


def test_an_unreadable_checkpoint_is_passed_over_with_a_warning(
    trained: Path, tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun
) -> None:
    root = tmp_path / "torn"
    worker = Worker(job(ademamix_spec, checkpoint_seconds=0.0), root, data_root)
    worker.wait_for(30)
    worker.kill()
    run = Store(root).run(ademamix_spec.id)
    newest = run.checkpoint_path(max(run.checkpoint_steps()))
    whole = newest.read_bytes()
    newest.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    with pytest.warns(UserWarning, match="does not match its checksum"):
        assert train(job(ademamix_spec), root, data_root) == 0
    assert same(state(root, ademamix_spec), state(trained, ademamix_spec))


def test_a_branch_that_changes_nothing_ends_as_its_trunk(
    tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun
) -> None:
    assert train(job(ademamix_spec, keep=frozenset({21, 60})), tmp_path, data_root) == 0
    branch = ademamix_spec.changed(fork=Fork(parent=ademamix_spec, step=21))
    assert train(job(branch), tmp_path, data_root) == 0
    for part in ("model", "optimizer"):
        assert same(state(tmp_path, branch)[part], state(tmp_path, ademamix_spec)[part])
    trunk_rows = [r for r in Store(tmp_path).run(ademamix_spec.id).metrics() if r["step"] > 21]
    assert Store(tmp_path).run(branch.id).metrics() == trunk_rows


def test_a_branch_goes_on_with_whatever_its_optimizer_keeps(
    tmp_path: Path, data_root: Path, adamw_spec: LanguageRun
) -> None:
    """A growing β1 counts its steps in the groups; Lion has a state of its own."""
    ramped = override(adamw_spec, ["optimizer.beta1=0.99", "optimizer.beta1_warmup=50"])
    lion = adamw_spec.changed(
        optimizer=LionConfig(kind="lion", lr=1e-3, alpha=0.9, beta=0.99, weight_decay=0.1)
    )
    for trunk in (ramped, lion):
        assert train(job(trunk, keep=frozenset({21, 60})), tmp_path, data_root) == 0
        assert train(job(trunk.branch(21)), tmp_path, data_root) == 0
        assert same(state(tmp_path, trunk.branch(21))["model"], state(tmp_path, trunk)["model"])
    switched = lion.branch(21, optimizer=adamw_spec.optimizer)
    assert train(job(switched), tmp_path, data_root) == FAILED
    assert "cannot go on from Lion" in Store(tmp_path).run(switched.id).failure()


def test_injecting_changes_exactly_one_batch(
    tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun
) -> None:
    branch = ademamix_spec.changed(fork=Fork(parent=ademamix_spec, step=21, inject=1))
    tasks = [LanguageTask(s, data_root, torch.device("cpu")) for s in (ademamix_spec, branch)]
    differ = [t for t in range(22, 61) if not torch.equal(tasks[0].batch(t), tasks[1].batch(t))]
    assert differ == [22]
    assert torch.equal(tasks[1].batch(22), tasks[0].reserve(1))


def test_switching_optimizers_through_a_fork(
    tmp_path: Path, data_root: Path, adamw_spec: LanguageRun, ademamix_spec: LanguageRun
) -> None:
    assert train(job(adamw_spec, keep=frozenset({20, 60})), tmp_path, data_root) == 0
    plain = override(ademamix_spec, ["optimizer.alpha=0"]).changed(fork=Fork(parent=adamw_spec, step=20))
    assert train(job(plain), tmp_path, data_root) == 0
    ends = [Store(tmp_path).run(s.id).metrics()[-1][NAME] for s in (adamw_spec, plain)]
    assert ends[0] == pytest.approx(ends[1], rel=1e-4)  # α = 0 is AdamW
    optimizer = state(tmp_path, plain)["optimizer"]["state"][0]
    assert (optimizer["schedule_start"], float(optimizer["step"])) == (20, 60.0)


def test_a_missing_trunk_checkpoint_fails_that_run_in_one_line(
    tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun
) -> None:
    branch = ademamix_spec.changed(fork=Fork(parent=ademamix_spec, step=21))
    assert train(job(branch), tmp_path, data_root) == FAILED
    message = Store(tmp_path).run(branch.id).failure_path.read_text()
    assert "no usable checkpoint of step 21" in message
    assert message.count("\n") == 1


def test_divergence_is_a_result_and_its_branches_share_it(
    tmp_path: Path, data_root: Path, adamw_spec: LanguageRun
) -> None:
    wild = override(adamw_spec, ["optimizer.lr=1e38", "clipping=null", "schedule.warmup=null"])
    assert train(job(wild, keep=frozenset({50})), tmp_path, data_root) == 0
    run = Store(tmp_path).run(wild.id)
    outcome = run.outcome()
    assert outcome is not None
    assert outcome.status == "diverged"
    assert 1 < outcome.step < 20
    assert max((row["step"] for row in run.metrics()), default=0) < outcome.step
    branch = wild.changed(fork=Fork(parent=wild, step=50))
    assert train(job(branch), tmp_path, data_root) == 0
    assert Store(tmp_path).run(branch.id).status()[0] == "diverged"


def test_a_constant_rate_is_extended_not_retrained(
    tmp_path: Path, data_root: Path, adamw_spec: LanguageRun
) -> None:
    trunk = adamw_spec.changed(schedule=Constant(kind="constant", warmup=5))
    short = job(trunk, until=30, keep=frozenset(), observe={VALIDATION: frozenset({20})})
    assert train(short, tmp_path / "twice", data_root) == 0
    worker = Worker(job(trunk), tmp_path / "twice", data_root)
    assert list(worker.steps()) == list(range(31, 61))
    assert worker.end() == 0
    assert train(job(trunk), tmp_path / "once", data_root) == 0
    assert same(state(tmp_path / "twice", trunk), state(tmp_path / "once", trunk))


def test_extending_needs_no_checkpoint_of_branches_that_are_done(
    tmp_path: Path, data_root: Path, adamw_spec: LanguageRun
) -> None:
    trunk = adamw_spec.changed(schedule=Constant(kind="constant", warmup=5))
    assert train(job(trunk, until=30, keep=frozenset({20}), observe={}), tmp_path, data_root) == 0
    run = Store(tmp_path).run(trunk.id)
    run.remove_checkpoints_except({30})  # as pruning does
    worker = Worker(job(trunk, keep=frozenset(), observe={}), tmp_path, data_root)
    assert next(worker.steps()) == 31
    worker.kill()


def test_a_shorter_want_leaves_the_progress_of_a_longer_one(
    tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun
) -> None:
    root = tmp_path / "store"
    worker = Worker(job(ademamix_spec), root, data_root)
    worker.wait_for(25)
    os.kill(worker.pid, signal.SIGTERM)
    worker.end()
    before = Store(root).run(ademamix_spec.id).checkpoint_steps()
    assert train(job(ademamix_spec, until=5, keep=frozenset()), root, data_root) == 0
    assert Store(root).run(ademamix_spec.id).checkpoint_steps() == before
    assert Store(root).run(ademamix_spec.id).outcome() is None


def test_a_run_that_lacks_an_observation_is_trained_again_whole(
    trained: Path, data_root: Path, ademamix_spec: LanguageRun
) -> None:
    more = {VALIDATION: frozenset({10, 20, 40, 60})}
    assert train(job(ademamix_spec, observe=more), trained, data_root) == 0
    rows = Store(trained).run(ademamix_spec.id).metrics()
    assert [r["step"] for r in rows if NAME in r] == [10, 20, 40, 60]


def test_an_overflowing_gradient_is_not_yet_divergence(
    tmp_path: Path, data_root: Path, adamw_spec: LanguageRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradients are finite, their norm is not: the run goes on, without a norm to log."""
    plain = LanguageTask.loss

    def overflowing(self: LanguageTask, model: torch.nn.Module, windows: torch.Tensor) -> torch.Tensor:
        loss = plain(self, model, windows)
        return loss + (loss * 1e30 - (loss * 1e30).detach()) if loss.requires_grad else loss

    monkeypatch.setattr(LanguageTask, "loss", overflowing)
    spec = override(adamw_spec, ["clipping=null"])
    assert train(job(spec, log_every=1, observe={}, until=3), tmp_path, data_root) == 0
    rows = Store(tmp_path).run(spec.id).metrics()
    assert [sorted(row) for row in rows] == [["loss", "lr", "step"]] * 3


def test_an_infinite_observation_is_stored_and_changes_nothing_else(
    tmp_path: Path, data_root: Path, adamw_spec: LanguageRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ademamix.training.observe import Observer

    assert train(job(adamw_spec), tmp_path / "finite", data_root) == 0
    monkeypatch.setattr(Observer, "measure", lambda self, quantity: float("nan"))
    assert train(job(adamw_spec), tmp_path / "infinite", data_root) == 0
    finite, infinite = (Store(tmp_path / name).run(adamw_spec.id) for name in ("finite", "infinite"))
    before, after = finite.outcome(), infinite.outcome()
    assert before is not None
    assert after is not None
    assert (after.status, after.step) == ("finished", 60)
    assert replace(after, seconds=before.seconds, seal=before.seal) == before
    assert {row["step"]: row[NAME] for row in infinite.metrics() if NAME in row} == {
        20: None,
        40: None,
        60: None,
    }
    hidden = [{**row, NAME: None} if NAME in row else row for row in finite.metrics()]
    assert infinite.metrics() == hidden
    assert same(state(tmp_path / "infinite", adamw_spec), state(tmp_path / "finite", adamw_spec))


def test_a_branch_of_a_diverged_trunk_is_done(
    tmp_path: Path, data_root: Path, adamw_spec: LanguageRun
) -> None:
    wild = override(adamw_spec, ["optimizer.lr=1e38", "clipping=null", "schedule.warmup=null"])
    branch = wild.changed(fork=Fork(parent=wild, step=50))
    wanted = unite({"1": [Need(branch, 60, observe={VALIDATION: frozenset({1, 20, 60})})]})
    own, past = {VALIDATION: frozenset({60})}, {VALIDATION: frozenset({1, 20})}
    assert (wanted[branch.id].observe, wanted[wild.id].observe) == (own, past)
    assert train(job(wild, observe=past), tmp_path, data_root) == 0
    assert train(job(branch, observe=own), tmp_path, data_root) == 0
    assert [entry.done for entry in entries(wanted, wanted, Store(tmp_path))] == [True, True]


def test_what_a_finished_branch_needed_is_not_trained_again(
    tmp_path: Path, data_root: Path, adamw_spec: LanguageRun
) -> None:
    """A launcher with an old plan comes to a trunk whose branch another one has finished."""
    branch = adamw_spec.changed(fork=Fork(parent=adamw_spec, step=20))
    old_plan = job(adamw_spec, keep=frozenset(), forks={20: (Branch(Need(branch, 60), {}),)})
    assert train(old_plan, tmp_path, data_root) == 0
    assert Store(tmp_path).run(adamw_spec.id).checkpoint_steps() == {20}
    assert train(job(branch), tmp_path, data_root) == 0
    Store(tmp_path).run(adamw_spec.id).remove_checkpoints_except(())
    worker = Worker(old_plan, tmp_path, data_root)
    assert list(worker.steps()) == []
    assert worker.end() == 0


def test_two_workers_train_a_run_once(tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun) -> None:
    both = [Worker(job(ademamix_spec), tmp_path / "store", data_root) for _ in range(2)]
    steps = [list(worker.steps()) for worker in both]
    assert [worker.end() for worker in both] == [0, 0]
    assert sorted(map(len, steps)) == [0, 60]


def _crash() -> None:
    """From now on, what is observed ends the process."""
    Trainer.observe = lambda self: 1 / 0  # type: ignore[method-assign, assignment, return-value]


def _fill_the_disk() -> None:
    """From now on, no checkpoint can be written."""

    def full(run: Run, *args: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(run.checkpoints))

    checkpoint.save = full


def test_a_crash_leaves_its_traceback(tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun) -> None:
    assert Worker(job(ademamix_spec), tmp_path / "store", data_root, before=_crash).end() == FAILED
    run = Store(tmp_path / "store").run(ademamix_spec.id)
    assert "ZeroDivisionError" in run.failure_path.read_text()
    assert run.status()[0] == "failed"


def test_a_full_disk_fails_in_one_line(tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun) -> None:
    assert Worker(job(ademamix_spec), tmp_path / "store", data_root, before=_fill_the_disk).end() == FAILED
    run = Store(tmp_path / "store").run(ademamix_spec.id)
    message = run.failure_path.read_text()
    assert message.startswith(f"No space left on device ({run.checkpoints}); name another place with --runs")
