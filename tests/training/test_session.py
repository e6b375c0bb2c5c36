"""A session: opened, advanced, closed; observing, stopping and logging never change what a run is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ademamix.optimizers import Ad3EMAMixConfig, LionConfig
from ademamix.quantities import MomentumNorm, Quantity, ReserveLoss, ValidationLoss
from ademamix.spec import Need, RunSpec, override
from ademamix.store import Run, Store
from ademamix.training import checkpoint
from ademamix.training.job import HELD, Job
from ademamix.training.session import Session
from ademamix.training.trainer import Trainer
from ademamix.training.worker import work

VALIDATION = ValidationLoss(windows=8)


def job(spec: RunSpec, **changes: Any) -> Job:
    plain = Job(spec, 60, frozenset({60}), {}, {VALIDATION: frozenset({20, 40, 60})}, 20, 1e9)
    return replace(plain, **changes)


def opened(the_job: Job, root: Path, data_root: Path) -> Session:
    """A session at its start."""
    run = Store(root).run(the_job.spec.id)
    run.begin(the_job.spec)
    task = the_job.spec.open(data_root, torch.device("cpu"))
    return Session(the_job, run, task, Trainer(the_job, task))


def trained(the_job: Job, root: Path, data_root: Path) -> Run:
    assert work(the_job, root, data_root, "cpu", 1) == 0, Store(root).run(the_job.spec.id).failure()
    return Store(root).run(the_job.spec.id)


def wild(spec: RunSpec) -> RunSpec:
    """A run that diverges within a few updates."""
    return override(spec, ["optimizer.lr=1e38", "clipping=null", "schedule.warmup=null"])


def test_one_process_drives_several_runs_in_turn(
    tmp_path: Path, data_root: Path, ademamix_spec: RunSpec, adamw_spec: RunSpec
) -> None:
    jobs = [job(ademamix_spec), job(adamw_spec)]
    alone = [trained(each, tmp_path / "alone", data_root).metrics() for each in jobs]
    sessions = [opened(each, tmp_path / "in turn", data_root) for each in jobs]
    while not all(session.done for session in sessions):
        for session in sessions:
            session.step()
    for session, rows in zip(sessions, alone, strict=True):
        with session:
            session.finish(torch.device("cpu"))
        assert session.run.metrics() == rows
        outcome = session.run.outcome()
        assert outcome is not None
        assert outcome.serves(Need(session.job.spec, 60, observe=session.job.observe))


@pytest.mark.parametrize("steps", [(), (1, 2, 3), (5, 9, 13), (60,)])
def test_observing_changes_no_outcome(
    steps: tuple[int, ...], tmp_path: Path, data_root: Path, adamw_spec: RunSpec
) -> None:
    spec = wild(adamw_spec)
    plain = trained(job(spec, observe={}), tmp_path / "plain", data_root)
    seen = trained(job(spec, observe={VALIDATION: frozenset(steps)}), tmp_path / "seen", data_root)
    first, second = plain.outcome(), seen.outcome()
    assert first is not None
    assert second is not None
    assert (first.status, first.step) == (second.status, second.step) == ("diverged", first.step)
    without = [{k: v for k, v in row.items() if k != str(VALIDATION)} for row in seen.metrics()]
    assert [row for row in without if len(row) > 1] == plain.metrics()
    assert max((row["step"] or 0 for row in seen.metrics()), default=0) < second.step
    assert second.observed == {str(VALIDATION): [s for s in steps if s < second.step]} or not steps


def test_a_value_that_is_not_finite_is_kept_as_none(
    tmp_path: Path, data_root: Path, adamw_spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ademamix.training.observe import Observer

    inner = Observer.measure

    def measure(self: Observer, quantity: Quantity) -> float:
        return float("inf") if self.step == 40 else inner(self, quantity)

    monkeypatch.setattr(Observer, "measure", measure)
    run = trained(job(adamw_spec), tmp_path, data_root)
    seen = {row["step"]: row[str(VALIDATION)] for row in run.metrics()}
    assert seen[40] is None
    assert seen[60] is not None
    assert run.status()[0] == "finished"


def test_a_stop_is_read_once_a_step(
    tmp_path: Path, data_root: Path, ademamix_spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a stop falls, the run leaves with a checkpoint: it does not look twice within a step."""
    from ademamix.training import worker

    class Flickering:
        """Says no at its even readings and yes at the odd ones, from the fifth on."""

        signal, exit_code, readings = None, 143, 0

        def __bool__(self) -> bool:
            self.readings += 1
            return self.readings > 5 and self.readings % 2 == 1

    run = Store(tmp_path).run(ademamix_spec.id)
    run.folder.mkdir(parents=True)
    worker._train(job(ademamix_spec), run, Store(tmp_path), data_root, torch.device("cpu"), Flickering())  # type: ignore[arg-type]
    assert run.outcome() is None
    assert len(run.checkpoint_steps()) == 1


@pytest.mark.parametrize("later", [5, 30])
def test_logging_more_or_less_often_resumes(
    later: int, tmp_path: Path, data_root: Path, ademamix_spec: RunSpec
) -> None:
    session = opened(job(ademamix_spec), tmp_path, data_root)
    for t in range(17):
        session.step(stop=t == 16)  # within a line of 20 steps
    session.close()
    assert session.run.checkpoint_steps() == {17}
    run = trained(job(ademamix_spec, log_every=later), tmp_path, data_root)
    straight = trained(job(ademamix_spec), tmp_path / "straight", data_root)
    ends = [checkpoint.load(r, 60, torch.device("cpu")) for r in (run, straight)]
    assert ends[0] is not None
    assert ends[1] is not None
    assert all(torch.equal(ends[0]["model"][name], ends[1]["model"][name]) for name in ends[0]["model"])
    assert next(row["step"] for row in run.metrics() if "loss" in row) == (20 if later == 5 else 30)


