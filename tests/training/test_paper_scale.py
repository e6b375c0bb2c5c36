"""`paper` is no plan printer: the real 110M model of Figure 12 makes two updates with its own settings."""

import json
import resource
from pathlib import Path

import numpy as np
import pytest
import torch

from ademamix.data import tokens
from ademamix.models.transformer_network import Transformer
from ademamix.plan import Wanted, entries
from ademamix.scale import scale
from ademamix.spec import override
from ademamix.store import Store
from ademamix.tasks import LanguageRun
from ademamix.tasks.language_task import LanguageTask
from ademamix.training.job import job_of
from ademamix.training.trainer import Trainer
from experiments.registry import figures
from tests.command_line import cli

SHORT = ("batch=1", "sequence=64", "compiled=false")  # all else is the paper's


def test_two_updates_of_figure_12(tmp_path: Path) -> None:
    at = scale("paper")
    spec = next(
        need.run for need in figures()["12"].needs(at) if getattr(need.run.optimizer, "alpha", None) == 10
    )
    one = override(spec, SHORT)
    assert isinstance(one, LanguageRun)
    # Every window is the same, so that the loss on the next batch must fall, however small the step.
    period = np.random.default_rng(0).integers(0, 32_000, one.sequence)
    text = np.tile(period, 100)
    splits = {"train": [text], "validation": [text[:2050]], "reserve": [text[:2050]]}
    tokens.write(spec.data.folder(tmp_path / "data"), splits, 32_000, {"kind": "test"})

    done = cli(
        "run", "--figure", "12a", "--scale", "paper", *(f"--set={setting}" for setting in SHORT),
        "--until", "2", "--device", "cpu",
        "--only", one.id, "--runs", str(tmp_path / "runs"), "--data", str(tmp_path / "data"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = Store(tmp_path / "runs").run(one.id)
    assert run.status()[0] == "finished"
    assert run.spec() == one
    (row,) = [r for r in run.metrics() if "loss" in r]
    assert row["step"] == 2

    # The same two updates in this process: shapes, precision, and each loss.
    task = LanguageTask(one, tmp_path / "data", torch.device("cpu"))
    runs = {one.id: Wanted(one, 2)}
    (entry,) = entries(runs, runs, Store(tmp_path / "none"))
    trainer = Trainer(job_of(entry, at), task)
    assert isinstance(trainer.model, Transformer)
    assert trainer.model.tokens.weight.shape == (32_000, 768)
    assert len(trainer.model.blocks) == 12
    seen: dict[str, torch.dtype] = {}
    trainer.model.blocks[0].up.register_forward_hook(lambda m, i, o: seen.update(linear=o.dtype))
    trainer.model.norm.register_forward_hook(lambda m, i, o: seen.update(norm=o.dtype))
    assert task.batch(1).shape == (1, 65)
    for t in (1, 2):
        trainer.update(t)
    assert seen == {"linear": torch.bfloat16, "norm": torch.float32}
    state = trainer.optimizer.state[trainer.model.tokens.weight]
    assert {v.dtype for v in state.values() if isinstance(v, torch.Tensor)} == {torch.float32}
    assert trainer.model.tokens.weight.dtype == torch.float32
    first, second = trainer.losses.values[0, :2].tolist()
    assert 10 < first < 11  # ln 32,000 is 10.4: nothing is known yet
    assert second < first
    assert row["loss"] == pytest.approx((first + second) / 2, rel=1e-3)
    group = trainer.optimizer.param_groups[0]
    assert group["lr"] == pytest.approx(1e-3 * 2 / 3000)
    assert (group["alpha"], group["alpha_warmup"], group["betas"]) == (10.0, 256_000, (0.9, 0.999, 0.9999))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 16 * 2**20  # KiB
    assert json.loads((run.folder / "spec.json").read_text())["precision"] == "bf16"
