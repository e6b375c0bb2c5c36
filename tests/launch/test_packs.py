"""Packs of the local launcher: which runs share a program, and what becomes of each of them."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ademamix.cli.pipeline import local
from ademamix.cli.verbs import cli
from ademamix.errors import UserError
from ademamix.launch import team
from ademamix.launch.local import Local
from ademamix.launch.packs import FULL, LARGEST, Packing, alike, member_bytes
from ademamix.paper.runs import ADAMW, run
from ademamix.scale import scale
from ademamix.spec import RunSpec, override
from ademamix.store import Store
from ademamix.training.job import Job
from tests.launch.contract import Contract, Make, Recorder, job


class TestPacked(Contract):
    """What every launcher does, with up to four runs in each program."""

    rounding = 1e-4

    @pytest.fixture
    def make(self) -> Make:
        return lambda: Local(["cpu"], packing=Packing(4))


def test_runs_of_one_shape_share_a_program(tmp_path: Path, data_root: Path, adamw_spec: RunSpec) -> None:
    """With two workers, each gets half of them; another shape waits for a worker of its own."""
    jobs = [job(adamw_spec.changed(seed=seed)) for seed in range(6)]
    other = job(override(adamw_spec, ["model.width=8"]))
    done = Local(["cpu", "cpu"], packing=Packing(4)).launch(
        [*jobs, other], Store(tmp_path), data_root, Recorder()
    )
    assert (done.failed, done.pending, done.exit_code) == ((), (), 0)
    found = [Store(tmp_path).run(each.spec.id).outcome() for each in (*jobs, other)]
    assert [end and end.machine.get("packed", 1) for end in found] == [3] * 6 + [1]


def test_a_lost_process_fails_the_members_that_were_not_done(
    tmp_path: Path, data_root: Path, adamw_spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, lost = job(adamw_spec), replace(job(adamw_spec.changed(seed=1)), until=10**6)
    monkeypatch.setattr(team, "_train", die_when_the_first_is_done)
    found = Local(["cpu"], packing=Packing(2)).launch([lost, done], Store(tmp_path), data_root, Recorder())
    assert [each.spec.id for each in found.failed] == [lost.spec.id]
    assert Store(tmp_path).run(lost.spec.id).failure() == "the worker was stopped by signal 9"
    assert Store(tmp_path).run(done.spec.id).status()[0] == "finished"


def die_when_the_first_is_done(jobs: tuple[Job, ...], root: Path, data: Path, *_: object) -> None:
    """In a worker: its end by SIGKILL as soon as a member has its outcome."""
    import os
    import signal

    from ademamix.training import pack_worker, session

    finish = session.Session.finish

    def last(self: session.Session, *args: object) -> None:
        finish(self, *args)  # type: ignore[arg-type]
        os.kill(os.getpid(), signal.SIGKILL)

    session.Session.finish = last  # type: ignore[method-assign, assignment]
    pack_worker.work_together(jobs, root, data, "cpu", 1)


def test_what_is_packed_by_itself(adamw_spec: RunSpec) -> None:
    """Nothing on a CPU; on a GPU until it is full, or its memory."""
    small = job(adamw_spec)
    assert Packing().most(small) == 1
    assert Packing("auto").most(small) == 1
    assert Packing(4).most(small) == 4
    assert Packing("auto", memory=8e10).most(small) == LARGEST
    assert Packing("auto", memory=6.5 * member_bytes(small)).most(small) == 3
    large = job(scale("paper").map(run("110M", ADAMW, 256_000)))
    assert large.spec.flops_per_step > FULL
    assert Packing("auto", memory=8e10).most(large) == 1
    vision = job(scale("gpu").map(run("vit-24M/imagenet-21k-p", ADAMW, 256_000)))
    assert Packing(4).most(vision) == 1


def test_what_can_be_one_pack(adamw_spec: RunSpec, ademamix_spec: RunSpec) -> None:
    assert alike(job(adamw_spec), job(ademamix_spec.reseeded(4)))
    assert not alike(job(adamw_spec), replace(job(ademamix_spec), micro_batch=2))
    assert not alike(job(adamw_spec), job(override(adamw_spec, ["sequence=8"])))


def test_a_pack_is_of_runs_on_one_gpu_each() -> None:
    assert local(scale("cpu"), 1).packing == Packing(8)  # type: ignore[union-attr]
    assert local(scale("gpu"), 1, "cpu").packing == Packing("auto")  # type: ignore[union-attr]
    with pytest.raises(UserError, match="leave out --gpus-per-run"):
        local(scale("gpu"), None, "cpu", 2, pack=4)


@pytest.mark.parametrize("given", ["0", "-2", "some"])
def test_a_number_of_members_is_a_number(given: str) -> None:
    done = CliRunner().invoke(cli, ["run", "--figure", "9", "--scale", "smoke", "--pack", given])
    assert done.exit_code == 2
    assert "neither a number of runs, from 1, nor auto" in done.output
