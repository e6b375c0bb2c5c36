"""Does preparing text cost more than tokenizing it? And does its memory stay where it is?

    make bench, or: python benchmarks/data.py speed | memory

Speed: the tokenizer's library alone, on a list of texts in memory with all cores, against `data prepare` from
gzipped rows of JSON on disk to a whole token folder: of many files, each core with its own, and of one file.
In turns, the order reversed each round; medians of the ratios, of seconds and of processor time, which other
load on the machine hardly changes. Memory: the peak of a process that prepares ten times as much text as the
memory that it may use. Written to benchmarks/results/data.json.
"""

import gzip
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from ademamix.checkout import checkout
from ademamix.data import pysource, sources
from ademamix.data.documents import Reading
from ademamix.data.prepare import prepare
from ademamix.data.sources import Source
from ademamix.data.tokenizer import Tokenizer
from ademamix.data.tokenizer import tokenizer as opened
from ademamix.data.tokenizer_training import train
from ademamix.data.workers import Quiet
from ademamix.files import write_json

RESULTS = checkout() / "benchmarks" / "results" / "data.json"
FILES = 8
PAGE = 8_000  # letters of a document where memory is measured, as of a long page of the web
MB = 2**20


class FirstReport(Quiet):
    """Notes when the workers are up."""

    def __init__(self) -> None:
        self.at = 0.0

    def advance(self, tokens: int, read: int) -> None:
        self.at = self.at or time.perf_counter()


class Spent(NamedTuple):
    """What it took, in seconds."""

    wall: float
    processor: float


