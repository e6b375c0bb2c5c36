"""How fast is the training loop, and where does its time go? AdamW, AdEMAMix and nanoGPT's loop in turn.

    make bench

On a GPU the paper's 110M, 330M and 1.3B at their own batches (scale `paper`), and our network in the sizes of
modded-nanogpt's track 3 (162M: untied embeddings, 524,288 tokens an update); on a CPU, on one core, the
110M of scale `cpu`. The rates of one size are measured in rounds, each loop once a round, so that ratios are
between neighbours in time; medians are reported. Data is made: random tokens, in the format of real ones.
Written to benchmarks/results/training-<device>.json, of which `ademamix plan` takes this machine's rates.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from ademamix.checkout import checkout
from ademamix.data import tokens
from ademamix.data.sets import TokenFolder
from ademamix.files import write_json
from ademamix.models import TransformerConfig
from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from ademamix.paper.setups import PAPER_HORIZON
from ademamix.scale import Scale, scale
from ademamix.spec import RunSpec
from ademamix.store import read_json
from ademamix.training.job import Job
from ademamix.training.machine import machine
from ademamix.training.trainer import Trainer
from benchmarks.nanogpt import NanoGPT

NANOGPT = "nanoGPT"
RATIOS = (("AdEMAMix / AdamW, time", ADEMAMIX, ADAMW), ("nanoGPT / ours, time", NANOGPT, ADAMW))
TRACK_3 = (
    "162M"  # records/track_3_optimization/train_gpt_simple.py: 12 layers, heads of 128, vocabulary 50,304
)
SIZES = {"cuda": ("110M", TRACK_3, "330M", "1.3B"), "cpu": ("110M",)}
UPDATES = {"cuda": 5, "cpu": 100}  # of a round
MATMUL = {"cuda": (8192, torch.bfloat16, 50), "cpu": (1024, torch.float32, 10)}
DATA = {"cuda": 20_000_000, "cpu": 1_000_000}  # tokens


class Watch:
    """Seconds spent in parts of the work, on the device itself: nothing waits until they are read."""

    def __init__(self, device: torch.device) -> None:
        self._gpu = device.type == "cuda"
        self._parts: dict[str, list[tuple[Any, Any]]] = {}

    @contextmanager
    def timing(self, part: str, on_host: bool = False) -> Iterator[None]:
        """A block whose time counts for `part`; `on_host`: the host's, whatever the device does."""
        start = self._now(on_host)
        yield
        self._parts.setdefault(part, []).append((start, self._now(on_host)))

    def _now(self, on_host: bool) -> Any:
        if on_host or not self._gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def around(self, part: str, call: Callable[..., Any], on_host: bool = False) -> Callable[..., Any]:
        """`call`, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.timing(part, on_host):
                return call(*args, **kwargs)

        return timed

    def seconds(self) -> dict[str, float]:
        """By part, since the last call."""
        if self._gpu:
            torch.cuda.synchronize()
        found = {name: sum(map(_between, spans)) for name, spans in self._parts.items()}
        self._parts = {}
        return found


def _between(span: tuple[Any, Any]) -> float:
    start, end = span
    return end - start if isinstance(start, float) else float(start.elapsed_time(end)) / 1e3


def peak_flops(device: torch.device) -> float:
    """Operations a second of a large matrix product: what this machine can do at best. The best of five."""
    size, dtype, repeats = MATMUL[device.type]
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    watch, best = Watch(device), 0.0
    for _ in range(6):  # the first warms up, and lies below the others
        with watch.timing("product"):
            for _ in range(repeats):
                a @ b
        best = max(best, 2 * size**3 * repeats / watch.seconds()["product"])
    return best


def made_data(root: Path, vocabulary: int, count: int) -> TokenFolder:
    """Random tokens as a token folder, in one shard."""
    draw = np.random.default_rng(0)
    splits = {name: [draw.integers(0, vocabulary, n)] for name, n in (
        ("train", count), ("validation", count // 10), ("reserve", count // 10))}  # fmt: skip
    data = TokenFolder(set="bench", tokenizer=f"random-{vocabulary}")
    tokens.write(data.folder(root), splits, vocabulary, {"kind": "benchmark"})
    return data


def raw(data: TokenFolder, root: Path) -> Path:
    """The same tokens as nanoGPT reads them: uint16 and nothing else."""
    path = root / f"{data.tokenizer}.uint16"
    if not path.exists():
        folder = tokens.Tokens(data.folder(root))
        windows = folder.split("train", 1024)
        windows.read(np.arange(len(windows)))[:, :-1].astype(np.uint16).tofile(path)
    return path


class Ours:
    """The loop of this project over one run."""

    def __init__(self, spec: RunSpec, passes: int | None, root: Path, device: torch.device) -> None:
        job = Job(spec, 10**9, frozenset(), {}, {}, 50, 1e9, passes)
        self.watch = Watch(device)
        self.task = spec.open(root, device)
        self.trainer = Trainer(job, self.task)
        self.tokens_per_update = spec.units_per_step
        # Reading is the host's time: on a GPU a thread reads ahead, and this is what is waited for it.
        self.task.batch = self.watch.around("data", self.task.batch, on_host=True)  # type: ignore[method-assign]
        self.trainer.optimizer.step = self.watch.around(  # type: ignore[method-assign]
            "optimizer", self.trainer.optimizer.step
        )

    def update(self) -> None:
        self.trainer.update(self.trainer.step + 1)
        if self.trainer.step % 50 == 0:
            self.trainer.losses.close()

    def evaluation_seconds(self, at: Scale) -> float:
        """Of one observation of the validation loss; the first one reads, the second is timed."""
        for _ in range(2):
            self.watch.seconds()
            with self.watch.timing("evaluation"):
                self.trainer.measure([at.validation_loss])
        return self.watch.seconds()["evaluation"]


def specs_of(size: str, at: Scale) -> tuple[dict[str, RunSpec], int | None]:
    """By optimizer, the runs of one size; and samples of a pass."""
    setup = "110M" if size == TRACK_3 else size
    found = {name: at.map(run(setup, name, PAPER_HORIZON)) for name in (ADAMW, ADEMAMIX)}
    passes = at.passes(found[ADAMW].task)
    if size != TRACK_3:
        return found, passes
    model = TransformerConfig(width=768, layers=12, heads=6, positions=1024, vocabulary=50_304, tied=False)
    return {name: spec.changed(model=model, batch=512) for name, spec in found.items()}, 32


def measured(
    size: str, at: Scale, root: Path, device: torch.device, rounds: int, updates: int, peak: float
) -> dict[str, Any]:
    """All there is to say of one size."""
    plain, passes = specs_of(size, at)
    model = plain[ADAMW].model
    assert isinstance(model, TransformerConfig)
    data = made_data(root, model.vocabulary, DATA[device.type])
    specs = {name: spec.changed(data=data) for name, spec in plain.items()}
    one = specs[ADAMW]
    makers: dict[str, Callable[[], Any]] = {
        name: lambda spec=spec: Ours(spec, passes, root, device) for name, spec in specs.items()
    }
    if model.tied:  # as nanoGPT's network is
        makers[NANOGPT] = lambda: NanoGPT(
            model, one.sample, one.batch, raw(data, root), device, compiled=device.type == "cuda"
        )
    loops: dict[str, Any] = {}
    memory: dict[str, dict[str, float]] = {}
    for name, make in makers.items():
        try:
            loops[name], memory[name] = _with_memory(make, device)
        except torch.OutOfMemoryError:
            click.echo(f"{size}: {name} does not fit beside the others; left out", err=True)
            torch.cuda.empty_cache()
    spent: dict[str, list[dict[str, float]]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            watch = Watch(device)
            with watch.timing("all"):
                for _ in range(updates):
                    loop.update()
            parts = loop.watch.seconds() if isinstance(loop, Ours) else {}
            spent[name].append({"all": watch.seconds()["all"], **parts})
    flops = one.flops_per_step / one.units_per_step  # of a token, nanoGPT's network being the same
    found: dict[str, Any] = {
        "scale": at.name,
        "size": size,
        "parameters": model.parameters(),
        "precision": one.precision,
        "compiled": one.compiled,
        "batch": one.batch,
        "sequence": one.sample,
        "micro batch": passes,
        "gpus": 1,
    }
    for name, loop in loops.items():
        rate = statistics.median(loop.tokens_per_update * updates / s["all"] for s in spent[name])
        row: dict[str, Any] = {
            "tokens per second": round(rate, 1),
            "milliseconds per update": round(1e3 * loop.tokens_per_update / rate, 3),
            "MFU": round(rate * flops / peak, 4),
            **memory[name],
        }
        if isinstance(loop, Ours):
            row["share"] = _shares(loop, spent[name], at, updates)
        found[name] = row
    for what, above, below in RATIOS:
        if {above, below} <= loops.keys():
            # The time of a token; neighbours in time are compared, and the median of that taken.
            pairs = zip(spent[above], spent[below], strict=True)
            tokens_of = loops[above].tokens_per_update / loops[below].tokens_per_update
            found[what] = round(statistics.median(a["all"] / b["all"] for a, b in pairs) / tokens_of, 4)
    return found


def _with_memory(make: Callable[[], Any], device: torch.device) -> tuple[Any, dict[str, float]]:
    """A loop after its first updates, which compile, and the largest memory that they took."""
    gpu = device.type == "cuda"
    before = torch.cuda.memory_allocated() if gpu else 0
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    loop = make()
    for _ in range(3):
        loop.update()
    if isinstance(loop, Ours):
        loop.watch.seconds()  # what was timed so far does not count
    if not gpu:
        return loop, {}
    return loop, {"memory GB": round((torch.cuda.max_memory_allocated() - before) / 1e9, 2)}


def _shares(loop: Ours, spent: list[dict[str, float]], at: Scale, updates: int) -> dict[str, float]:
    """Parts of the time of an update, and evaluation's of that of a training."""
    found = {
        part: round(statistics.median(s.get(part, 0.0) / s["all"] for s in spent), 4)
        for part in ("data", "optimizer")
    }
    between = at.validation_every * statistics.median(s["all"] for s in spent) / updates
    seconds = loop.evaluation_seconds(at)
    return {**found, "evaluation": round(seconds / (seconds + between), 4)}


