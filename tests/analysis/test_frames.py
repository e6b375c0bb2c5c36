"""Stores and records as frames, and docs/analysing.md as it stands."""

from pathlib import Path

import pytest

from ademamix.checkout import checkout
from ademamix.records import export
from ademamix.spec import Fork, RunSpec
from ademamix.store import Outcome, Store
from analysis import frames
from tests.documents import block


@pytest.fixture
def store(tmp_path: Path, adamw_spec: RunSpec, ademamix_spec: RunSpec) -> Store:
    """An AdEMAMix run, and a branch of AdamW."""
    found = Store(tmp_path / "runs")
    for spec in (ademamix_spec, adamw_spec.changed(fork=Fork(parent=adamw_spec, step=2))):
        run = found.run(spec.id)
        run.begin(spec)
        run.write_metrics([{"step": 2, "loss": 3.5, "seconds": 0.5}, {"step": 4, "loss": 3.25}])
        run.finish(Outcome("finished", 4, {}, 1.5))
    return found


def test_a_row_for_each_run(
    store: Store, tmp_path: Path, ademamix_spec: RunSpec, adamw_spec: RunSpec
) -> None:
    found = frames.runs(store)
    row = found.loc[ademamix_spec.id]
    assert (row["status"], row["step"], row["loss"], row["optimizer.alpha"]) == ("finished", 4, 3.25, 4.0)
    (branch,) = [id for id in found.index if id != ademamix_spec.id]
    assert found.loc[branch, "fork.parent"] == adamw_spec.id
    for run in store.runs():
        export(run, tmp_path / "records")
    again = frames.records(tmp_path / "records")
    assert again["loss"].tolist() == found.loc[again.index, "loss"].tolist()


def test_a_row_for_each_step(store: Store, ademamix_spec: RunSpec) -> None:
    assert frames.curve(store.run(ademamix_spec.id))["loss"].tolist() == [3.5, 3.25]
    both = frames.curves(store, [run.id for run in store.runs()])
    assert both.loc[ademamix_spec.id, "loss"].tolist() == [3.5, 3.25]


def test_the_page(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout())
    exec(block("analysing.md"), {})
    assert "min" in capsys.readouterr().out
