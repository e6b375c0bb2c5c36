"""What does a step of the optimizer cost? AdEMAMix against torch's AdamW, its peers, and the memory itself.

    make bench                                   (or: python -m benchmarks.optimizer --threads 1)

For lists of parameters of real sizes: time of `step()`, memory moved and held, peak of temporary memory, and
the cost of the first step in a fresh process. Every contestant updates the same tensors; rounds are
interleaved; medians and quartiles. Peers (the extra `peers`) take part where they are installed.
On a CPU everything is measured with glibc's malloc as it is, and with freed memory retained, which is kind
to implementations that need temporaries. Written to benchmarks/results/optimizer-<device>.{json,png}.
"""

import ctypes
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ademamix.checkout import checkout
from ademamix.files import write_json

RESULTS = checkout() / "benchmarks" / "results"
RETAINED = {
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**36),
    "MALLOC_TOP_PAD_": "0",
}
MALLOCS = {"default": {}, "retained": RETAINED}
OPTIONS = {"lr": 1e-6, "betas": (0.9, 0.999, 0.9999), "alpha": 8.0, "weight_decay": 0.1}
COPIED = 2**28  # words of a piece of the memory that is copied on CUDA: 1 GiB, 20 times a cache
PEERS = ("pytorch_optimizer", "bitsandbytes", "heavyball")


def gpt2(width: int, layers: int, vocabulary: int = 50_257, positions: int = 1_024) -> list[tuple[int, ...]]:
    """The parameters of a GPT-2 with biases: 148 tensors for 12 layers, 124.4M parameters at width 768."""
    block = [(width,), (width,), (3 * width, width), (3 * width,), (width, width), (width,),
             (width,), (width,), (4 * width, width), (4 * width,), (width, 4 * width), (width,)]  # fmt: skip
    return [(vocabulary, width), (positions, width), *(layers * block), (width,), (width,)]


LISTS: dict[str, list[tuple[int, ...]]] = {
    "124M": gpt2(768, 12),
    "1M": 15 * [(128, 128), (128,), (452, 128), (1500,)],
    "1.3B": gpt2(2048, 24, 50_304, 2_048),
}
ROUNDS = {"124M": 15, "1M": 300, "1.3B": 30}


def contestants(device: str) -> dict[str, tuple[int, Callable[[list[Any]], Any]]]:
    """Name → bytes that its update has to move for each parameter, and how to make it."""
    import torch

    from ademamix import AdEMAMix

    warm = {"alpha_warmup": 10_000, "beta3_warmup": 10_000}
    kernel = "c" if device == "cpu" else "triton"

    def ours(**changes: Any) -> Callable[[list[Any]], Any]:
        return lambda ps: AdEMAMix(ps, **{**OPTIONS, **warm, **changes})

    def adamw(**choice: bool) -> Callable[[list[Any]], Any]:
        return lambda ps: torch.optim.AdamW(ps, lr=1e-6, weight_decay=0.1, **choice)

    found: dict[str, tuple[int, Callable[[list[Any]], Any]]] = {
        f"AdEMAMix ({kernel})": (36, ours(implementation=kernel)),
        f"AdEMAMix ({kernel}), β1 = 0": (28, ours(implementation=kernel, betas=(0.0, 0.999, 0.9999))),
        f"AdEMAMix ({kernel}), bf16 state": (24, ours(implementation=kernel, state_dtype=torch.bfloat16)),
        "AdEMAMix (foreach)": (36, ours(implementation="foreach")),
        "torch AdamW (fused)": (28, adamw(fused=True)),
        "torch AdamW (foreach)": (28, adamw(foreach=True)),
    }
    for name, make in peers().items():
        found[name] = (36, make)
    return found


def peers() -> dict[str, Callable[[list[Any]], Any]]:
    """The AdEMAMix of other packages, those that are installed."""
    import contextlib
    import importlib

    schedules = {
        "pytorch_optimizer": {"t_alpha_beta3": 10_000, "weight_decouple": True},
        "bitsandbytes": {"t_alpha": 10_000, "t_beta3": 10_000},
        "heavyball": {"alpha_warmup": 10_000, "beta3_warmup": 10_000, "compile_step": False},
    }
    found: dict[str, Callable[[list[Any]], Any]] = {}
    for package in PEERS:
        with contextlib.suppress(ImportError), contextlib.redirect_stderr(None):
            module = importlib.import_module(package + (".optim" if package == "bitsandbytes" else ""))
            options = {**OPTIONS, **schedules[package]}
            found[package] = lambda ps, m=module, o=options: m.AdEMAMix(ps, **o)
    return found


