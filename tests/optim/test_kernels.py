"""The kernels themselves: how the C one is built and chosen, what no kernel may depend on, capturing."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from ademamix import AdEMAMix
from ademamix.checkout import checkout
from ademamix.optim import foreach
from tests.command_line import python

LOAD = """
from ademamix.optim.kernels.compile import library
lib = library()
print(lib if isinstance(lib, Exception) else "loaded")
"""
ONE_STEP = """
import torch
from ademamix import AdEMAMix
p = torch.ones(3, requires_grad=True)
p.grad = torch.ones(3)
optimizer = AdEMAMix([p])
optimizer.step()
optimizer.step()
print(optimizer.implementation, float(p.detach().sum()) < 3)
try:
    AdEMAMix([p], implementation="c").step()
except RuntimeError as error:
    print(error)
"""


def loaded(**environment: str) -> str:
    """'loaded', or why the library could not be; in a process of its own, since it is loaded once in each."""
    done = python(LOAD, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def compiler(folder: Path, script: str) -> str:
    """A compiler of our making."""
    path = folder / "cc-of-mine"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_the_library_is_built_once_and_found_again(tmp_path: Path) -> None:
    cache = {"ADEMAMIX_CACHE": str(tmp_path)}
    assert loaded(**cache) == "loaded"
    (built,) = tmp_path.iterdir()  # and no temporary file is left
    before = built.stat().st_mtime_ns
    assert loaded(**cache) == "loaded"
    assert built.stat().st_mtime_ns == before


def test_many_processes_may_build_it_at_once(tmp_path: Path) -> None:
    environment = {**os.environ, "ADEMAMIX_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", LOAD]
    running = [
        subprocess.Popen(command, cwd=checkout(), env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    assert [process.communicate(timeout=120)[0].strip() for process in running] == ["loaded"] * 6
    assert len(list(tmp_path.iterdir())) == 1


def test_cc_is_respected_and_is_part_of_the_key(tmp_path: Path) -> None:
    log, cache = tmp_path / "log", tmp_path / "cache"
    mine = compiler(tmp_path, f'echo "$@" >> {log}; exec cc "$@"')
    assert loaded(ADEMAMIX_CACHE=str(cache)) == "loaded"
    assert loaded(ADEMAMIX_CACHE=str(cache), CC=f"{mine} -DMINE") == "loaded"
    assert "-DMINE -O3" in log.read_text()
    assert len(list(cache.iterdir())) == 2


def test_a_compiler_that_fails_is_warned_about_once(tmp_path: Path) -> None:
    broken = compiler(tmp_path, "echo no such thing as C >&2; exit 3")
    done = python(ONE_STEP, ADEMAMIX_CACHE=str(tmp_path / "cache"), CC=broken)
    used, forced = done.stdout.splitlines()
    assert used == "foreach True", done.stderr
    assert done.stderr.count("falls back to implementation='foreach'") == 1
    assert "no such thing as C" in done.stderr
    assert forced.startswith("implementation='c' cannot be used: ")


def test_a_compiler_that_is_not_there_and_other_nonsense(tmp_path: Path) -> None:
    assert "CC is 'nosuchcc'" in loaded(ADEMAMIX_CACHE=str(tmp_path), CC="nosuchcc")
    assert loaded(ADEMAMIX_CACHE=str(tmp_path), CC='gcc "x').startswith("ValueError")


def test_a_cache_that_others_can_write_is_not_trusted(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    assert loaded(ADEMAMIX_CACHE=str(shared)) == "loaded"
    assert not list(shared.iterdir())
    assert loaded(ADEMAMIX_CACHE=str(tmp_path / "own")) == "loaded"
    (library,) = (tmp_path / "own").iterdir()
    library.write_bytes(b"planted")
    library.chmod(0o777)
    assert loaded(ADEMAMIX_CACHE=str(tmp_path / "own")) == "loaded"
    assert library.read_bytes() != b"planted"


def test_without_a_compiler_it_is_foreach_and_silent(tmp_path: Path) -> None:
    done = python(ONE_STEP, ADEMAMIX_CACHE=str(tmp_path), CC="", PATH=str(tmp_path))
    used, forced = done.stdout.splitlines()
    assert used == "foreach True"
    assert "ademamix" not in done.stderr.lower()
    assert "no C compiler" in forced


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert loaded(ADEMAMIX_CACHE=str(tmp_path / "file" / "cache")) == "loaded"


def test_a_torn_library_is_made_again(tmp_path: Path) -> None:
    assert loaded(ADEMAMIX_CACHE=str(tmp_path)) == "loaded"
    (library,) = tmp_path.iterdir()
    library.write_bytes(b"not a library")
    assert loaded(ADEMAMIX_CACHE=str(tmp_path)) == "loaded"


@pytest.mark.parametrize("options", [{}, {"state_dtype": torch.bfloat16}, {"betas": (0.0, 0.99, 0.999)}])
def test_threads_and_the_split_into_tensors_change_no_bit(options: dict[str, object]) -> None:
    count = 300_007
    start = torch.randn(count)
    gs = [torch.randn(count) for _ in range(3)]
    parts = [0, 1, 64, 1_000, 99_999, 250_001, count]
    found = []
    threads = torch.get_num_threads()
    try:
        for number, cuts in ((1, [0, count]), (2, [0, count]), (3, parts), (8, parts)):
            torch.set_num_threads(number)
            ps = [start[a:b].clone().requires_grad_() for a, b in pairwise(cuts)]
            optimizer = AdEMAMix(ps, lr=1e-2, alpha=8.0, implementation="c", **options)  # type: ignore[arg-type]
            for g in gs:
                for p, a, b in zip(ps, cuts[:-1], cuts[1:], strict=True):
                    p.grad = g[a:b].clone()
                optimizer.step()
            found.append(torch.cat([p.detach() for p in ps]))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[2], found[3])
    if not options.get("state_dtype"):  # the random bits of bf16 follow a parameter's own offsets
        assert torch.equal(found[0], found[2])


@pytest.mark.parametrize(("implementation", "kilobytes"), [("c", 1_000), ("foreach", 8_000)])
def test_steps_need_no_memory_of_their_own(implementation: str, kilobytes: int) -> None:
    """Parameters of 16 MB: a temporary of a single one's size would show at once."""
    code = f"""
    import resource, torch
    from ademamix import AdEMAMix
    ps = [torch.ones(4_000_000, requires_grad=True) for _ in range(2)]
    for p in ps:
        p.grad = torch.ones_like(p)
    optimizer = AdEMAMix(ps, alpha_warmup=10, beta3_warmup=10, implementation={implementation!r})
    optimizer.step()
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    before = peak()
    for _ in range(8):
        optimizer.step()
    print(peak() - before)
    """
    done = python(textwrap.dedent(code))
    assert int(done.stdout) < kilobytes, done.stderr  # KiB, of Linux


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        (torch.float32, {}),
        (torch.float64, {"betas": (0.0, 0.999, 0.9999), "maximize": True}),
        (torch.float32, {"state_dtype": torch.bfloat16}),
        (torch.bfloat16, {}),
        (torch.bfloat16, {"master_weights": True}),
    ],
)
@pytest.mark.parametrize("size", [64, 4096])
def test_pieces_change_no_bit(
    size: int, dtype: torch.dtype, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tensors that are cut, that share a piece, that are empty, transposed, or have holes."""

    def trained() -> list[torch.Tensor]:
        draw = torch.Generator().manual_seed(0)
        shapes = ((300, 70), (1,), (0,), (4097,), (33, 3))
        ps = [torch.randn(shape, generator=draw).to(dtype) for shape in shapes]
        ps += [
            torch.randn(65, 129, generator=draw).to(dtype).t(),
            torch.randn(50, 9, generator=draw).to(dtype)[:, :7],
        ]
        for p in ps:
            p.requires_grad_()
        optimizer = AdEMAMix(ps, lr=1e-2, alpha=8.0, weight_decay=0.1, implementation="foreach", **options)
        for _ in range(5):
            for p in ps:
                p.grad = torch.randn(p.shape, generator=draw).to(dtype)
            optimizer.step()
        return [
            *(p.detach() for p in ps),
            *(v for p in ps for v in optimizer.state[p].values() if torch.is_tensor(v)),
        ]

    whole = trained()
    monkeypatch.setitem(foreach.PIECE, "cpu", size)
    assert all(map(torch.equal, trained(), whole))


Mischief = Callable[[AdEMAMix, list[torch.Tensor]], None]


def _options(optimizer: AdEMAMix, ps: list[torch.Tensor]) -> None:
    optimizer.param_groups[0].update(lr=0.05, alpha=3.0, weight_decay=0.3, beta3_warmup=None)


def _late(optimizer: AdEMAMix, ps: list[torch.Tensor]) -> None:
    ps[1].grad = None


def _counted(optimizer: AdEMAMix, ps: list[torch.Tensor]) -> None:
    optimizer.state[ps[0]]["step"].fill_(7)


def _started(optimizer: AdEMAMix, ps: list[torch.Tensor]) -> None:
    for p in ps:
        optimizer.state[p]["schedule_start"] = 2


def _moment(optimizer: AdEMAMix, ps: list[torch.Tensor]) -> None:
    optimizer.state[ps[1]]["exp_avg_slow"] = torch.ones_like(ps[1])


def _moment_data(optimizer: AdEMAMix, ps: list[torch.Tensor]) -> None:
    optimizer.state[ps[1]]["exp_avg_sq"].data = torch.ones_like(ps[1])


def _state(optimizer: AdEMAMix, ps: list[torch.Tensor]) -> None:
    optimizer.state[ps[0]] = {**optimizer.state[ps[0]], "exp_avg": torch.zeros_like(ps[0])}


def _forgotten(optimizer: AdEMAMix, ps: list[torch.Tensor]) -> None:
    del optimizer.state[ps[0]]


def _loaded(optimizer: AdEMAMix, ps: list[torch.Tensor]) -> None:
    optimizer.load_state_dict(optimizer.state_dict())


def _moved(optimizer: AdEMAMix, ps: list[torch.Tensor]) -> None:
    ps[0].data = ps[0].data.clone() + 1


def _transposed(optimizer: AdEMAMix, ps: list[torch.Tensor]) -> None:
    assert ps[0].grad is not None
    ps[0].grad = ps[0].grad.t().contiguous().t()


def _joined(optimizer: AdEMAMix, ps: list[torch.Tensor]) -> None:
    new = torch.ones(3, requires_grad=True)
    new.grad = torch.ones(3)
    optimizer.param_groups[0]["params"].append(new)


def _grouped(optimizer: AdEMAMix, ps: list[torch.Tensor]) -> None:
    new = torch.ones(3, requires_grad=True)
    new.grad = torch.ones(3)
    optimizer.add_param_group({"params": [new], "lr": 0.5})


@pytest.mark.parametrize(
    "mischief",
    [_options, _late, _counted, _started, _moment, _moment_data, _state, _forgotten, _loaded, _moved,
     _transposed, _joined, _grouped],
)  # fmt: skip
def test_what_is_kept_between_steps_is_seen_to_change(mischief: Mischief) -> None:
    """Bit for bit as an optimizer that looks everything up anew at each step."""
    found = []
    for keeps in (True, False):
        draw = torch.Generator().manual_seed(0)
        ps = [torch.randn(shape, generator=draw).requires_grad_() for shape in ((6, 6), (5,))]
        optimizer = AdEMAMix(
            ps, lr=1e-2, alpha=8.0, weight_decay=0.1, alpha_warmup=9, beta3_warmup=9, implementation="c"
        )
        for step in range(9):
            for p in ps:
                p.grad = torch.randn(p.shape, generator=draw)
            if step == 4:
                assert bool(optimizer._prepared) == keeps
                mischief(optimizer, ps)
            optimizer.step()
            if not keeps:
                optimizer._prepared.clear()
        everything = [p for group in optimizer.param_groups for p in group["params"]]
        found.append([*everything, *(v for p in everything for v in optimizer.state[p].values())])
        assert bool(optimizer._prepared) == keeps or mischief in (_late, _counted, _forgotten, _joined)
    for kept, anew in zip(*found, strict=True):
        assert torch.equal(kept, anew) if torch.is_tensor(kept) else kept == anew


@pytest.mark.parametrize("beta1", [0.9, 0.0])
def test_a_capturable_step_counts_on_the_device(beta1: float) -> None:
    """Late gradients too: each parameter has its own step and so its own scalars, in one launch."""
    results = []
    for options in ({"implementation": "reference"}, {"implementation": "triton", "capturable": True}):
        draw = torch.Generator().manual_seed(3)
        early, late = (torch.ones(50, requires_grad=True) for _ in range(2))
        lr = torch.tensor(1e-2) if options.get("capturable") else 1e-2
        optimizer = AdEMAMix([early, late], lr=lr, betas=(beta1, 0.999, 0.9999), alpha=8.0, weight_decay=0.1,
                             alpha_warmup=6, beta3_warmup=6, **options)  # fmt: skip
        for step in range(8):
            early.grad = torch.randn(50, generator=draw)
            late.grad = torch.randn(50, generator=draw) if step >= 3 else None
            optimizer.step()
        assert [int(optimizer.state[p]["step"]) for p in (early, late)] == [8, 5]
        results.append(torch.cat([early, late]).detach())
    torch.testing.assert_close(*results, rtol=1e-6, atol=1e-6)


def test_a_capturable_step_is_skipped_where_gradients_overflowed() -> None:
    p, q = torch.ones(40, requires_grad=True), torch.ones(40, requires_grad=True)
    scaled = AdEMAMix([p], capturable=True, implementation="triton")
    plain = AdEMAMix([q], implementation="reference")
    assert scaled._step_supports_amp_scaling
    for found_inf in (0.0, 1.0, 0.0):
        p.grad, q.grad = torch.full((40,), 8.0), torch.full((40,), 2.0)
        scaled.grad_scale, scaled.found_inf = torch.tensor(4.0), torch.tensor(found_inf)
        scaled.step()
        if not found_inf:
            plain.step()
    assert scaled.state[p]["step"] == 2
    torch.testing.assert_close(p, q)


def test_one_group_that_waits_makes_the_scaler_wait() -> None:
    ps = [torch.ones(1, requires_grad=True) for _ in range(2)]
    optimizer = AdEMAMix([{"params": ps[:1], "capturable": False}, {"params": ps[1:]}], capturable=True)
    assert not optimizer._step_supports_amp_scaling


def test_tables_are_not_kept_without_bound() -> None:
    """Gradients that come and go, and options that change, as with layer drop and OneCycleLR."""
    from ademamix.optim.kernels import triton

    ps = [torch.ones(2, requires_grad=True) for _ in range(8)]
    optimizer = AdEMAMix(ps, implementation="triton")
    for step in range(1, 80):
        for i, p in enumerate(ps):
            p.grad = torch.ones(2) if step >> i & 1 else None
        optimizer.param_groups[0]["weight_decay"] = step / 1000
        optimizer.step()
    assert optimizer._device_update is not None
    assert len(optimizer._device_update._tables) <= triton.REMEMBERED
    assert len(optimizer._device_update._constants) <= triton.REMEMBERED


def test_capturable_needs_the_triton_kernel() -> None:
    p = torch.ones(2, requires_grad=True)
    p.grad = torch.ones(2)
    with pytest.raises(RuntimeError, match="capturable=True needs"):
        AdEMAMix([p], capturable=True, implementation="foreach").step()


def test_kernels_say_where_they_do_not_run() -> None:
    meta = torch.ones(2, device="meta", requires_grad=True)
    for name in ("c", "triton"):
        with pytest.raises(RuntimeError, match=f"implementation='{name}' is for"):
            _ = AdEMAMix([meta], implementation=name).implementation
