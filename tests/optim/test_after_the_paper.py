"""docs/after-the-paper.md: its code is what it says."""

from typing import Any

import pytest
import torch

from tests.documents import block

PAGE = "after-the-paper.md"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number in (0, 1):
        exec(block(PAGE, number=number), found)
    return found


def test_a_stable_phase_ends_in_a_cool_down(page: dict[str, Any]) -> None:
    p = torch.nn.Parameter(torch.zeros(2))
    optimizer, schedule = page["apertus"]([p], lr=1.0, warmup=10, start=20, end=36)
    seen = []
    for _ in range(37):
        seen.append(optimizer.param_groups[0]["lr"])
        p.grad = torch.ones(2)
        optimizer.step()
        schedule.step()
    assert seen[0] == 0
    assert seen[10] == seen[20] == 1
    assert seen[24] == pytest.approx(1 - (4 / 16) ** 0.5)
    assert seen[36] == 0


def test_one_buffer_is_ademamix_without_its_fast_ema(page: dict[str, Any]) -> None:
    """Against that paper's own update, written out."""
    lr, beta, alpha, eps = 0.01, 0.99, 20.0, 1e-8
    start = torch.tensor([1.0, -2.0], dtype=torch.float64)
    p = torch.nn.Parameter(start.clone())
    optimizer = page["simplified"]([p], lr=lr, beta=beta, alpha=alpha, weight_decay=0.0, eps=eps)
    x, m, v = start.clone(), torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    for t in range(1, 30):
        g = torch.randn(2, dtype=torch.float64, generator=generator)
        p.grad = g.clone()
        optimizer.step()
        m = beta * m + g
        v = 0.999 * v + 0.001 * g * g
        x -= lr * (m + alpha * g) / ((v / (1 - 0.999**t)).sqrt() + eps)
        torch.testing.assert_close(p.detach(), x, rtol=1e-9, atol=1e-12)
