"""`make bench`: what it measures is there, and the loop beside ours is the one it says."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from ademamix.checkout import checkout
from ademamix.models import TransformerConfig
from ademamix.rates import measured
from ademamix.scale import scale
from benchmarks import scaling, training
from benchmarks.nanogpt import NanoGPT


def test_it_measures_and_plans_take_its_rates(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        training.main,
        ["--device", "cpu", "--rounds", "1", "--updates", "2", "--out", str(tmp_path)],
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.output
    path = tmp_path / "training-cpu.json"
    found = json.loads(path.read_text())
    (run,) = found["runs"]
    assert found["peak FLOP/s"] > 1e8
    for name in ("adamw", "ademamix", "nanoGPT"):
        assert run[name]["MFU"] > 0
        assert run[name]["tokens per second"] > 0
    for name in ("adamw", "ademamix"):
        assert run[name]["share"].keys() == {"data", "optimizer", "evaluation"}
        assert all(0 < share < 1 for share in run[name]["share"].values())  # parts of the whole
    assert run["AdEMAMix / AdamW, time"] > 0
    found["machine"]["load before"] = 0.0  # whatever else runs here
    path.write_text(json.dumps(found))
    rates = measured(scale("cpu"), tmp_path)
    assert rates.found["110M", "ademamix"] == run["ademamix"]["tokens per second"]


def test_the_setting_of_track_3() -> None:
    """Its sizes, as its own file has them: 12 layers of width 768, 512 windows, a vocabulary of 50,304."""
    specs, passes = training.specs_of(training.TRACK_3, scale("paper"))
    theirs = 12 * (12 * 768**2) + 2 * 50_304 * 768  # matrices; biases, gains and positions differ
    for spec in specs.values():
        assert spec.units_per_step == 524_288
        assert spec.batch % passes == 0  # type: ignore[operator]
        assert abs(spec.model.parameters() / theirs - 1) < 0.01
        assert spec.compiled


def test_what_is_on_paper_is_what_is_computed() -> None:
    page = (checkout() / "docs" / "scaling.md").read_text()
    for table in (scaling.step(), scaling.speed()):
        assert table in page, "docs/scaling.md: paste what python -m benchmarks.scaling prints"


@pytest.fixture
def nanogpt(tmp_path: Path) -> NanoGPT:
    path = tmp_path / "tokens"
    np.tile(np.arange(32, dtype=np.uint16), 100).tofile(path)
    of = TransformerConfig(width=16, heads=2, layers=1, positions=16, vocabulary=32)
    torch.manual_seed(0)
    return NanoGPT(of, sequence=16, batch=20, tokens=path, device=torch.device("cpu"), compiled=False)


def test_the_other_loop_learns(nanogpt: NanoGPT) -> None:
    before = nanogpt._model(*nanogpt._next).item()
    assert before == pytest.approx(np.log(32), rel=0.05)
    for _ in range(60):
        nanogpt.update()
    assert nanogpt._model(*nanogpt._next).item() < 0.9 * before


def test_the_other_loop_takes_whole_micro_batches(nanogpt: NanoGPT) -> None:
    assert nanogpt.passes == 2
    assert nanogpt.tokens_per_update == 2 * 12 * 16
    x, y = nanogpt._next
    assert torch.equal(x[:, 1:], y[:, :-1])


def test_the_other_network_is_ours_but_for_the_biases_of_norms(nanogpt: NanoGPT) -> None:
    of = TransformerConfig(width=16, heads=2, layers=1, positions=16, vocabulary=32)
    biases = 3 * 16  # of two norms in the block and the last one
    assert sum(p.numel() for p in nanogpt._params) == of.parameters() - biases
