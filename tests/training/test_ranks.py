"""Several processes train one run as one process does: real sessions over gloo, forked from here."""

import multiprocessing
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import ademamix.launch.warm  # noqa: F401 (what each fork would import on its own)
from ademamix.quantities import ValidationLoss
from ademamix.spec import RunSpec
from ademamix.store import Store
from ademamix.training.job import FAILED, Job
from ademamix.training.ranks import Ranks
from ademamix.training.stop import Stop
from ademamix.training.worker import work

SEEN = ValidationLoss(windows=8)


def job(spec: RunSpec, until: int = 20) -> Job:
    return Job(spec, until, frozenset({until}), {}, {SEEN: frozenset({10, 20})}, 5, 1e9)


class Sudden(Stop):
    """Sets itself at the n-th reading, on one rank alone."""

    def __init__(self, readings: int) -> None:
        self.readings = readings

    def __bool__(self) -> bool:
        self.readings -= 1
        if self.readings == 0:
            self.signal = signal.SIGUSR2
        return self.signal is not None


def _rank(rank: int, size: int, the_job: Job, root: Path, data: Path, meet: Path, readings: int) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{meet}", rank=rank, world_size=size)
    stop = Sudden(readings if rank == size - 1 else 0)
    raise SystemExit(work(the_job, root, data, "cpu", 1, Ranks(rank, size), stop))


def together(the_job: Job, root: Path, data: Path, meet: Path, readings: int = 0, size: int = 2) -> list[int]:
    """The exit codes of `size` processes that train a run."""
    fork = multiprocessing.get_context("fork")
    ranks = [
        fork.Process(target=_rank, args=(rank, size, the_job, root, data, meet, readings))
        for rank in range(size)
    ]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(120)
    return [process.exitcode or 0 for process in ranks]


def test_two_ranks_learn_what_one_does(tmp_path: Path, data_root: Path, ademamix_spec: RunSpec) -> None:
    assert together(job(ademamix_spec), tmp_path / "two", data_root, tmp_path / "meet") == [0, 0]
    assert work(job(ademamix_spec), tmp_path / "one", data_root, "cpu", 1) == 0
    two, one = (Store(tmp_path / name).run(ademamix_spec.id) for name in ("two", "one"))
    assert two.status()[0] == "finished"
    assert len(two.metrics()) == len(one.metrics())
    for row, expected in zip(two.metrics(), one.metrics(), strict=True):
        assert row == pytest.approx(expected, rel=1e-5)
    assert not (two.folder / "owner.json").exists()


def test_a_stop_of_one_rank_stops_all_and_they_go_on_together(
    tmp_path: Path, data_root: Path, ademamix_spec: RunSpec
) -> None:
    straight, halting = tmp_path / "straight", tmp_path / "halting"
    assert together(job(ademamix_spec), straight, data_root, tmp_path / "meet 0") == [0, 0]
    first = together(job(ademamix_spec), halting, data_root, tmp_path / "meet 1", readings=8)
    assert first == [0, 128 + signal.SIGUSR2]  # only one was told, both left
    run = Store(halting).run(ademamix_spec.id)
    [step] = run.checkpoint_steps()
    assert 1 < step < 20
    assert together(job(ademamix_spec), halting, data_root, tmp_path / "meet 2") == [0, 0]
    assert run.metrics() == Store(straight).run(ademamix_spec.id).metrics()


def test_a_branch_starts_from_its_trunk_on_every_rank(
    tmp_path: Path, data_root: Path, ademamix_spec: RunSpec
) -> None:
    branch = ademamix_spec.branch(10, inject=0)
    trunk = replace(job(ademamix_spec, 10), observe={})
    assert work(trunk, tmp_path, data_root, "cpu", 1) == 0
    assert together(job(branch), tmp_path, data_root, tmp_path / "meet") == [0, 0]
    two = Store(tmp_path).run(branch.id)
    alone = tmp_path / "alone"
    assert work(trunk, alone, data_root, "cpu", 1) == 0
    assert work(job(branch), alone, data_root, "cpu", 1) == 0
    for row, expected in zip(two.metrics(), Store(alone).run(branch.id).metrics(), strict=True):
        assert row == pytest.approx(expected, rel=1e-5)


def test_more_ranks_than_samples_are_refused(tmp_path: Path, data_root: Path, adamw_spec: RunSpec) -> None:
    small = adamw_spec.changed(batch=1)
    assert together(job(small), tmp_path, data_root, tmp_path / "meet") == [FAILED, FAILED]
    assert "a batch of 1 cannot be split among 2 processes" in Store(tmp_path).run(small.id).failure()
