"""Figure 5a's measurement: taken once, and again when its runs are no longer those of the scale."""

from pathlib import Path
from typing import Any

import pytest

from ademamix.cli import pipeline
from ademamix.scale import Scale, scale
from ademamix.store import Store, read_measurement, write_measurement
from experiments import registry
from experiments.fig05_26_switching import figure_05a


def test_a_measurement_of_other_runs_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []

    def measure(at: Scale, data_root: Path, device: str) -> dict[str, Any]:
        taken.append(device)
        return {"iterations": 64, "sizes": {}}

    monkeypatch.setattr(figure_05a, "measure", measure)
    at, store = scale("smoke"), Store(tmp_path)
    path = store.measurement_path("figure-05a", "smoke")
    for _ in range(2):
        pipeline.measure(registry.named("5a"), at, store, tmp_path)
    assert taken == ["cpu"]
    found = read_measurement(path)
    assert len(found["runs"]) == 4
    write_measurement(path, {**found, "runs": found["runs"][::-1]})
    pipeline.measure(registry.named("5a"), at, store, tmp_path)
    assert len(taken) == 2
    assert read_measurement(path) == found