def show(found: Mapping[str, Any]) -> None:
    click.echo(f"{found['size']} at scale {found['scale']}:")
    for name in filter(found.__contains__, (ADAMW, ADEMAMIX, NANOGPT)):
        click.echo(f"  {name:10s} " + ", ".join(f"{what} {value}" for what, value in found[name].items()))
    for what in (what for what, *_ in RATIOS if what in found):
        click.echo(f"  {what}: {found[what]}")


@click.command()
@click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu", show_default=True)
@click.option("--rounds", default=7, show_default=True, help="Of each loop.")
@click.option("--updates", type=int, help="Of a round. [default: 5 on a GPU, 100 on a CPU]")
@click.option(
    "--size",
    "sizes",
    multiple=True,
    help="110M, 162M, 330M, 1.3B; the others' results stay. [default: all; on a CPU 110M]",
)
@click.option("--out", type=click.Path(path_type=Path), help="[default: benchmarks/results]")
def main(device: str, rounds: int, updates: int | None, sizes: tuple[str, ...], out: Path | None) -> None:
    """Measure, print and write the medians."""
    on, load = torch.device(device), round(os.getloadavg()[0], 2)
    if on.type == "cpu":
        torch.set_num_threads(1)
    at = scale("paper" if on.type == "cuda" else "cpu")
    peak = peak_flops(on)
    click.echo(f"peak of this machine, by a large matrix product: {peak:.3g} FLOP/s")
    runs = []
    for size in sizes or SIZES[on.type]:
        with tempfile.TemporaryDirectory() as root:
            runs.append(measured(size, at, Path(root), on, rounds, updates or UPDATES[on.type], peak))
        show(runs[-1])
        if on.type == "cuda":
            torch.cuda.empty_cache()
    folder = out or checkout() / "benchmarks" / "results"
    path = folder / f"training-{on.type}.json"
    if (
        sizes
        and path.exists()
        and (known := read_json(path))["machine"]["processor"] == machine(on)["processor"]
    ):
        runs = [one for one in known["runs"] if one["size"] not in sizes] + runs
    results = {
        "machine": {**machine(on), "cores": os.cpu_count(), "load before": load},
        "peak FLOP/s": round(peak),
        "rounds": rounds,
        "runs": runs,
    }
    write_json(path, results)


if __name__ == "__main__":
    main()
