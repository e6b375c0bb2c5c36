"""What runs cost, from their records."""

from pathlib import Path

import pytest

from ademamix.records import export
from ademamix.spec import RunSpec
from ademamix.store import Outcome, Store
from analysis.costs import worker_seconds


@pytest.mark.parametrize(("machine", "seconds"), [({}, 480.0), ({"packed": 8}, 60.0)])
def test_a_member_of_a_pack_costs_its_share(
    tmp_path: Path, adamw_spec: RunSpec, machine: dict[str, int], seconds: float
) -> None:
    run = Store(tmp_path / "runs").run(adamw_spec.id)
    run.begin(adamw_spec)
    run.write_metrics([{"step": 60, "loss": 2.5}])
    run.finish(Outcome("finished", 60, {}, 480.0, {"torch": "2", **machine}))
    assert worker_seconds(export(run, tmp_path / "records")) == seconds
    assert worker_seconds(tmp_path / "records" / "none.json.gz") is None
