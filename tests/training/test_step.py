"""The step: compiled or eager, in parts or whole, it is the same; nothing in it waits for the device."""

import gc
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ademamix.data.next_batch import NextBatch
from ademamix.errors import UserError
from ademamix.paper.runs import ADEMAMIX, run
from ademamix.scale import scale
from ademamix.spec import RunSpec, override
from ademamix.store import Store
from ademamix.training.garbage import collect, collected_when_told
from ademamix.training.job import FAILED, Job
from ademamix.training.trainer import Trainer
from ademamix.training.worker import work
from ademamix.training.writing import copied
from tests.training.test_ranks import state, together
from tests.training.test_training import same

compiles = pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")


def job(spec: RunSpec, **changes: Any) -> Job:
    plain: dict[str, Any] = {"until": 20, "keep": frozenset({20}), "forks": {}, "observe": {}}
    return Job(spec, **{**plain, "log_every": 5, "checkpoint_seconds": 1e9, **changes})


def trainer(spec: RunSpec, data_root: Path, device: str = "cpu", **changes: Any) -> Trainer:
    return Trainer(job(spec, **changes), spec.open(data_root, torch.device(device)))


@compiles
def test_compiled_updates_are_the_eager_ones_but_for_rounding(
    tmp_path: Path, data_root: Path, ademamix_spec: RunSpec
) -> None:
    compiled = ademamix_spec.changed(compiled=True)
    assert compiled.id != ademamix_spec.id  # the last bits are others
    for spec in (ademamix_spec, compiled):
        assert work(job(spec), tmp_path, data_root, "cpu", 1) == 0
    rows, others = (Store(tmp_path).run(spec.id).metrics() for spec in (compiled, ademamix_spec))
    for row, expected in zip(rows, others, strict=True):
        assert row == pytest.approx(expected, rel=1e-4)


@compiles
def test_it_really_is_one_graph(data_root: Path, ademamix_spec: RunSpec) -> None:
    torch._dynamo.reset()
    counted = torch._dynamo.utils.counters
    counted.clear()
    # Passes of four samples, which the test above has compiled, and each rank of the test below makes.
    one = trainer(ademamix_spec.changed(compiled=True, batch=8), data_root, micro_batch=4)
    for t in range(1, 4):
        one.update(t)
    assert counted["stats"]["unique_graphs"] == 1
    assert not counted["graph_break"]


@compiles
def test_a_compiled_run_goes_on_bit_for_bit(tmp_path: Path, data_root: Path, ademamix_spec: RunSpec) -> None:
    compiled = ademamix_spec.changed(compiled=True)
    straight, halting = tmp_path / "straight", tmp_path / "halting"
    assert work(job(compiled), straight, data_root, "cpu", 1) == 0
    assert together(job(compiled), halting, data_root, tmp_path / "1", readings=8, size=1) == [140]
    [step] = Store(halting).run(compiled.id).checkpoint_steps()
    assert 1 < step < 20
    torch._dynamo.reset()  # the graph is made anew, as in another process
    assert work(job(compiled), halting, data_root, "cpu", 1) == 0
    assert same(state(halting, compiled), state(straight, compiled))


@compiles
def test_two_ranks_compile(tmp_path: Path, data_root: Path, ademamix_spec: RunSpec) -> None:
    eager = ademamix_spec.changed(batch=8)
    compiled = eager.changed(compiled=True)
    assert together(job(compiled), tmp_path / "two", data_root, tmp_path / "meet") == [0, 0]
    assert work(job(eager), tmp_path / "one", data_root, "cpu", 1) == 0
    two, one = (Store(tmp_path / n).run(s.id) for n, s in (("two", compiled), ("one", eager)))
    for row, expected in zip(two.metrics(), one.metrics(), strict=True):
        assert row == pytest.approx(expected, rel=1e-4)


def test_a_compiled_run_without_a_compiler_is_one_line(
    tmp_path: Path, data_root: Path, ademamix_spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = ademamix_spec.changed(compiled=True)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert work(job(compiled), tmp_path, data_root, "cpu", 1) == FAILED
    message = Store(tmp_path).run(compiled.id).failure_path.read_text()
    assert "needs a compiler" in message
    assert "--set compiled=false" in message
    assert message.count("\n") == 1


def test_who_is_compiled() -> None:
    """The paper's Transformers at the paper's scale, not where runs are short or on CPUs, whose ids stay."""
    paper = run("110M", ADEMAMIX, 256_000)
    assert {name: scale(name).map(paper).compiled for name in ("smoke", "cpu", "gpu", "paper")} == {
        "smoke": False,
        "cpu": False,
        "gpu": False,
        "paper": True,
    }
    assert not run("mamba-168M", ADEMAMIX, 256_000).spec.compiled
    with pytest.raises(UserError, match="a model of kind mamba is not compiled"):
        override(run("mamba-168M", ADEMAMIX, 256_000).spec, ["compiled=true"])


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_gradient_in_parts_is_that_of_the_whole_batch(
    size: int, data_root: Path, ademamix_spec: RunSpec
) -> None:
    """Parts of unequal sizes, too."""
    spec = ademamix_spec.changed(batch=8)
    gradients = []
    for micro_batch in (None, size):
        one = trainer(spec, data_root, micro_batch=micro_batch)
        one._backward(one.task.batch(1))
        gradients.append([p.grad.clone() for p in one.params if p.grad is not None])
    for whole, parts in zip(*gradients, strict=True):
        torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-7)


