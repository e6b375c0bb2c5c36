"""Which runs the spread over seeds is pooled over."""

from pathlib import Path

import pytest

from ademamix.paper.runs import ADAMW, ADEMAMIX, PaperRun, run
from ademamix.plan import Wanted
from ademamix.scale import scale
from ademamix.store import Outcome, Store, line
from analysis.noise import group_of, read_noise, write_noise

AT = scale("cpu")


def finished(store: Store, paper: PaperRun, seed: int, loss: float) -> Wanted:
    """A run of the scale that ended at `loss`."""
    spec = AT.map(paper, seed)
    folder = store.run(spec.id)
    folder.begin(spec)
    folder.metrics_path.write_text(line({"step": 4000, str(AT.validation_loss): loss}))
    folder.finish(Outcome("finished", 4000, {}, 1.0))
    return Wanted(spec, until=4000, paper=paper)


def test_runs_of_another_batch_searches_and_beta1_0_stay_apart(tmp_path: Path) -> None:
    store, usual = Store(tmp_path), run("110M", ADAMW, 256_000)
    spread = 0.01 * 2**0.5  # the standard deviation of two values 0.02 apart
    wanted = [finished(store, usual, seed, loss) for seed, loss in ((0, 1.5), (1, 1.52), (100, 9.0))]
    wanted += [finished(store, usual.changed(batch=512), seed, float(seed)) for seed in (0, 1)]
    plain = run("110M", ADEMAMIX, 256_000, beta1=0.0)
    wanted += [finished(store, plain, seed, 1.5 + 0.2 * seed) for seed in (0, 1)]
    write_noise(wanted, AT, store, tmp_path / "noise.csv")
    noise = read_noise(tmp_path / "noise.csv")
    assert group_of(usual) == "110M AdamW"
    assert noise.of("110M AdamW") == pytest.approx(spread)
    assert noise.of(group_of(plain)) == pytest.approx(10 * spread)
    assert noise.of("110M AdEMAMix") == pytest.approx(10 * spread)  # not known: the largest of its set-up
    assert noise.of("") is None
