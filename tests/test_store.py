"""Run folders, records, and what is damaged, newer or unwritable."""

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ademamix.errors import UserError
from ademamix.lineage import past
from ademamix.quantities import ValidationLoss
from ademamix.records import astray, export, load_record
from ademamix.spec import Need, RunSpec
from ademamix.store import Outcome, Store, line

VALIDATION = ValidationLoss(windows=8)


def _complete(store: Store, spec: RunSpec) -> None:
    run = store.run(spec.id)
    run.begin(spec)
    rows = [{"step": 2, "loss": 3.5, "grad_norm": 1.25}, {"step": 4, "loss": 3.25, str(VALIDATION): 3.0}]
    run.metrics_path.write_text("".join(map(line, rows)))
    run.finish(Outcome("finished", 4, {str(VALIDATION): [4]}, 1.5, {"torch": "2"}))


def test_a_record_brings_a_run_back(tmp_path: Path, ademamix_spec: RunSpec) -> None:
    first, second = Store(tmp_path / "a"), Store(tmp_path / "b")
    _complete(first, ademamix_spec)
    path = export(first.run(ademamix_spec.id), tmp_path / "records")
    assert load_record(path, second)
    before, after = first.run(ademamix_spec.id), second.run(ademamix_spec.id)
    assert after.spec() == ademamix_spec
    assert after.metrics() == before.metrics()
    assert after.outcome() == before.outcome()
    assert after.status()[0] == "finished"
    assert not load_record(path, second)  # it is there already


def test_equal_runs_give_equal_records(tmp_path: Path, ademamix_spec: RunSpec) -> None:
    store = Store(tmp_path)
    _complete(store, ademamix_spec)
    run = store.run(ademamix_spec.id)
    first = export(run, tmp_path / "one").read_bytes()
    assert export(run, tmp_path / "two").read_bytes() == first
    assert len(first) < 2_000


def test_a_record_says_which_training_of_its_trunk_a_branch_goes_on_from(
    tmp_path: Path, ademamix_spec: RunSpec
) -> None:
    first, second = Store(tmp_path / "a"), Store(tmp_path / "b")
    branch = ademamix_spec.branch(3)
    for spec in (ademamix_spec, branch):
        _complete(first, spec)
    run = first.run(branch.id)
    run.finish(replace(run.complete()[0], past=past(branch, first)))
    records = [export(first.run(spec.id), tmp_path) for spec in (branch, ademamix_spec)]
    assert all(load_record(path, second) for path in records)  # in any order
    there = second.run(branch.id)
    assert there.complete()[0].past == past(branch, second) != ""
    assert astray(second) == []
    assert not load_record(records[0], second)
    # A branch of another training, beside the record of one of the trunk that is there.
    there.finish(replace(there.complete()[0], past="another"))
    assert [run.id for run in astray(second)] == [branch.id]
    assert load_record(records[0], second)
    assert astray(second) == []


def test_a_record_replaces_a_shorter_run(tmp_path: Path, ademamix_spec: RunSpec) -> None:
    first, second = Store(tmp_path / "a"), Store(tmp_path / "b")
    _complete(first, ademamix_spec)
    path = export(first.run(ademamix_spec.id), tmp_path)
    short = second.run(ademamix_spec.id)
    short.begin(ademamix_spec)
    short.checkpoints.mkdir()
    short.checkpoint_path(2).with_suffix(".json").touch()
    short.finish(Outcome("finished", 2, {}, 1.0))
    assert load_record(path, second)
    assert short.outcome() == first.run(ademamix_spec.id).outcome()
    assert not short.checkpoint_steps()


@pytest.mark.parametrize("damage", ["cut", "flipped", "newer", "renamed"])
def test_bad_records_are_refused_in_one_line(tmp_path: Path, ademamix_spec: RunSpec, damage: str) -> None:
    store = Store(tmp_path / "store")
    _complete(store, ademamix_spec)
    path = export(store.run(ademamix_spec.id), tmp_path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "flipped":
        raw = path.read_bytes()
        path.write_bytes(raw[:60] + bytes([raw[60] ^ 255]) + raw[61:])
    elif damage == "newer":
        record = json.loads(gzip.decompress(path.read_bytes()))
        path.write_bytes(gzip.compress(json.dumps({**record, "schema": 99}).encode()))
    else:
        path = path.rename(tmp_path / "000000000000.json.gz")
    with pytest.raises(UserError, match=r"readable|newer|holds run") as caught:
        load_record(path, Store(tmp_path / "other"))
    assert "\n" not in str(caught.value)


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text('{"schema": 99}')
    with pytest.raises(UserError, match="newer version"):
        Store(tmp_path)


def test_an_unwritable_store_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write to .*--runs"):
        Store(tmp_path / "file" / "runs").open()


def test_a_line_cut_short_is_left_out(tmp_path: Path, ademamix_spec: RunSpec) -> None:
    run = Store(tmp_path).run(ademamix_spec.id)
    run.folder.mkdir()
    run.metrics_path.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    assert run.metrics() == [{"step": 1, "loss": 2.0}]


def test_an_outcome_serves_only_what_was_observed(adamw_spec: RunSpec) -> None:
    def need(until: int, *steps: int) -> Need:
        return Need(adamw_spec, until, observe={VALIDATION: frozenset(steps)})

    finished = Outcome("finished", 60, {str(VALIDATION): [30, 60]}, 1.0)
    assert finished.serves(need(60, 30, 60))
    assert finished.serves(need(50, 30))
    assert not finished.serves(need(61))
    assert not finished.serves(need(60, 45))
    diverged = Outcome("diverged", 40, {str(VALIDATION): [30]}, 1.0)
    assert diverged.serves(need(60, 30, 60))
    assert not diverged.serves(need(60, 20))


def test_running_is_known_by_the_owner(tmp_path: Path, adamw_spec: RunSpec) -> None:
    run = Store(tmp_path).run(adamw_spec.id)
    assert run.status()[0] == "new"
    run.begin(adamw_spec)
    assert run.status()[0] == "started"
    code = """
import sys, time
from pathlib import Path
from ademamix.owner import owning
with owning(Path(sys.argv[1])):
    print('held', flush=True)
    time.sleep(60)
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(run.folder)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        assert run.status()[0] == "running"
    finally:
        holder.kill()
        holder.wait()
    run.failure_path.write_text("boom\n")
    assert run.status()[0] == "failed"


def test_runs_are_found_by_the_beginning_of_their_id(tmp_path: Path, adamw_spec: RunSpec) -> None:
    store = Store(tmp_path)
    _complete(store, adamw_spec)
    assert store.find(adamw_spec.id[:5]).id == adamw_spec.id
    with pytest.raises(UserError, match="no run"):
        store.find("zzz")


def test_nothing_temporary_is_left(tmp_path: Path, adamw_spec: RunSpec) -> None:
    _complete(Store(tmp_path), adamw_spec)
    assert not list(tmp_path.rglob("*.tmp"))
