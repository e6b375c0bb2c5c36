"""Estimates of hours: by what was measured on this machine, where something was."""

import json
from pathlib import Path

import pytest

from ademamix.errors import UserError
from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from ademamix.plan import Wanted, cost, hours_from_scratch, step_hours
from ademamix.rates import Rates, gpu_here, measured, processor_here
from ademamix.scale import read_scale, scale


def write(folder: Path, processor: str, device: str = "cpu", at: str = "cpu", load: float = 0.1) -> None:
    row = {"scale": at, "size": "110M", "adamw": {"tokens per second": 1000.0},
           "ademamix": {"tokens per second": 500.0}}  # fmt: skip
    of = {"processor": processor, "cores": 2, "load before": load}
    found = {"machine": of, "runs": [row]}
    (folder / f"training-{device}.json").write_text(json.dumps(found))


def wanted(size: str, optimizer: str) -> Wanted:
    stated = run(size, optimizer, 256_000)
    return Wanted(scale("cpu").map(stated), 4000, shown=True, paper=stated)


def test_measured_rates_give_the_hours(tmp_path: Path) -> None:
    at = scale("cpu")
    write(tmp_path, processor_here())
    rates = measured(at, tmp_path)
    tokens = 4000 * 4 * 64
    for optimizer, rate in ((ADEMAMIX, 500), ("lion", 1000), (ADAMW, 1000)):
        w = wanted("110M", optimizer)
        assert cost(w, at, rates=rates).hours == pytest.approx(tokens / rate / 3600)
    assert hours_from_scratch([w], at, rates) == pytest.approx(tokens / 1000 / 3600)


def test_what_was_not_measured_is_assumed(tmp_path: Path) -> None:
    at = scale("cpu")
    write(tmp_path, processor_here())
    for w in (wanted("330M", ADAMW), Wanted(wanted("110M", ADAMW).spec, 4000)):
        assert step_hours(w, at, measured(at, tmp_path)) == step_hours(w, at) > 0


WIDER = "{kind: transformer, width: 96, heads: 4, layers: 2, positions: 64, vocabulary: 256}"


@pytest.mark.parametrize(
    ("changed", "known"),
    [
        ("horizon: 8000", True),
        (f"models: {{110M: {WIDER}}}", False),
        ("tasks: {language: {batch: 8}}", False),
    ],
)
def test_a_scale_like_another_has_its_rates_where_it_trains_the_same(
    tmp_path: Path, changed: str, known: bool
) -> None:
    write(tmp_path, processor_here())
    (tmp_path / "mine.yaml").write_text(f"like: cpu\n{changed}\n")
    rates = measured(read_scale(tmp_path / "mine.yaml"), tmp_path)
    assert (("110M", "adamw") in rates.found) is known


def test_what_was_measured_at_a_scale_itself_counts_more(tmp_path: Path) -> None:
    write(tmp_path, processor_here())
    path = tmp_path / "training-cpu.json"
    found = json.loads(path.read_text())
    found["runs"].insert(0, {"scale": "mine", "size": "110M", "adamw": {"tokens per second": 7.0}})
    path.write_text(json.dumps(found))
    (tmp_path / "mine.yaml").write_text("like: cpu\nhorizon: 8000\n")
    rates = measured(read_scale(tmp_path / "mine.yaml"), tmp_path)
    assert rates.found == {("110M", "adamw"): 7.0, ("110M", "ademamix"): 500.0}


def test_another_machine_or_another_scale_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert measured(scale("cpu"), tmp_path) == Rates()
    write(tmp_path, "another processor")
    assert measured(scale("cpu"), tmp_path) == Rates()
    write(tmp_path, processor_here(), at="smoke")
    assert measured(scale("cpu"), tmp_path) == Rates()
    monkeypatch.setattr("ademamix.rates.gpu_here", lambda: "NVIDIA H200")
    write(tmp_path, "NVIDIA H200", "cuda", "paper")
    assert measured(scale("paper"), tmp_path).found
    write(tmp_path, "NVIDIA H100 80GB HBM3", "cuda", "paper")
    assert not measured(scale("paper"), tmp_path).found


def test_a_busy_machine_says_nothing(tmp_path: Path) -> None:
    write(tmp_path, processor_here(), load=1.5)
    assert measured(scale("cpu"), tmp_path) == Rates()


def test_a_damaged_result_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "training-cpu.json").write_text('{"machine": {}}')
    with pytest.raises(UserError, match="measure again"):
        measured(scale("cpu"), tmp_path)


def test_the_gpus_name_is_the_first_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "nvidia-smi"
    fake.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3'\necho 'NVIDIA A100'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    gpu_here.cache_clear()
    try:
        assert gpu_here() == "NVIDIA H100 80GB HBM3"
    finally:
        gpu_here.cache_clear()
