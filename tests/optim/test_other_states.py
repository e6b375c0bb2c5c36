"""States of other implementations, and other people's training loops."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ademamix import AdEMAMix

OPTIONS = {"lr": 1e-2, "betas": (0.9, 0.999, 0.9999), "alpha": 4.0, "weight_decay": 0.1,
           "alpha_warmup": 20, "beta3_warmup": 20}  # fmt: skip


def apple_step(p: Tensor, state: dict[str, Any], g: Tensor, betas: tuple[float, float, float]) -> None:
    """One update as apple/ml-ademamix makes it, into a state with its names."""
    beta1, beta2, beta3 = betas
    if not state:
        state |= {"step": 0, "exp_avg_fast": torch.zeros_like(p) if beta1 else None,
                  "exp_avg_slow": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}  # fmt: skip
    state["step"] += 1
    t = state["step"]
    share = min(t / 20, 1.0)
    life = lambda b: math.log(0.5) / math.log(b + 1e-8) - 1  # noqa: E731
    if t < 20:
        beta3 = 0.5 ** (1 / ((1 - share) * life(beta1) + share * life(beta3) + 1))
    fast = g
    if beta1:
        fast = state["exp_avg_fast"].mul_(beta1).add_(g, alpha=1 - beta1)
    state["exp_avg_slow"].mul_(beta3).add_(g, alpha=1 - beta3)
    state["exp_avg_sq"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
    root = state["exp_avg_sq"].sqrt() / math.sqrt(1 - beta2**t) + 1e-8
    step = (fast / (1 - beta1**t) + 4.0 * share * state["exp_avg_slow"]) / root + 0.1 * p
    p.sub_(1e-2 * step)


@pytest.mark.parametrize("beta1", [0.9, 0.0])
def test_the_state_of_apples_implementation_loads(beta1: float) -> None:
    """Half the way with theirs, the other half with ours, ends where theirs ends."""
    betas = (beta1, 0.999, 0.9999)
    gs = list(torch.randn(24, 6, generator=torch.Generator().manual_seed(0)))
    theirs, state = torch.ones(6), {}
    for g in gs[:12]:
        apple_step(theirs, state, g, betas)
    ours = theirs.clone().requires_grad_()
    optimizer = AdEMAMix([ours])
    group = {**OPTIONS, "betas": betas, "eps": 1e-8, "params": [0]}
    optimizer.load_state_dict({"state": {0: {**state}}, "param_groups": [group]})
    assert optimizer.param_groups[0]["alpha"] == 4.0
    assert optimizer.param_groups[0]["maximize"] is False  # what theirs does not know has our default
    for g in gs[12:]:
        apple_step(theirs, state, g, betas)
        ours.grad = g
        optimizer.step()
    torch.testing.assert_close(ours.detach(), theirs, rtol=1e-5, atol=1e-6)
    assert optimizer.state[ours]["step"] == 24


def test_optax_agrees_one_step_late() -> None:
    """An independent oracle; its schedules count from 0, ours from 1, so without them they are equal."""
    contrib = pytest.importorskip("optax.contrib")
    np = pytest.importorskip("numpy")
    transform = contrib.ademamix(1e-2, b1=0.9, b2=0.999, b3=0.9999, alpha=4.0, eps=1e-8, weight_decay=0.1)
    import optax

    theirs = np.ones(6, dtype=np.float32)
    state = transform.init(theirs)
    ours = torch.ones(6, requires_grad=True)
    optimizer = AdEMAMix([ours], lr=1e-2, alpha=4.0, weight_decay=0.1)
    for g in torch.randn(30, 6, generator=torch.Generator().manual_seed(1)):
        updates, state = transform.update(g.numpy(), state, theirs)
        theirs = optax.apply_updates(theirs, updates)
        ours.grad = g
        optimizer.step()
    np.testing.assert_allclose(ours.detach().numpy(), np.asarray(theirs), rtol=1e-4, atol=1e-5)


class Regression(nn.Module):
    """A task with a known answer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Any:
        found = self.linear(x)
        return found if labels is None else {"loss": (found - labels).square().mean()}


def data() -> list[dict[str, Tensor]]:
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(2))
    return [{"x": row, "labels": row.sum().view(1)} for row in x]


def test_with_lightning(tmp_path: Any) -> None:
    """The example of docs/optimizer.md."""
    lightning = pytest.importorskip("lightning")

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = Regression()

        def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
            return self.model(**batch)["loss"]

        def configure_optimizers(self) -> AdEMAMix:
            steps = int(self.trainer.estimated_stepping_batches)
            return AdEMAMix(self.parameters(), lr=1e-2, alpha=8.0, alpha_warmup=steps, beta3_warmup=steps)

    loader = torch.utils.data.DataLoader(data(), batch_size=16)
    trainer = lightning.Trainer(max_epochs=2, logger=False, default_root_dir=tmp_path, accelerator="cpu")
    trainer.fit(Module(), loader)
    assert trainer.global_step == 8


def test_with_hugging_face_trainer(tmp_path: Any) -> None:
    """The example of docs/optimizer.md."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    model, steps = Regression(), 8
    optimizer = AdEMAMix(model.parameters(), lr=1e-2, alpha=8.0, alpha_warmup=steps, beta3_warmup=steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    arguments = transformers.TrainingArguments(
        str(tmp_path), max_steps=steps, per_device_train_batch_size=16, report_to=[], use_cpu=True
    )
    trainer = transformers.Trainer(model, arguments, train_dataset=data(), optimizers=(optimizer, schedule))
    trainer.train()
    assert optimizer.state[model.linear.weight]["step"] == steps