def measure(name: str, device: str, threads: int, rounds: int) -> dict[str, Any]:
    """All contestants on one list of parameters, in this process."""
    import torch

    torch.set_num_threads(threads)
    draw = torch.Generator(device).manual_seed(0)
    ps = [torch.randn(s, generator=draw, device=device).mul_(0.02).requires_grad_() for s in LISTS[name]]
    gs = [torch.randn(p.shape, generator=draw, device=device).mul_(1e-3) for p in ps]
    count = sum(p.numel() for p in ps)

    def timed(step: Callable[[], None]) -> float:
        give(gs, ps)
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    entries, failed, firsts = {}, {}, {}
    for title, (moved, make) in contestants(device).items():
        try:
            optimizer = make(ps)
            firsts[title] = timed(optimizer.step)
            for _ in range(2):
                timed(optimizer.step)
            entries[title] = (moved, optimizer)
        except Exception as error:  # a peer that does not run here is reported, not hidden
            failed[title] = f"{type(error).__name__}: {error}".splitlines()[0]
    memory, stream_name = memory_stream(count, device, threads)
    times: dict[str, list[float]] = {title: [] for title in entries} | {stream_name: []}
    for _ in range(rounds):
        for title, (_, optimizer) in entries.items():
            times[title].append(timed(optimizer.step))
        times[stream_name].append(timed(memory))
    rows: dict[str, Any] = {}
    for title, seconds in times.items():
        low, middle, high = statistics.quantiles(seconds, n=4)
        rows[title] = {
            "milliseconds": round(middle * 1e3, 4),
            "quartiles": [round(low * 1e3, 4), round(high * 1e3, 4)],
        }
    for title, (moved, optimizer) in entries.items():
        give(gs, ps)
        rows[title] |= {
            "state_bytes_per_parameter": round(state_bytes(optimizer) / count, 2),
            "moved_bytes_per_parameter": moved,
            "gigabytes_per_second": round(moved * count / rows[title]["milliseconds"] / 1e6, 2),
            "temporary_megabytes": temporary(optimizer.step, device),
            "first_step_seconds": round(firsts[title], 2),
        }
    rows[stream_name]["gigabytes_per_second"] = round(36 * count / rows[stream_name]["milliseconds"] / 1e6, 2)
    return {"tensors": len(ps), "parameters": count, "rows": rows, "failed": failed, "stream": stream_name}


def give(gs: list[Any], ps: list[Any]) -> None:
    """Gradients to parameters: some optimizers take them away."""
    for p, g in zip(ps, gs, strict=True):
        p.grad = g


