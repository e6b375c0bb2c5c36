"""AdEMAMix against the paper's Algorithm 1 in float64 at every step, and its conduct as an optimizer."""

import io
import math
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from ademamix import AdEMAMix

STEPS = 40
IMPLEMENTATIONS = ("reference", "foreach", "c", "triton")  # Triton's kernels run in its interpreter


class Oracle:
    """Algorithm 1 for one parameter, in numpy float64, written independently of the package."""

    def __init__(self, theta: np.ndarray, beta1: float, beta2: float, beta3: float, alpha: float,
                 lr: float, eps: float, weight_decay: float, warmup: int | None) -> None:  # fmt: skip
        self.theta = theta.astype(np.float64)
        self.m1, self.m2, self.nu = (np.zeros_like(self.theta) for _ in range(3))
        self.beta1, self.beta2, self.beta3, self.alpha = beta1, beta2, beta3, alpha
        self.lr, self.eps, self.weight_decay, self.warmup = lr, eps, weight_decay, warmup
        self.t = 0

    def step(self, g: np.ndarray) -> None:
        self.t += 1
        t, beta3, alpha = self.t, self.beta3, self.alpha
        if self.warmup is not None and t < self.warmup:
            mu = t / self.warmup
            alpha = alpha * mu
            half_life = lambda b: math.log(0.5) / math.log(b) - 1  # noqa: E731
            if self.beta1:
                now = (1 - mu) * half_life(self.beta1) + mu * half_life(beta3)
                beta3 = 0.5 ** (1 / (now + 1))
            else:
                beta3 = beta3 ** (1 / mu)
        g = g.astype(np.float64)
        self.m1 = self.beta1 * self.m1 + (1 - self.beta1) * g
        self.m2 = beta3 * self.m2 + (1 - beta3) * g
        self.nu = self.beta2 * self.nu + (1 - self.beta2) * g**2
        fast = self.m1 / (1 - self.beta1**t)
        root = np.sqrt(self.nu / (1 - self.beta2**t))
        direction = (fast + alpha * self.m2) / (root + self.eps)
        self.theta = self.theta - self.lr * (direction + self.weight_decay * self.theta)


def gradients(shape: tuple[int, ...], seed: int, steps: int = STEPS) -> list[Tensor]:
    """Gradients with a drift, so that the slow average matters, over several magnitudes."""
    draw = torch.Generator().manual_seed(seed)
    scale = 10.0 ** torch.randn(shape, generator=draw)
    return [scale * (0.3 + torch.randn(shape, generator=draw)) for _ in range(steps)]


OPTIONS = [
    {"betas": (0.9, 0.999, 0.9999), "alpha": 8.0, "alpha_warmup": 30, "beta3_warmup": 30},
    {"betas": (0.9, 0.999, 0.99), "alpha": 2.0},
    {"betas": (0.0, 0.999, 0.9999), "alpha": 5.0, "alpha_warmup": 25, "beta3_warmup": 25},
    {"betas": (0.3, 0.95, 0.999), "alpha": 8.0, "weight_decay": 0.1},
]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_step_is_the_papers(options: dict[str, Any], implementation: str, dtype: torch.dtype) -> None:
    start = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    p = start.to(dtype, copy=True).requires_grad_()
    optimizer = AdEMAMix([p], lr=1e-2, implementation=implementation, **options)
    beta1, beta2, beta3 = options["betas"]
    oracle = Oracle(start.numpy(), beta1, beta2, beta3, options["alpha"], 1e-2, 1e-8,
                    options.get("weight_decay", 0.0), options.get("alpha_warmup"))  # fmt: skip
    tolerance = 5e-5 if dtype == torch.float32 else 1e-10
    for g in gradients((7, 5), seed=1):
        p.grad = g.to(dtype)
        optimizer.step()
        oracle.step(g.numpy())
        state = optimizer.state[p]
        moved, expected = p.detach().numpy() - start.numpy(), oracle.theta - start.numpy()
        assert np.linalg.norm(moved - expected) <= tolerance * np.linalg.norm(expected)
        for name, value in (("exp_avg", oracle.m1), ("exp_avg_slow", oracle.m2), ("exp_avg_sq", oracle.nu)):
            if name in state:
                assert np.linalg.norm(state[name].numpy() - value) <= tolerance * np.linalg.norm(value)
        assert ("exp_avg" in state) == (beta1 > 0)
        assert state["step"] == oracle.t


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_alpha_it_is_torch_adamw(implementation: str, dtype: torch.dtype) -> None:
    start = torch.randn(33, dtype=dtype, generator=torch.Generator().manual_seed(0))
    ours, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    mine = AdEMAMix([ours], lr=3e-3, alpha=0.0, weight_decay=0.1, implementation=implementation)
    torchs = torch.optim.AdamW([theirs], lr=3e-3, weight_decay=0.1)
    for g in gradients((33,), seed=2):
        ours.grad, theirs.grad = g.to(dtype), g.to(dtype)
        mine.step()
        torchs.step()
        for name in ("exp_avg", "exp_avg_sq"):
            torch.testing.assert_close(mine.state[ours][name], torchs.state[theirs][name])
    tolerance = 1e-12 if dtype == torch.float64 else 1e-6
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


