"""A kept checkpoint as a model, and what it writes; `ademamix train` and `sample` end to end."""

from pathlib import Path

import pytest
import torch

from ademamix.errors import UserError
from ademamix.store import Store
from ademamix.training.load import generate, load_model
from tests.command_line import cli

TRAIN = ("train", "--scale", "smoke", "--steps", 12, "--set", "optimizer.alpha=4")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("train")
    done = cli(*TRAIN, "--runs", root)
    assert done.returncode == 0, done.stderr
    assert "validation_loss" in done.stdout
    return Store(root)


def test_one_run_outside_any_figure(trained: Store) -> None:
    (run,) = trained.runs()
    spec = run.spec()
    assert (spec.optimizer.alpha, spec.optimizer.alpha_warmup, spec.schedule.horizon) == (4, 12, 12)
    assert run.checkpoint_steps() == run.kept() == {12}
    row = next(row for row in run.rows() if "loss" in row)
    assert {"lr", "alpha", "beta3", "seconds"} <= row.keys()
    assert row["alpha"] == pytest.approx(4 * 4 / 12)
    assert row["lr"] == pytest.approx(spec.schedule.at(4, spec.optimizer.lr))
    again = cli(
        "train", "--scale", "smoke", "--steps", 12, "--set", "optimizer.alpha=4", "--runs", trained.root
    )
    assert "nothing to train: the one run is complete" in again.stderr


def test_a_checkpoint_as_a_model(trained: Store) -> None:
    (run,) = trained.runs()
    model = load_model(run)
    assert not model.training
    assert model(torch.zeros(1, 5, dtype=torch.long)).shape == (1, 5, 256)
    first, again = (generate(model, [65], 20, 16, seed=1) for _ in range(2))
    assert first == again
    assert generate(model, [65], 20, 16, seed=2) != first
    with pytest.raises(UserError, match=r"no checkpoint of step 3 \(there are: 12\)"):
        load_model(run, 3)


def test_it_writes(trained: Store) -> None:
    (run,) = trained.runs()
    said = cli("sample", run.id[:5], "--tokens", 20, "--prompt", "import ", "--runs", trained.root)
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("import ")
    shown = cli("show", run.id, "--runs", trained.root)
    assert "validation_loss:8, last" in shown.stdout
    assert "▁" in shown.stdout or "█" in shown.stdout
    listed = cli("runs", "--where", "optimizer.alpha=4", "--runs", trained.root)
    assert run.id in listed.stdout
    assert "no such runs" in cli("runs", "--where", "optimizer.alpha=5", "--runs", trained.root).stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("train", "--optimizer", "adm"), "did you mean 'adamw'?"),
        (("train", "--size", "10M"), "did you mean '110M'?"),
        (("train", "--size", "1.3B", "--optimizer", "lion"), "no best values of lion for 1.3B"),
        (("sample", "zzz"), "no run in"),
    ],
)
def test_mistakes(args: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = cli(*args, "--runs", tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
