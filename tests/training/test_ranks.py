"""Several processes train one run as one process does: real sessions over gloo, forked from here."""

import multiprocessing
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import ademamix.launch.warm  # noqa: F401 (what each fork would import on its own)
from ademamix.quantities import ValidationLoss
from ademamix.spec import RunSpec
from ademamix.store import Store
from ademamix.training import checkpoint
from ademamix.training.job import FAILED, Job
from ademamix.training.ranks import Ranks, joined
from ademamix.training.stop import Stop
from ademamix.training.worker import work

SEEN = ValidationLoss(windows=8)


def job(spec: RunSpec, until: int = 20, **changes: Any) -> Job:
    plain = Job(spec, until, frozenset({until}), {}, {SEEN: frozenset({10, 20})}, 5, 1e9)
    return replace(plain, **changes)


class Sudden(Stop):
    """Sets itself at the n-th reading, on one rank alone."""

    def __init__(self, readings: int) -> None:
        self.readings = readings

    def __bool__(self) -> bool:
        self.readings -= 1
        if self.readings == 0:
            self.signal = signal.SIGUSR2
        return self.signal is not None


def _rank(
    rank: int, size: int, the_job: Job, root: Path, data: Path, meet: Path, readings: int, shard: bool
) -> None:
    if inductor := sys.modules.get("torch._inductor.async_compile"):
        inductor.AsyncCompile.pool.cache_clear()  # inductor would wait for its threads, which stayed behind
    stop = Sudden(readings if rank == size - 1 else 0)
    with joined(rank, size, f"file://{meet}", shard) as ranks:
        code = work(the_job, root, data, "cpu", 1, ranks, stop)
    raise SystemExit(code)


def together(
    the_job: Job, root: Path, data: Path, meet: Path, readings: int = 0, size: int = 2, shard: bool = False
) -> list[int]:
    """The exit codes of `size` processes that train a run."""
    fork = multiprocessing.get_context("fork")
    ranks = [
        fork.Process(target=_rank, args=(rank, size, the_job, root, data, meet, readings, shard))
        for rank in range(size)
    ]
    for process in ranks:
        process.start()
    end = time.monotonic() + 120
    for process in ranks:
        process.join(max(0, end - time.monotonic()))
    late = [process for process in ranks if process.exitcode is None]
    for process in late:
        process.kill()
        process.join()
    assert not late, "ranks that wait for ever"
    return [process.exitcode or 0 for process in ranks]


def state(root: Path, spec: RunSpec, step: int = 20) -> dict[str, Any]:
    found = checkpoint.load(Store(root).run(spec.id), step, torch.device("cpu"))
    assert found is not None
    return found


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("micro_batch", [None, 1])
def test_ranks_learn_what_one_process_does(
    size: int, micro_batch: int | None, tmp_path: Path, data_root: Path, ademamix_spec: RunSpec
) -> None:
    """Losses, norms and weights, to the rounding of sums in another order."""
    the_job = job(ademamix_spec.changed(batch=8), micro_batch=micro_batch)
    many, one = tmp_path / "many", tmp_path / "one"
    assert together(the_job, many, data_root, tmp_path / "meet", size=size) == [0] * size
    assert work(the_job, one, data_root, "cpu", 1) == 0
    found, expected = (Store(root).run(the_job.spec.id) for root in (many, one))
    assert found.status()[0] == "finished"
    assert len(found.metrics()) == len(expected.metrics())
    for row, other in zip(found.metrics(), expected.metrics(), strict=True):
        assert row == pytest.approx(other, rel=1e-5)
    weights, others = (state(root, the_job.spec)["model"] for root in (many, one))
    assert weights.keys() == others.keys()  # a plain checkpoint, whoever wrote it
    for name in weights:
        torch.testing.assert_close(weights[name], others[name], rtol=1e-3, atol=1e-5)
    assert not (found.folder / "owner.json").exists()


def test_every_update_has_the_same_batch_for_any_number_of_ranks(
    data_root: Path, ademamix_spec: RunSpec
) -> None:
    task = ademamix_spec.changed(batch=8).open(data_root, torch.device("cpu"))
    for size in (1, 2, 4, 8):
        shares = [task.batch(3, Ranks(rank, size).rows(8)) for rank in range(size)]
        assert {len(share) for share in shares} == {8 // size}
        assert torch.equal(torch.cat(shares), task.batch(3))


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2), (4, 2)])
def test_a_run_goes_on_with_another_number_of_ranks(
    before: int, after: int, tmp_path: Path, data_root: Path, ademamix_spec: RunSpec
) -> None:
    the_job = job(ademamix_spec)
    straight, halting = tmp_path / "straight", tmp_path / "halting"
    assert together(the_job, straight, data_root, tmp_path / "meet 0", size=1) == [0]
    codes = together(the_job, halting, data_root, tmp_path / "meet 1", readings=8, size=before)
    assert codes[-1] == 128 + signal.SIGUSR2
    run = Store(halting).run(ademamix_spec.id)
    [step] = run.checkpoint_steps()
    assert 1 < step < 20
    assert together(the_job, halting, data_root, tmp_path / "meet 2", size=after) == [0] * after
    assert len(run.metrics()) == 4
    for row, expected in zip(run.metrics(), Store(straight).run(ademamix_spec.id).metrics(), strict=True):
        assert row == pytest.approx(expected, rel=1e-5)


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
    trunk = job(ademamix_spec, 10, observe={})
    assert work(trunk, tmp_path, data_root, "cpu", 1) == 0
    assert together(job(branch), tmp_path, data_root, tmp_path / "meet") == [0, 0]
    two = Store(tmp_path).run(branch.id)
    alone = tmp_path / "alone"
    assert work(trunk, alone, data_root, "cpu", 1) == 0
    assert work(job(branch), alone, data_root, "cpu", 1) == 0
    for row, expected in zip(two.metrics(), Store(alone).run(branch.id).metrics(), strict=True):
        assert row == pytest.approx(expected, rel=1e-5)


def test_divergence_ends_the_run_on_every_rank(tmp_path: Path, data_root: Path, adamw_spec: RunSpec) -> None:
    from ademamix.spec import override

    wild = override(adamw_spec, ["optimizer.lr=1e38", "clipping=null", "schedule.warmup=null"])
    assert together(job(wild), tmp_path / "two", data_root, tmp_path / "meet") == [0, 0]
    assert work(job(wild), tmp_path / "one", data_root, "cpu", 1) == 0
    two, one = (Store(tmp_path / name).run(wild.id).outcome() for name in ("two", "one"))
    assert two is not None
    assert one is not None
    assert (two.status, two.step) == (one.status, one.step)
    assert two.status == "diverged"


@pytest.mark.parametrize(("batch", "size", "instead"), [(1, 2, 1), (4, 3, 2)])
def test_a_batch_that_does_not_divide_is_refused(
    batch: int, size: int, instead: int, tmp_path: Path, data_root: Path, adamw_spec: RunSpec
) -> None:
    uneven = adamw_spec.changed(batch=batch)
    assert together(job(uneven), tmp_path, data_root, tmp_path / "meet", size=size) == [FAILED] * size
    message = Store(tmp_path).run(uneven.id).failure()
    assert f"a batch of {batch} cannot be split evenly among {size} processes" in message
    assert f"{instead} would do" in message