def test_what_comes_next_is_what_is_asked_for() -> None:
    asked = []

    def make(t: int, rows: slice) -> np.ndarray:
        asked.append(t)
        return np.arange(4)[rows] + 10 * t

    following = NextBatch(make)
    for t, rows in [(1, slice(None)), (2, slice(None)), (7, slice(None)), (8, slice(2, 4))]:
        assert following(t, rows).tolist() == (np.arange(4)[rows] + 10 * t).tolist()
    assert asked[:3] == [1, 2, 3]  # 2 was made once, before it was asked for


def test_what_fails_ahead_fails_when_it_is_asked_for() -> None:
    def make(t: int, rows: slice) -> int:
        if t == 2:
            raise OSError("torn")
        return t

    following = NextBatch(make)
    assert following(1, slice(None)) == 1
    with pytest.raises(OSError, match="torn"):
        following(2, slice(None))
    assert following(3, slice(None)) == 3


def test_garbage_is_collected_when_told() -> None:
    class Cycle:
        gone = 0

        def __init__(self) -> None:
            self.own = self

        def __del__(self) -> None:
            Cycle.gone += 1

    assert gc.isenabled()
    with collected_when_told():
        for _ in range(3000):  # more than the collector would let pass
            Cycle()
        assert Cycle.gone == 0
        collect()
        assert Cycle.gone == 3000
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_gradients_that_stay_in_place_change_no_bit(data_root: Path, ademamix_spec: RunSpec) -> None:
    """As updates that are captured need them: set to 0, and added to."""
    usual, staying = (trainer(ademamix_spec, data_root, micro_batch=2, log_every=20) for _ in range(2))
    zero = staying.optimizer.zero_grad
    staying.optimizer.zero_grad = lambda set_to_none: zero(False)  # type: ignore[method-assign, assignment]
    for t in range(1, 9):
        usual.update(t)
        staying.update(t)
        if t == 1:
            places = [p.grad.data_ptr() for p in staying.params if p.grad is not None]
    assert places == [p.grad.data_ptr() for p in staying.params if p.grad is not None]
    assert len(places) == len(staying.params)
    assert same(usual.state(), staying.state())


def test_nothing_is_captured_without_a_gpu(data_root: Path, ademamix_spec: RunSpec) -> None:
    one = trainer(ademamix_spec, data_root, captured=True)
    assert one.captured is None
    one.update(1)


def test_autocast_is_casting_in_the_linear_layers(data_root: Path, ademamix_spec: RunSpec) -> None:
    """Bit for bit, in losses and gradients: casting by hand would only spare an eager step some calls."""
    spec = ademamix_spec.changed(precision="bf16")
    linear, low = F.linear, torch.bfloat16
    found = []
    for by_hand in (False, True):
        one = trainer(spec, data_root)
        with pytest.MonkeyPatch.context() as patch:
            if by_hand:
                one._precision = nullcontext  # type: ignore[method-assign, assignment]
                patch.setattr(F, "linear", lambda x, w, b=None: linear(x.to(low), w.to(low)))
            loss = one._backward(one.task.batch(1))
        found.append([loss, *(p.grad for p in one.params)])
    assert found[0][0].dtype == torch.float32
    assert all(map(torch.equal, *found))


on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@on_a_gpu
@pytest.mark.parametrize("kind", ["adamw_spec", "ademamix_spec"])
@pytest.mark.parametrize("compiled", [False, True])
def test_captured_updates_are_the_others(
    kind: str, compiled: bool, tmp_path: Path, data_root: Path, request: pytest.FixtureRequest
) -> None:
    """Not run yet. Rates, schedules, batches and steps reach the graph; checkpoints do not know of it."""
    spec: RunSpec = request.getfixturevalue(kind).changed(compiled=compiled)
    more = {"log_every": 50, "micro_batch": 2}
    usual, graph = (trainer(spec, data_root, "cuda:0", captured=yes, **more) for yes in (False, True))
    for t in range(1, 16):
        usual.update(t)
        graph.update(t)
    assert graph.captured is not None
    assert graph.captured._graph is not None
    torch.testing.assert_close(graph.losses.values, usual.losses.values, rtol=1e-4, atol=1e-5)
    state = copied(graph.state())
    assert not any(group["capturable"] for group in state["optimizer"]["param_groups"])
    again = trainer(spec, data_root, "cuda:0", **more)
    again.resume(state)
    for t in range(16, 21):
        again.update(t)
        graph.update(t)
    for p, q in zip(again.params, graph.params, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-5)


@on_a_gpu
@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("kind", ["adamw_spec", "ademamix_spec"])
def test_nothing_in_a_step_waits_for_the_gpu(
    kind: str, captured: bool, data_root: Path, request: pytest.FixtureRequest
) -> None:
    spec: RunSpec = request.getfixturevalue(kind)
    one = trainer(spec, data_root, "cuda:0", micro_batch=2, log_every=20, captured=captured)
    for t in range(1, 6):  # states are made, kernels compiled, the graph captured
        one.update(t)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for t in range(6, 12):
            one.update(t)
    finally:
        torch.cuda.set_sync_debug_mode("default")