def memory_stream(count: int, device: str, threads: int) -> tuple[Callable[[], None], str]:
    """Reading five arrays and writing four, with nothing else to do; on CUDA, copies of the same bytes."""
    import torch

    from ademamix.optim.kernels.compile import Unavailable, library

    if device == "cuda":
        # In pieces, since the contestants' states fill the memory.
        words = 9 * count // 2
        pieces = -(-words // COPIED)
        source, target = (torch.ones(words // pieces, device=device) for _ in range(2))

        def copy() -> None:
            for _ in range(pieces):
                target.copy_(source)

        return copy, "copy of 36 bytes a parameter"
    arrays = [torch.zeros(count) for _ in range(5)]
    lib = library(Path(__file__).with_name("stream.c"))
    if isinstance(lib, Unavailable):
        raise click.ClickException(str(lib))

    def stream() -> None:
        lib.stream(*(ctypes.c_void_p(a.data_ptr()) for a in arrays), ctypes.c_int64(count), threads)

    return stream, "5 reads, 4 writes"


def state_bytes(optimizer: Any) -> int:
    """Memory of all tensors of the state."""
    import torch

    found: dict[int, int] = {}

    def count(value: Any) -> None:
        if torch.is_tensor(value) and value.numel() > 1:
            found[value.data_ptr()] = value.numel() * value.element_size()
        elif isinstance(value, dict | list | tuple):
            for part in value.values() if isinstance(value, dict) else value:
                count(part)

    count([state for p, state in optimizer.state.items()])
    return sum(found.values())


def temporary(step: Callable[[], Any], device: str) -> float:
    """Peak memory during a step above what was held before, MB."""
    import torch

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        torch.cuda.synchronize()
        return round((torch.cuda.max_memory_allocated() - before) / 1e6, 2)

    def field(name: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name))

    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from now
    before = field("VmRSS")
    step()
    return round(max(0, field("VmHWM") - before) / 1e3, 2)


FIRST_STEP = """
import time, torch
from torch.optim import AdamW
p = torch.ones(1000, device="{device}", requires_grad=True); p.grad = torch.ones_like(p)
AdamW([p], fused=True).step()  # torch's own first-time costs
import ademamix
start = time.perf_counter()
optimizer = ademamix.AdEMAMix([p])
optimizer.step()
print(time.perf_counter() - start, optimizer.implementation)
"""


def first_step(device: str, cache: str) -> tuple[float, str]:
    """Seconds from the class to the end of its first step in a fresh process where torch is warm."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_STEP.format(device=device)],
        env={**os.environ, "ADEMAMIX_CACHE": cache, "TRITON_CACHE_DIR": cache},
        cwd=checkout(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds, implementation = done.stdout.split()
    return float(seconds), implementation


def start_up(device: str, times: int = 5) -> dict[str, Any]:
    """The first step with an empty cache and with a full one, medians."""
    cold, warm = [], []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as cache:
            cold.append(first_step(device, cache)[0])
            seconds, implementation = first_step(device, cache)
            warm.append(seconds)
    return {
        "implementation": implementation,
        "cold_seconds": round(statistics.median(cold), 3),
        "warm_seconds": round(statistics.median(warm), 4),
    }


def in_a_process(
    name: str, device: str, threads: int, rounds: int, environment: dict[str, str]
) -> dict[str, Any]:
    """`measure` under another malloc."""
    numbers = ["--threads", str(threads), "--rounds", str(rounds)]
    command = [sys.executable, "-m", "benchmarks.optimizer", "--child", name, "--device", device, *numbers]
    done = subprocess.run(
        command, cwd=checkout(), env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise click.ClickException(f"measuring {name} failed, see above")
    return json.loads(done.stdout.splitlines()[-1])


def draw(results: dict[str, Any], path: Path) -> None:
    """Bars: milliseconds of a step, for each list, with the memory stream as a line."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    from analysis.style import SETTINGS, WIDTH, colour

    lists = results["lists"]
    with plt.rc_context(SETTINGS):
        figure, grid = plt.subplots(1, len(lists), figsize=(WIDTH, 2.6), squeeze=False)
        for axes, (name, by_malloc) in zip(grid[0], lists.items(), strict=True):
            malloc = "retained" if "retained" in by_malloc else "default"
            found = by_malloc[malloc]
            rows = {title: row for title, row in found["rows"].items() if title != found["stream"]}
            for place, (title, row) in enumerate(rows.items()):
                ours, adamw = title.startswith("AdEMAMix ("), title.startswith("torch")
                shade = colour("AdEMAMix") if ours else colour("AdamW") if adamw else "0.6"
                low, high = row["quartiles"]
                error = [[row["milliseconds"] - low], [high - row["milliseconds"]]]
                axes.barh(place, row["milliseconds"], xerr=error, color=shade, height=0.7)
            axes.set_yticks(range(len(rows)), list(rows))
            axes.invert_yaxis()
            axes.axvline(
                found["rows"][found["stream"]]["milliseconds"], color="k", linewidth=0.9, linestyle="--"
            )
            axes.set_title(f"{name} parameters, {found['tensors']} tensors")
            axes.set_xlabel(f"ms a step, malloc {malloc} (dashed: {found['stream']})")
            if axes is not grid[0][0]:
                axes.set_yticklabels([])
        figure.savefig(path, metadata={"Software": None})
        plt.close(figure)


@click.command(help=__doc__.splitlines()[0])
@click.option("--threads", type=int, help="CPU threads. [default: all cores]")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="[default: cuda where there is one]")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="[default: benchmarks/results]")
@click.option("--list", "only", multiple=True, type=click.Choice(list(LISTS)), help="[default: all]")
@click.option("--rounds", type=int, help="Steps of each that are timed. [default: 15 to 300, by the list]")
@click.option("--child", type=click.Choice(list(LISTS)), hidden=True)
def main(
    threads: int | None,
    device: str | None,
    out: Path,
    only: tuple[str, ...],
    rounds: int | None,
    child: str | None,
) -> None:
    import torch

    from ademamix.training.machine import machine

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    threads = threads or len(os.sched_getaffinity(0))
    if child:
        print(json.dumps(measure(child, device, threads, rounds or ROUNDS[child])))
        return
    names = only or (("124M", "1M") if device == "cpu" else ("124M", "1M", "1.3B"))
    mallocs = MALLOCS if device == "cpu" else {"default": {}}
    results = {
        "machine": {**machine(torch.device(device)), "threads": threads},
        "peers": {package: version(package) for package in PEERS},
        "start_up": start_up(device, min(5, rounds or 5)),
        "lists": {
            name: {
                malloc: in_a_process(name, device, threads, rounds or ROUNDS[name], env)
                for malloc, env in mallocs.items()
            }
            for name in names
        },
    }
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / f"optimizer-{device}.json", results)
    draw(results, out / f"optimizer-{device}.png")
    click.echo(f"{out / f'optimizer-{device}.json'} (then: make docs)")


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