SHAPES = st.lists(st.sampled_from([(), (0,), (1,), (3,), (5, 7), (2, 1, 3), (65,)]), min_size=1, max_size=5)


@given(SHAPES, st.sampled_from(["reference", "foreach", "c"]))
@example([(5, 7), (0,), (), (65,)], "triton")  # the interpreter is slow
def test_any_shapes_together_as_each_alone(shapes: list[tuple[int, ...]], implementation: str) -> None:
    starts = [torch.randn(s, generator=torch.Generator().manual_seed(i)) for i, s in enumerate(shapes)]
    together = [s.clone().requires_grad_() for s in starts]
    apart = [s.clone().requires_grad_() for s in starts]
    options = {"lr": 1e-2, "implementation": implementation}
    optimizers = [AdEMAMix(together, **options), *(AdEMAMix([p], **options) for p in apart)]
    for step in range(3):
        for i, (a, b) in enumerate(zip(together, apart, strict=True)):
            a.grad = b.grad = gradients(a.shape, seed=i, steps=step + 1)[-1]
        for optimizer in optimizers:
            optimizer.step()
    for a, b in zip(together, apart, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("dense_gradient", [True, False])
def test_non_contiguous_parameters(implementation: str, dense_gradient: bool) -> None:
    start = torch.randn(6, 4)
    whole, transposed = start.clone().requires_grad_(), start.clone().t().detach().requires_grad_()
    optimizers = [AdEMAMix([p], implementation=implementation) for p in (whole, transposed)]
    for g in gradients((6, 4), seed=3, steps=5):
        whole.grad, transposed.grad = g, g.t().contiguous() if dense_gradient else g.t()
        for optimizer in optimizers:
            optimizer.step()
    assert torch.equal(whole, transposed.t())


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_parameters_with_holes_and_unaligned_ones(implementation: str) -> None:
    """A column of a matrix has holes; the part after the first element starts at an odd address."""
    start, column = torch.randn(9), torch.randn(8, 3)
    views = [start.clone()[1:].detach().requires_grad_(), column.clone()[:, 1].detach().requires_grad_()]
    plain = [v.detach().clone().contiguous().requires_grad_() for v in views]
    optimizers = [AdEMAMix(ps, implementation=implementation) for ps in (views, plain)]
    for g in gradients((8,), seed=9, steps=4):
        for ps, optimizer in zip((views, plain), optimizers, strict=True):
            for p in ps:
                p.grad = g.clone()
            optimizer.step()
    for a, b in zip(views, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_each_parameter_counts_its_own_steps(implementation: str) -> None:
    late, alone = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    early = torch.ones(3, requires_grad=True)
    options = {"alpha_warmup": 5, "beta3_warmup": 5, "implementation": implementation}
    both, single = AdEMAMix([early, late], **options), AdEMAMix([alone], **options)
    for step, g in enumerate(gradients((3,), seed=4, steps=6)):
        early.grad = g
        late.grad = g if step >= 3 else None
        both.step()
        if step >= 3:
            alone.grad = g
            single.step()
    assert torch.equal(late, alone)
    assert both.state[early]["step"] == 6
    assert both.state[late]["step"] == 3


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_groups_have_their_own_values(implementation: str) -> None:
    a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    groups = [{"params": [a], "lr": 0.0}, {"params": [b], "betas": (0.0, 0.9, 0.99)}]
    optimizer = AdEMAMix(groups, lr=0.1, implementation=implementation)
    a.grad = b.grad = torch.ones(2)
    optimizer.step()
    assert torch.equal(a, torch.ones(2))
    assert not torch.equal(b, torch.ones(2))
    assert "exp_avg" not in optimizer.state[b]
    with pytest.raises(ValueError, match="alpha must be ≥ 0"):
        optimizer.add_param_group({"params": [torch.ones(1, requires_grad=True)], "alpha": -1.0})


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_maximize_is_descent_on_the_negative(implementation: str) -> None:
    up, down = torch.ones(4, requires_grad=True), torch.ones(4, requires_grad=True)
    ascend = AdEMAMix([up], maximize=True, implementation=implementation)
    descend = AdEMAMix([down], implementation=implementation)
    for g in gradients((4,), seed=5, steps=4):
        up.grad, down.grad = -g, g
        ascend.step()
        descend.step()
    assert torch.equal(up, down)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -1.0}, "lr must be"),
        ({"betas": (0.9, 0.999, 1.0)}, "β3 must be"),
        ({"betas": (0.9, 0.999)}, "betas must be"),
        ({"alpha": -0.1}, "alpha must be"),
        ({"eps": 0.0}, "eps must be"),
        ({"weight_decay": float("nan")}, "weight_decay must be"),
        ({"alpha_warmup": 0}, "alpha_warmup must be"),
        ({"beta3_warmup": 0}, "beta3_warmup must be"),
        ({"betas": 0.9}, r"betas must be \(β1, β2, β3\), got 0.9"),
        ({"betas": (0.9, 0.999, 0.5)}, "β3 must not be below β1"),
        ({"alpha_warmup": "10"}, "alpha_warmup must be a whole number of steps"),
        ({"alpha_warmup": 1.5}, "alpha_warmup must be a whole number of steps"),
        ({"alpha": "8"}, "alpha must be ≥ 0, got '8'"),
        ({"implementation": "cuda"}, "implementation must be one of auto, c"),
        ({"state_dtype": torch.float16}, "float16 cannot hold ν"),
        ({"state_dtype": torch.uint8}, "8-bit moments end with a higher loss"),
        ({"state_dtype": torch.float8_e5m2}, "not known to work"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdEMAMix([torch.ones(1, requires_grad=True)], **options)


def test_a_misspelt_option_of_a_group_is_refused() -> None:
    p = torch.ones(1, requires_grad=True)
    with pytest.raises(ValueError, match="did you mean 'weight_decay'"):
        AdEMAMix([{"params": [p], "weight_decy": 0.1}])
    with pytest.raises(ValueError, match="implementation is an option of the whole optimizer"):
        AdEMAMix([{"params": [p], "implementation": "c"}])
    own = {"params": [p], "initial_lr": 1.0, "lr_scale": 2.0, "weight_decay_mult": 0.0, "name": "head"}
    assert AdEMAMix([own]).param_groups[0]["weight_decay_mult"] == 0.0


def test_the_state_of_another_optimizer_is_refused_when_it_is_loaded() -> None:
    p = torch.ones(2, requires_grad=True)
    adamw, new = torch.optim.AdamW([p]), AdEMAMix([p])
    with pytest.raises(ValueError, match=r"AdEMAMix\.from_adamw"):
        new.load_state_dict(adamw.state_dict())  # before its first step
    p.grad = torch.ones(2)
    adamw.step()
    with pytest.raises(ValueError, match=r"AdEMAMix\.from_adamw"):
        new.load_state_dict(adamw.state_dict())
    new.step()  # as it was
    state = new.state_dict()
    state["param_groups"][0]["alpha_warmup"] = 1.5
    with pytest.raises(ValueError, match="alpha_warmup"):
        AdEMAMix([p]).load_state_dict(state)


def test_the_implementation_of_fp64_parameters_is_what_updates_them() -> None:
    p = torch.ones(2, dtype=torch.float64, requires_grad=True)
    assert AdEMAMix([p]).implementation == "foreach"
    assert AdEMAMix([p], implementation="reference").implementation == "reference"


def test_what_the_last_update_was_made_with() -> None:
    p = torch.ones(2, requires_grad=True)
    optimizer = AdEMAMix([p], alpha=8.0, alpha_warmup=4, beta3_warmup=4)
    assert optimizer.scheduled() == {}
    p.grad = torch.ones(2)
    optimizer.step()
    assert optimizer.scheduled()["alpha"] == 2.0
    assert 0.9 < optimizer.scheduled()["beta3"] < 0.9999


def test_sparse_and_complex_are_refused() -> None:
    embedding = torch.nn.Embedding(4, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="sparse"):
        AdEMAMix(embedding.parameters()).step()
    z = torch.ones(2, dtype=torch.complex64, requires_grad=True)
    z.grad = torch.ones_like(z)
    with pytest.raises(RuntimeError, match="complex"):
        AdEMAMix([z]).step()
    half = torch.ones(2, dtype=torch.float16, requires_grad=True)
    half.grad = torch.ones_like(half)
    with pytest.raises(RuntimeError, match="master_weights=True"):
        AdEMAMix([half]).step()


def _train(p: Tensor, optimizer: AdEMAMix, gs: list[Tensor]) -> None:
    for g in gs:
        p.grad = g.to(p.dtype)
        optimizer.step()


STORED = [
    (torch.float32, {}),
    (torch.float32, {"state_dtype": torch.bfloat16}),
    (torch.bfloat16, {}),
    (torch.bfloat16, {"state_dtype": torch.bfloat16, "seed": 3}),
    (torch.bfloat16, {"master_weights": True}),
    (torch.float16, {"master_weights": True}),
]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize(("dtype", "stored"), STORED)
@pytest.mark.parametrize("beta1", [0.9, 0.0])
def test_state_dict_in_the_middle_changes_no_bit(
    dtype: torch.dtype, stored: dict[str, Any], beta1: float, implementation: str
) -> None:
    make: Callable[[Tensor], AdEMAMix] = lambda p: AdEMAMix(  # noqa: E731
        [p],
        betas=(beta1, 0.999, 0.9999),
        alpha_warmup=20,
        beta3_warmup=20,
        implementation=implementation,
        **stored,
    )
    gs = gradients((11,), seed=6, steps=20)
    whole = torch.ones(11, dtype=dtype, requires_grad=True)
    _train(whole, make(whole), gs)
    first = torch.ones(11, dtype=dtype, requires_grad=True)
    before = make(first)
    _train(first, before, gs[:9])
    second = first.detach().clone().requires_grad_()
    after = make(second)
    file = io.BytesIO()
    torch.save(before.state_dict(), file)
    file.seek(0)
    after.load_state_dict(torch.load(file, weights_only=True))
    _train(second, after, gs[9:])
    assert before.state[first]["step"] == 9  # nothing is shared
    assert torch.equal(whole, second)
    assert after.state[second]["exp_avg_slow"].dtype == stored.get("state_dtype", torch.float32)


def test_a_closure_is_evaluated_with_gradients() -> None:
    p = torch.ones(2, requires_grad=True)
    optimizer = AdEMAMix([p], lr=0.1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (p**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure) == 2.0
    assert (p < 1).all()


def test_a_learning_rate_scheduler_of_torch_drives_it() -> None:
    p = torch.ones(1, requires_grad=True)
    optimizer = AdEMAMix([p], lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    p.grad = torch.ones(1)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize("implementation", ["auto", "foreach"])
def test_a_copy_goes_on_alike(implementation: str) -> None:
    gs = gradients((5,), seed=8, steps=6)
    p = torch.ones(5, requires_grad=True)
    optimizer = AdEMAMix([p], implementation=implementation)
    _train(p, optimizer, gs[:3])
    copied = pickle.loads(pickle.dumps({"p": p, "optimizer": optimizer}))
    assert copied["optimizer"].implementation == optimizer.implementation
    _train(p, optimizer, gs[3:])
    _train(copied["optimizer"].param_groups[0]["params"][0], copied["optimizer"], gs[3:])
    assert torch.equal(p, copied["optimizer"].param_groups[0]["params"][0])


def test_memory_that_moves_is_noticed() -> None:
    """Parameters get new memory (`.data`), states are replaced or cleared, between steps."""
    gs = gradients((6,), seed=10, steps=6)
    still, moving = torch.ones(6, requires_grad=True), torch.ones(6, requires_grad=True)
    first, second = AdEMAMix([still]), AdEMAMix([moving])
    for g in gs:
        moving.data = moving.data.clone()
        state = second.state[moving]
        second.state[moving] = {name: v.clone() if torch.is_tensor(v) else v for name, v in state.items()}
        _train(still, first, [g])
        _train(moving, second, [g])
    assert torch.equal(still, moving)
    second.state.clear()
    _train(moving, second, gs[:1])
    assert second.state[moving]["step"] == 1


@pytest.mark.parametrize("implementation", ["c", "foreach"])
def test_torch_compile_around_the_step(implementation: str) -> None:
    plain, compiled = torch.ones(7, requires_grad=True), torch.ones(7, requires_grad=True)
    options = {"alpha_warmup": 4, "beta3_warmup": 4, "implementation": implementation}
    first, second = AdEMAMix([plain], **options), AdEMAMix([compiled], **options)

    @torch.compile(backend="eager")
    def step(g: Tensor) -> Tensor:
        compiled.grad = g * 2
        second.step()
        return compiled.sum()

    for g in gradients((7,), seed=11, steps=6):
        plain.grad = g * 2
        first.step()
        step(g)
    assert torch.equal(plain, compiled)


def test_gradient_scaling_on_a_cpu() -> None:
    """A GradScaler unscales, and leaves a step out whose gradients are not finite."""
    p = torch.ones(3, requires_grad=True)
    optimizer, scaler = AdEMAMix([p], lr=0.1), torch.amp.GradScaler("cpu", init_scale=4.0)
    for value in (1.0, float("inf"), 1.0):
        optimizer.zero_grad()
        scaler.scale((p * value).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
    assert optimizer.state[p]["step"] == 2
    assert torch.isfinite(p).all()


@pytest.mark.parametrize("implementation", ["c", "foreach", "triton"])
def test_a_moment_that_is_replaced_is_noticed(implementation: str) -> None:
    p = torch.ones(4, requires_grad=True)
    optimizer = AdEMAMix([p], implementation=implementation)
    _train(p, optimizer, gradients((4,), seed=12, steps=2))
    for name in ("exp_avg", "exp_avg_slow", "exp_avg_sq"):
        optimizer.state[p][name] = torch.zeros(4)
    _train(p, optimizer, [torch.ones(4)])
    assert optimizer.state[p]["exp_avg"].tolist() == pytest.approx([0.1] * 4)
    assert optimizer.state[p]["exp_avg_sq"].tolist() == pytest.approx([0.001] * 4)


def test_no_gradient_is_kept_alive() -> None:
    p = torch.ones(4, requires_grad=True)
    optimizer = AdEMAMix([p])
    p.grad = torch.ones(4)
    gone = weakref.ref(p.grad)
    optimizer.step()
    optimizer.zero_grad()
    assert gone() is None


def test_a_state_of_another_shape_is_refused() -> None:
    """As after a change of the vocabulary: the kernels would read and write past its end."""
    small, large = torch.ones(4, requires_grad=True), torch.ones(64, requires_grad=True)
    first, second = AdEMAMix([small]), AdEMAMix([large])
    _train(small, first, [torch.ones(4)])
    second.load_state_dict(first.state_dict())
    large.grad = torch.ones(64)
    with pytest.raises(RuntimeError, match=r"has the shape \(4,\), its parameter \(64,\)"):
        second.step()


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_dtypes_that_do_not_match_go_the_slow_way(implementation: str) -> None:
    """fp32 gradients of bf16 parameters; fp64 parameters with narrower moments."""
    p = torch.ones(4, dtype=torch.bfloat16, requires_grad=True)
    p.grad_dtype = torch.float32
    p.grad = torch.tensor([1.0, -1.0, 1.0, -1.0])
    AdEMAMix([p], lr=0.1, implementation=implementation).step()
    assert p.tolist() == pytest.approx([0.9, 1.1, 0.9, 1.1], abs=0.01)
    for dtype in (torch.float32, torch.bfloat16):
        q = torch.ones(4, dtype=torch.float64, requires_grad=True)
        optimizer = AdEMAMix([q], lr=0.1, state_dtype=dtype, implementation=implementation)
        _train(q, optimizer, [torch.ones(4)] * 3)
        assert q.tolist() == pytest.approx([0.7] * 4, rel=0.01)
    r = torch.ones(4, requires_grad=True)
    r.grad = torch.ones(4)
    with pytest.raises(RuntimeError, match="state_dtype float64 is for float64 parameters"):
        AdEMAMix([r], state_dtype=torch.float64, implementation=implementation).step()


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_gradients_whose_square_overflows(implementation: str) -> None:
    p = torch.ones(3, requires_grad=True)
    optimizer = AdEMAMix([p], lr=0.1, implementation=implementation)
    _train(p, optimizer, [torch.full((3,), 1e20)])
    assert p.tolist() == pytest.approx([0.9] * 3, rel=1e-3)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_beta1_given_later_does_without_m1(implementation: str) -> None:
    p = torch.ones(3, requires_grad=True)
    optimizer = AdEMAMix([p], lr=0.1, betas=(0.0, 0.999, 0.9999), alpha=0.0, implementation=implementation)
    _train(p, optimizer, [torch.ones(3)])
    optimizer.param_groups[0]["betas"] = (0.9, 0.999, 0.9999)
    _train(p, optimizer, [torch.ones(3)])
    assert p.tolist() == pytest.approx([0.8] * 3, rel=1e-5)


def test_a_master_is_made_for_a_state_that_lacks_it() -> None:
    p = torch.ones(3, dtype=torch.float16, requires_grad=True)
    optimizer = AdEMAMix([p], master_weights=True)
    moments = {name: torch.zeros(3) for name in ("exp_avg", "exp_avg_slow", "exp_avg_sq")}
    state = {0: {"step": torch.tensor(5.0), "schedule_start": 0, **moments}}
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    _train(p, optimizer, [torch.ones(3)])
    assert optimizer.state[p]["master"].dtype == torch.float32
    assert optimizer.state[p]["step"] == 6


def test_load_hooks_are_heard() -> None:
    p = torch.ones(3, requires_grad=True)
    optimizer = AdEMAMix([p])
    _train(p, optimizer, [torch.ones(3)])

    def reset(_: Any, state_dict: dict[str, Any]) -> dict[str, Any]:
        zeros = {**state_dict["state"][0], "exp_avg": torch.zeros(3)}
        return {**state_dict, "state": {0: zeros}}

    optimizer.register_load_state_dict_pre_hook(reset)
    optimizer.load_state_dict(optimizer.state_dict())
    assert optimizer.state[p]["exp_avg"].tolist() == [0, 0, 0]
