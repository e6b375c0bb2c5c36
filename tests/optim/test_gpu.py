"""The Triton kernel on a GPU, where there is one. Not run yet: no machine with one was lent so far."""

import os
import subprocess
import sys

import pytest
import torch

from ademamix.checkout import checkout

CODE = """
import torch
from ademamix import AdEMAMix

def pair(dtype, **options):
    torch.manual_seed(0)
    start = [torch.randn(s, device="cuda").to(dtype) for s in ((300, 70), (1,), (4097,), (33, 3))]
    made = []
    for name in ("reference", "triton"):
        ps = [p.clone().requires_grad_() for p in start]
        made.append((ps, AdEMAMix(ps, lr=1e-2, alpha=8.0, weight_decay=0.1, alpha_warmup=9, beta3_warmup=9,
                                  implementation=name, **options)))
    return made

def gradients(ps, step):
    draw = torch.Generator("cuda").manual_seed(step)
    return [torch.randn(p.shape, generator=draw, device="cuda").to(p.dtype) for p in ps]

for dtype, options in (
    (torch.float32, {}),
    (torch.float32, {"betas": (0.0, 0.999, 0.9999)}),
    (torch.float32, {"state_dtype": torch.bfloat16}),
    (torch.bfloat16, {}),
    (torch.bfloat16, {"master_weights": True}),
):
    (ps, first), (qs, second) = pair(dtype, **options)
    for step in range(12):
        for p, q, g in zip(ps, qs, gradients(ps, step)):
            p.grad, q.grad = g.clone(), g.clone()
        first.step()
        second.step()
    for p, q in zip(ps, qs):
        if dtype == torch.float32 and not options.get("state_dtype"):
            torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
        else:  # where a sum in another order tips the balance of the rounding
            assert (p - q).abs().gt(0.05 * p.abs().clamp(min=0.1)).float().mean() < 0.01
    print("equal", dtype, options)

ps = [torch.ones(1000, device="cuda", requires_grad=True)]
qs = [torch.ones(1000, device="cuda", requires_grad=True)]
lr = torch.tensor(1e-2, device="cuda")
captured = AdEMAMix(ps, lr=lr, alpha=8.0, alpha_warmup=9, beta3_warmup=9, capturable=True)
plain = AdEMAMix(qs, lr=1e-2, alpha=8.0, alpha_warmup=9, beta3_warmup=9, implementation="reference")
ps[0].grad = torch.zeros(1000, device="cuda")
graph, steps = torch.cuda.CUDAGraph(), 0
for step in range(8):
    g = gradients(ps, step)[0]
    ps[0].grad.copy_(g)
    qs[0].grad = g.clone()
    if step == 3:
        with torch.cuda.graph(graph):
            captured.step()
        graph.replay()
    elif step > 3:
        graph.replay()
    else:
        captured.step()
    plain.step()
torch.cuda.synchronize()
torch.testing.assert_close(ps[0], qs[0], rtol=1e-5, atol=1e-6)
print("captured")

scaler = torch.amp.GradScaler("cuda", init_scale=8.0)
p = torch.ones(10, device="cuda", requires_grad=True)
optimizer = AdEMAMix([p], lr=0.1, capturable=True)
for value in (1.0, float("inf"), 1.0):
    optimizer.zero_grad()
    scaler.scale((p * value).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
assert float(optimizer.state[p]["step"]) == 2
assert torch.isfinite(p).all()
print("scaled")
"""


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_the_device() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=checkout(), env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert done.stdout.split("\n")[-2] == "scaled"
