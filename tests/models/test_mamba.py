"""Mamba: the paper's size, the original's initial values, and a recurrence that is right."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ademamix.models import MambaConfig, build
from ademamix.models.mamba_network import Block, Mamba
from ademamix.models.selective_scan import fused, selective_scan
from ademamix.paper.language import language_model
from ademamix.quantities import ValidationLoss
from ademamix.store import Store
from ademamix.tasks import LanguageRun
from ademamix.training.job import Job
from ademamix.training.session import Session
from ademamix.training.trainer import Trainer
from tests.conftest import VOCABULARY

SMALL = MambaConfig(width=12, layers=2, vocabulary=VOCABULARY, state=3)


def test_the_papers_size() -> None:
    model = language_model("mamba-168M").model
    assert isinstance(model, MambaConfig)
    assert sum(p.numel() for p in Block(model).parameters()) == 3_771_648
    assert model.parameters() == 24 * 3_771_648 + 2 * 50_280 * 768 + 768 == 167_750_400
    six_per_weight = 6 * (model.parameters() - model.vocabulary * model.width)
    assert model.training_flops(1024) / 1024 == pytest.approx(six_per_weight, rel=0.15)


def test_initial_values_are_the_originals() -> None:
    config = MambaConfig(width=64, layers=4, vocabulary=VOCABULARY, init_std=0.05)
    model = build(config, seed=3)
    assert isinstance(model, Mamba)
    assert float(model.tokens.weight.detach().std()) == pytest.approx(0.05, rel=0.1)
    for block in model.blocks:
        assert isinstance(block, Block)
        assert torch.equal(block.A_log.exp().round(), torch.arange(1.0, 17).expand(128, 16))
        assert torch.equal(block.D, torch.ones(128))
        steps = torch.nn.functional.softplus(block.step.bias.detach())
        assert 1e-3 * (1 - 1e-3) <= float(steps.min()) < 2e-3
        assert 5e-2 < float(steps.max()) <= 1e-1 * (1 + 1e-3)
        logs = steps.log10()
        assert float(logs.mean()) == pytest.approx(-2, abs=0.2)  # even in the logarithm
        assert float(block.step.weight.detach().abs().max()) == pytest.approx(
            config.step_rank**-0.5, rel=0.05
        )
        limit = 1 / math.sqrt(128) / math.sqrt(4)  # a linear layer's, over the root of the depth
        assert float(block.out.weight.detach().abs().max()) == pytest.approx(limit, rel=0.01)
        assert float(block.into.weight.detach().abs().max()) == pytest.approx(1 / 8, rel=0.01)
        assert float(block.convolution.weight.detach().abs().max()) == pytest.approx(0.5, rel=0.05)
    again = build(config, 3).parameters()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again, strict=True))
    assert not torch.equal(model.head.weight, build(config, 4).head.weight)


def step_by_step(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:  # noqa: N803
    """The recurrence as it is written down."""
    h, found = u.new_zeros(u.shape[0], u.shape[2], A.shape[1]), []
    for t in range(u.shape[1]):
        h = torch.exp(delta[:, t, :, None] * A) * h + (delta[:, t] * u[:, t])[..., None] * B[:, t, None]
        found.append((h * C[:, t, None]).sum(-1) + D * u[:, t])
    return torch.stack(found, 1)


def inputs(batch: int, length: int, channels: int, states: int, dtype: torch.dtype) -> list[Tensor]:
    draw = torch.Generator().manual_seed(length)
    made = [
        torch.randn(batch, length, channels, generator=draw),
        torch.rand(batch, length, channels, generator=draw) * 0.2,
        -torch.arange(1.0, states + 1).repeat(channels, 1),
        torch.randn(batch, length, states, generator=draw),
        torch.randn(batch, length, states, generator=draw),
        torch.randn(channels, generator=draw),
    ]
    return [x.to(dtype).requires_grad_() for x in made]


@pytest.mark.parametrize("length", [1, 2, 33])
def test_the_scan_equals_the_recurrence(length: int) -> None:
    """Values and gradients, within fp32 rounding."""
    given = inputs(2, length, 5, 4, torch.float32)
    weights = torch.randn(2, length, 5, generator=torch.Generator().manual_seed(0))
    plain, own = step_by_step(*given), selective_scan(*given)
    torch.testing.assert_close(own, plain, rtol=1e-5, atol=1e-6)
    expected = torch.autograd.grad((plain * weights).sum(), given)
    for found, right in zip(torch.autograd.grad((own * weights).sum(), given), expected, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-4, atol=2e-6 * float(right.abs().max() + 1))


def test_the_scans_gradient_is_that_of_its_values() -> None:
    assert torch.autograd.gradcheck(selective_scan, inputs(2, 4, 3, 2, torch.float64))


@pytest.mark.skipif(not torch.cuda.is_available() or fused() is None, reason="needs CUDA and mamba_ssm")
def test_the_fused_kernel_equals_the_recurrence() -> None:
    given = [x.detach().cuda().requires_grad_() for x in inputs(2, 33, 8, 16, torch.float32)]
    plain, kernel = step_by_step(*given), selective_scan(*given)
    torch.testing.assert_close(kernel, plain, rtol=1e-3, atol=1e-4)
    expected = torch.autograd.grad(plain.square().sum(), given)
    for found, right in zip(torch.autograd.grad(kernel.square().sum(), given), expected, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-3, atol=1e-3 * float(right.abs().max()))


def test_no_token_sees_a_later_one() -> None:
    model = build(SMALL, seed=0)
    tokens = torch.arange(10).remainder(VOCABULARY)[None]
    changed = tokens.clone()
    changed[0, 6] += 1
    first, second = model(tokens), model(changed)
    assert torch.equal(first[:, :6], second[:, :6])
    assert not torch.equal(first[:, 6:], second[:, 6:])


@pytest.fixture
def spec(ademamix_spec: LanguageRun) -> LanguageRun:
    return ademamix_spec.changed(model=SMALL)


@pytest.mark.parametrize("decay_state", [False, True])
def test_weight_decay_leaves_the_state_space_alone(
    spec: LanguageRun, data_root: Path, decay_state: bool
) -> None:
    run = spec.changed(model=SMALL.model_copy(update={"decay_state": decay_state}))
    trainer = Trainer(job(run), run.open(data_root, torch.device("cpu")))
    decayed = {p: group["weight_decay"] for group in trainer.optimizer.param_groups for p in group["params"]}
    assert len(decayed) == len(list(trainer.model.parameters()))
    for name, p in trainer.model.named_parameters():
        alone = name.endswith(("A_log", ".D")) and not decay_state
        assert decayed[p] == (0.0 if alone else 0.1), name


def job(spec: LanguageRun, until: int = 12) -> Job:
    return Job(spec, until, frozenset({5}), {}, {ValidationLoss(windows=4): frozenset({6, until})}, 3, 1e9)


def trained(spec: LanguageRun, folder: Path, data_root: Path, start: dict | None = None) -> Trainer:
    """The run trained to its end, or on from a checkpoint."""
    task = spec.open(data_root, torch.device("cpu"))
    trainer, run = Trainer(job(spec), task), Store(folder).run(spec.id)
    run.begin(spec)
    if start:
        trainer.branch(start) if spec.fork else trainer.resume(start)
    with Session(job(spec), run, task, trainer) as session:
        while not session.done:
            session.step()
        session.finish(task.device)
    return trainer


def test_it_trains_resumes_and_branches_as_any_other_model(
    spec: LanguageRun, data_root: Path, tmp_path: Path
) -> None:
    whole = trained(spec, tmp_path / "whole", data_root)
    rows = Store(tmp_path / "whole").run(spec.id).metrics()
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]
    state = torch.load(Store(tmp_path / "whole").run(spec.id).checkpoint_path(5), weights_only=True)
    resumed = trained(spec, tmp_path / "resumed", data_root, state)
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(a, b)
    branch = spec.branch(5, optimizer=spec.optimizer.model_copy(update={"alpha": 0.0}))
    branched = trained(branch, tmp_path / "branch", data_root, state)
    assert branched.step == 12
    assert not torch.equal(next(branched.model.parameters()), next(whole.model.parameters()))
