"""Who trains a run: alive by its process here, by its heartbeat elsewhere."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from ademamix import owner
from ademamix.owner import Owner


def test_a_process_owns_a_run_for_as_long_as_it_says(tmp_path: Path) -> None:
    assert not owner.alive(tmp_path)
    with owner.owning(tmp_path):
        assert owner.alive(tmp_path)
        assert owner.of(tmp_path) == Owner.me()
    assert not owner.alive(tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_owner_whose_process_is_gone_is_gone(tmp_path: Path) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    gone = Owner.me().model_copy(update={"process": process.pid})
    (tmp_path / owner.NAME).write_text(gone.model_dump_json())
    assert not owner.alive(tmp_path)


def test_a_process_id_that_was_given_anew_is_not_the_owner(tmp_path: Path) -> None:
    path = tmp_path / owner.NAME
    path.write_text(Owner.me().model_copy(update={"process": 1}).model_dump_json())
    assert owner.alive(tmp_path)
    os.utime(path, (0, 0))
    assert not owner.alive(tmp_path)
    assert not owner.elsewhere(tmp_path)


def test_an_owner_on_another_machine_lives_by_its_heartbeat(tmp_path: Path) -> None:
    path = tmp_path / owner.NAME
    path.write_text(Owner(host="another machine", process=1, job="17").model_dump_json())
    assert owner.alive(tmp_path)
    long_ago = time.time() - 2 * owner.STALE
    os.utime(path, (long_ago, long_ago))
    assert not owner.alive(tmp_path)


def test_a_job_that_was_requeued_is_its_own_successor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / owner.NAME
    path.write_text(Owner(host="another machine", process=1, job="17").model_dump_json())
    assert owner.elsewhere(tmp_path)
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert not owner.elsewhere(tmp_path)


def test_a_heart_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "BEAT", 0.02)
    with owner.owning(tmp_path):
        os.utime(tmp_path / owner.NAME, (0, 0))
        for _ in range(200):
            time.sleep(0.01)
            if (tmp_path / owner.NAME).stat().st_mtime > 0:
                break
        assert (tmp_path / owner.NAME).stat().st_mtime > 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host": 3}'])
def test_a_damaged_owner_is_nobody(content: str, tmp_path: Path) -> None:
    (tmp_path / owner.NAME).write_text(content)
    assert not owner.alive(tmp_path)