def texts_of(megabytes: int) -> list[bytes]:
    """Python sources, from everywhere in the corpus."""
    files = [path for _, path in pysource.sources()]
    step = max(1, sum(path.stat().st_size for path in files) // (megabytes * MB))
    return [text for path in files[::step] if (text := path.read_bytes()).strip()]


def rows(folder: Path, texts: Sequence[bytes], files: int) -> Source:
    """The texts as RedPajama's files are: gzipped rows of JSON, each file a unit."""
    folder.mkdir()
    for number in range(files):
        lines = (json.dumps({"text": text.decode("utf-8", "replace")}) for text in texts[number::files])
        (folder / f"{number}.json.gz").write_bytes(gzip.compress("\n".join(lines).encode(), 6))
    return sources.text([folder], Reading()).model_copy(update={"group": 1})


def alone(made: Tokenizer, texts: Sequence[str], cores: int) -> int:
    """The library's own call for many texts, on all cores; returns how many tokens came out."""
    if made.KIND == "sentencepiece":
        return sum(map(len, made._model.encode(texts, num_threads=cores)))  # type: ignore[attr-defined]
    found = made._model.encode_batch_fast(texts, add_special_tokens=False)  # type: ignore[attr-defined]
    return sum(map(len, found))


def processor_seconds() -> float:
    """Of this process, and of those that it waited for."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(of.ru_utime + of.ru_stime for of in spent)


def by_library(made: Tokenizer, texts: Sequence[str], cores: int) -> tuple[int, Spent]:
    """How many tokens come out of the library's own call, and what it takes."""
    made = opened(str(made.file))  # without the words that it remembers of the round before
    start, processor = time.perf_counter(), processor_seconds()
    tokens = alone(made, texts, cores)
    return tokens, Spent(time.perf_counter() - start, processor_seconds() - processor)


def by_us(made: Tokenizer, source: Source, cores: int, at: Path) -> tuple[Spent, float]:
    """What preparing takes, and when its workers were up; `wall` from then on, `processor` with the start."""
    first, start, processor = FirstReport(), time.perf_counter(), processor_seconds()
    folder = prepare(at, "made", source, made, cores, display=first).folder
    spent = Spent(time.perf_counter() - first.at, processor_seconds() - processor)
    shutil.rmtree(folder)
    return spent, first.at - start


def compared(
    made: Tokenizer, words: Sequence[str], source: Source, idle: Source, rounds: int, at: Path
) -> dict[str, Any]:
    """Both in turns. `idle`: as many files with next to nothing in them, to know what starting takes."""
    cores = os.cpu_count() or 1
    found: dict[str, list[Spent]] = {"library": [], "ours": []}
    starts = []
    for number in range(rounds):
        for name in ("library", "ours") if number % 2 else ("ours", "library"):
            if name == "library":
                tokens, spent = by_library(made, words, cores)
            else:
                begun = by_us(made, idle, cores, at)[0].processor
                spent, up = by_us(made, source, cores, at)
                spent = spent._replace(processor=spent.processor - begun)
                starts.append(up)
            found[name].append(spent)
    return {
        "tokens": tokens,
        "million tokens per second": {
            name: _rounded([tokens / of.wall for of in spent], 1e6) for name, spent in found.items()
        },
        "million tokens per second of a processor": {
            name: _rounded([tokens / of.processor for of in spent], 1e6) for name, spent in found.items()
        },
        **{
            f"ours / library, {what}": {
                "median": _rounded(ratios, 1),
                "rounds": [round(x, 3) for x in ratios],
            }
            for what, ratios in (
                ("by the clock", _ratios(found, "wall")),
                ("by processor time", _ratios(found, "processor")),
            )
        },
        "seconds until the workers are up": _rounded(starts, 1),
    }


def _ratios(found: Mapping[str, Sequence[Spent]], what: str) -> list[float]:
    """The speed of ours to the library's, round by round."""
    both = zip(found["ours"], found["library"], strict=True)
    return [getattr(library, what) / getattr(ours, what) for ours, library in both]


def _rounded(values: Sequence[float], unit: float) -> float:
    return round(statistics.median(values) / unit, 3)


def written(part: str, found: dict[str, Any]) -> None:
    """Put a part of the results into the file."""
    import torch  # not by the process whose memory is measured

    from ademamix.training.machine import machine

    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    about = {"machine": machine(torch.device("cpu")), "load": [round(x, 1) for x in os.getloadavg()]}
    write_json(RESULTS, {**known, part: {**about, "cores": os.cpu_count(), **found}})


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Measure both, print and write."""
    if context.invoked_subcommand is None:
        context.invoke(speed)
        context.invoke(memory)


@main.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--megabytes", default=16, show_default=True, help="Of text.")
def speed(rounds: int, megabytes: int) -> None:
    """Tokens per second, against the library alone."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        at, texts = Path(folder), texts_of(megabytes)
        words = [text.decode("utf-8", "replace") for text in texts]
        whole = {files: rows(at / f"text{files}", texts, files) for files in (FILES, 1)}
        idle = {
            files: rows(at / f"idle{files}", [str(n).encode() for n in range(400)], files) for files in whole
        }
        for file, vocabulary in (("32k.model", 32_000), ("32k.json", 32_000)):
            made = train(whole[FILES], vocabulary, at / file)
            for files, source in whole.items():
                name = f"{made.name}, {'one file' if files == 1 else f'{files} files'}"
                found[name] = compared(opened(str(at / file)), words, source, idle[files], rounds, at)
                click.echo(f"{name}: {found[name]}")
                written("speed", {"megabytes": round(sum(map(len, texts)) / MB, 1), **found})


@main.command()
@click.option("--file", hidden=True, type=click.Path(path_type=Path))
@click.option("--limit", hidden=True, type=int)
@click.option("--tokenizer", hidden=True)
def memory(file: Path | None, limit: int, tokenizer: str) -> None:
    """The peaks of processes whose sources are ten times their limits."""
    if file:
        click.echo(json.dumps(limited(file, limit, tokenizer)))
        return
    found: dict[str, Any] = {}
    whole = "\n".join(text.decode("utf-8", "replace") for text in texts_of(16))
    texts = [whole[at : at + PAGE] for at in range(0, len(whole), PAGE)]
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        source = rows(at / "text", [text.encode() for text in texts], 1)
        for name, (learnt, limit) in LIMITS.items():
            made = train(source, 32_000, at / learnt) if learnt != "bytes" else opened(learnt)
            path = at / name / name
            path.parent.mkdir()
            WRITERS[name](path, texts, 10 * limit * MB)
            key = f"{name}, {made.name}"
            found[key] = in_a_process(path, limit, str(made.file or learnt))
            click.echo(f"{key}: {found[key]}")
            shutil.rmtree(path.parent)
    written("memory", found)


def _repeated(path: Path, block: bytes, unpacked: int, size: int) -> None:
    with path.open("wb") as file:
        for _ in range(size // unpacked + 1):
            file.write(block)


def plain(path: Path, texts: Sequence[str], size: int) -> None:
    """The texts, again and again, in a file of `size` bytes."""
    block = "\n".join(texts).encode()
    _repeated(path, block, len(block), size)


def packed_rows(path: Path, texts: Sequence[str], size: int) -> None:
    """Rows of JSON, `size` bytes of them, packed."""
    block = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
    _repeated(path, gzip.compress(block, 1), len(block), size)  # gzip files may follow one another in one


def one_row_group(path: Path, texts: Sequence[str], size: int) -> None:
    """A parquet file whose `size` bytes of rows are one group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"text": list(texts)})
    times = size // sum(map(len, texts)) + 1
    pq.write_table(
        pa.concat_tables([table] * times), path, row_group_size=times * len(texts), compression="zstd"
    )


WRITERS = {"plain.txt": plain, "one-group.parquet": one_row_group, "rows.json.gz": packed_rows}
# What the file is prepared with, and how many MB a process may use for it.
LIMITS = {
    "plain.txt": ("bytes", 32),
    "one-group.parquet": ("32k.model", 64),
    "rows.json.gz": ("32k.json", 64),
}


def in_a_process(path: Path, limit: int, tokenizer: str, seconds: float | None = None) -> dict[str, Any]:
    """`limited`, in a process of its own that has so many `seconds`: out of memory, it may wait for ever."""
    call = [
        sys.executable,
        __file__,
        "memory",
        "--limit",
        str(limit),
        "--file",
        str(path),
        "--tokenizer",
        tokenizer,
    ]
    at = {**os.environ, "PYTHONPATH": str(checkout()), "ARROW_DEFAULT_MEMORY_POOL": "system"}
    done = subprocess.run(call, env=at, capture_output=True, text=True, check=False, timeout=seconds)
    if done.returncode:
        raise MemoryError(done.stderr)
    return {"limit, MB": limit, **json.loads(done.stdout)}


def peak() -> float:
    """The most memory that this process has held, in MB; not, as `ru_maxrss`, what its parent held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def limited(path: Path, limit: int, tokenizer: str) -> dict[str, Any]:
    """Prepare a file, with at most `limit` MB of memory besides what is loaded to begin with."""
    made = opened(tokenizer)
    made.encode([b"a"])
    import pyarrow.parquet  # noqa: F401

    before = peak()
    held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (held + limit * MB,) * 2)
    start = time.perf_counter()
    whole = prepare(path.parent, "set", sources.text([path], Reading()), made)
    seconds = time.perf_counter() - start
    tokens = sum(shard["tokens"] for of in whole.manifest["splits"].values() for shard in of)
    return {
        "peak, MB": round(peak()),
        "of which before the first byte": round(before),
        "million tokens": round(tokens / 1e6),
        "seconds": round(seconds),
    }


if __name__ == "__main__":
    main()