@pytest.mark.parametrize(
    ("optimizer", "implementation"),
    [
        (LionConfig(lr=1e-3, alpha=0.9, beta=0.99, weight_decay=0.1), "timm.optim.lion"),
        (
            Ad3EMAMixConfig(lr=1e-3, weight_decay=0.1, alpha=4.0, beta3=0.99, beta4=0.999),
            "ademamix.optim.variants",
        ),
    ],
    ids=["lion", "ad3emamix"],
)
def test_records_say_what_made_the_updates(
    optimizer: Any, implementation: str, tmp_path: Path, data_root: Path, adamw_spec: RunSpec
) -> None:
    run = trained(job(adamw_spec.changed(optimizer=optimizer), until=5, observe={}), tmp_path, data_root)
    outcome = run.outcome()
    assert outcome is not None
    assert outcome.machine["optimizer"] == implementation


def test_what_checkpoints_can_answer_is_not_trained_again(
    tmp_path: Path, data_root: Path, ademamix_spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other windows, a held-out batch and a moment, asked for after the run was finished."""
    more = {
        VALIDATION: frozenset({20, 30, 40, 60}),
        ValidationLoss(windows=4): frozenset({30, 60}),
        ReserveLoss(batch=1): frozenset({60}),
        MomentumNorm(moment="exp_avg_slow"): frozenset({30}),
    }
    kept = frozenset({30, 60})
    at_once = trained(job(ademamix_spec, keep=kept, observe=more), tmp_path / "at once", data_root)
    run = trained(job(ademamix_spec, keep=kept), tmp_path / "later", data_root)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", lambda self, t: pytest.fail("it was trained again"))
        trained(job(ademamix_spec, keep=kept, observe=more), tmp_path / "later", data_root)
    assert run.outcome().serves(Need(ademamix_spec, 60, observe=more))  # type: ignore[union-attr]
    found, expected = ({row["step"]: row for row in r.metrics()} for r in (run, at_once))
    for quantity, steps in more.items():
        for step in steps:
            assert found[step][str(quantity)] == pytest.approx(expected[step][str(quantity)], rel=1e-5)
    assert [row["step"] for row in run.metrics()] == sorted(found)  # in order
    assert run.checkpoint_steps() == kept


def test_what_checkpoints_cannot_answer_is_trained_again(
    tmp_path: Path, data_root: Path, ademamix_spec: RunSpec
) -> None:
    run = trained(job(ademamix_spec), tmp_path, data_root)
    more = {VALIDATION: frozenset({10, 20, 40, 60})}
    trained(job(ademamix_spec, observe=more), tmp_path, data_root)
    assert [row["step"] for row in run.metrics() if str(VALIDATION) in row] == [10, 20, 40, 60]


def test_what_was_observed_later_does_not_undo_the_training(
    tmp_path: Path, data_root: Path, adamw_spec: RunSpec
) -> None:
    """A run at a constant rate is observed later at its end, then extended: it goes on from there."""
    from ademamix.schedules import Constant

    spec = adamw_spec.changed(schedule=Constant(warmup=5))
    first = job(spec, keep=frozenset(), observe={})
    trained(first, tmp_path, data_root)
    more = {VALIDATION: frozenset({60})}
    run = trained(replace(first, observe=more), tmp_path, data_root)
    assert run.outcome().observed == {str(VALIDATION): [60]}  # type: ignore[union-attr]
    made: list[int] = []
    inner = Trainer.update
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "update", lambda self, t: (made.append(t), inner(self, t)))
        trained(replace(first, until=80, observe=more), tmp_path, data_root)
    assert made == list(range(61, 81))


def test_what_nothing_can_measure_is_refused_before_training(
    tmp_path: Path, data_root: Path, adamw_spec: RunSpec
) -> None:
    beyond = job(adamw_spec, observe={ReserveLoss(batch=10_000): frozenset({60})})
    assert work(beyond, tmp_path, data_root, "cpu", 1) == 1
    run = Store(tmp_path).run(adamw_spec.id)
    assert "the reserve split of" in run.failure()
    assert not run.metrics()


def test_a_file_stops_a_run_and_holds_it(
    tmp_path: Path, data_root: Path, ademamix_spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Store(tmp_path).run(ademamix_spec.id)
    inner = Trainer.update

    def update(self: Trainer, t: int) -> None:
        if t == 10:
            run.stop_path.touch()
        inner(self, t)

    monkeypatch.setattr("ademamix.training.stop.LOOK", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", update)
        assert work(job(ademamix_spec), tmp_path, data_root, "cpu", 1) == HELD
    assert run.checkpoint_steps() == {11}
    assert run.status()[0] == "started"
    assert work(job(ademamix_spec), tmp_path, data_root, "cpu", 1) == HELD  # not begun at all
    run.stop_path.unlink()
    assert trained(job(ademamix_spec), tmp_path, data_root).metrics() == \
        trained(job(ademamix_spec), tmp_path / "straight", data_root).metrics()  # fmt: skip
