"""Does preparing text cost more than tokenizing it? And does its memory stay where it is?

    make bench, or: python benchmarks/data.py speed | memory

Speed: the tokenizer's library alone, on a list of texts in memory with all cores, against `data prepare` from
gzipped rows of JSON on disk to a whole token folder. Interleaved rounds, medians. Memory: the peak of a
process that prepares a file ten times the limit that is set for it. Written to benchmarks/results/data.json.
"""

import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
MB = 2**20


class FirstReport(Quiet):
    """Notes when the workers are up."""

    def __init__(self) -> None:
        self.at = 0.0

    def advance(self, tokens: int, read: int) -> None:
        self.at = self.at or time.perf_counter()


def texts_of(megabytes: int) -> list[bytes]:
    """Python sources, from everywhere in the corpus."""
    files = [path for _, path in pysource.sources()]
    step = max(1, sum(path.stat().st_size for path in files) // (megabytes * MB))
    return [text for path in files[::step] if (text := path.read_bytes()).strip()]


def rows(folder: Path, texts: Sequence[bytes]) -> Source:
    """The texts as RedPajama's files are: gzipped rows of JSON, each file a unit."""
    folder.mkdir()
    for number in range(FILES):
        lines = (json.dumps({"text": text.decode("utf-8", "replace")}) for text in texts[number::FILES])
        (folder / f"{number}.json.gz").write_bytes(gzip.compress("\n".join(lines).encode(), 6))
    return sources.text([folder], Reading()).model_copy(update={"group": 1})


def alone(made: Tokenizer, texts: Sequence[str], cores: int) -> int:
    """The library's own call for many texts, on all cores; returns how many tokens came out."""
    if made.KIND == "sentencepiece":
        return sum(map(len, made._model.encode(texts, num_threads=cores)))  # type: ignore[attr-defined]
    found = made._model.encode_batch_fast(texts, add_special_tokens=False)  # type: ignore[attr-defined]
    return sum(map(len, found))


def compared(
    made: Tokenizer, texts: Sequence[bytes], source: Source, rounds: int, at: Path
) -> dict[str, Any]:
    """Tokens per second of both, in turns; `ours` from the moment the workers are up."""
    cores = os.cpu_count() or 1
    words = [text.decode("utf-8", "replace") for text in texts]
    rates: dict[str, list[float]] = {"library": [], "ours": []}
    start_up = []
    for number in range(rounds):
        start = time.perf_counter()
        tokens = alone(made, words, cores)
        rates["library"].append(tokens / (time.perf_counter() - start))
        first, start = FirstReport(), time.perf_counter()
        prepare(at, f"{made.name}-{number}", source, made, cores, display=first)
        start_up.append(first.at - start)
        rates["ours"].append(tokens / (time.perf_counter() - first.at))
    ratios = [ours / library for ours, library in zip(rates["ours"], rates["library"], strict=True)]
    return {
        "tokens": tokens,
        "million tokens per second": {name: _rounded(found, 1e6) for name, found in rates.items()},
        "ours / library": _rounded(ratios, 1),
        "rounds": [round(ratio, 3) for ratio in ratios],
        "seconds until the workers are up": _rounded(start_up, 1),
    }


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
@click.option("--rounds", default=3, show_default=True)
@click.option("--megabytes", default=24, show_default=True, help="Of text.")
def speed(rounds: int, megabytes: int) -> None:
    """Tokens per second, against the library alone."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        at, texts = Path(folder), texts_of(megabytes)
        source = rows(at / "text", texts)
        for file, vocabulary in (("32k.model", 32_000), ("32k.json", 32_000)):
            made = train(source, vocabulary, at / file)
            found[made.name] = compared(opened(str(at / file)), texts, source, rounds, at)
            click.echo(f"{made.name}: {found[made.name]}")
    written("speed", {"megabytes": round(sum(map(len, texts)) / MB, 1), **found})


@main.command()
@click.option("--limit", default=256, show_default=True, help="MB that the process may use.")
@click.option("--file", "child", hidden=True, type=click.Path(path_type=Path))
def memory(limit: int, child: Path | None) -> None:
    """The peak of a process whose source is ten times its limit."""
    if child:
        click.echo(json.dumps(limited(child, limit)))
        return
    found: dict[str, Any] = {"limit, MB": limit, "source, MB": 10 * limit}
    block = "".join(
        json.dumps({"text": text.decode("utf-8", "replace")}) + "\n" for text in texts_of(16)
    ).encode()
    for name, packed in (("rows.json.gz", gzip.compress(block, 1)), ("plain.txt", block)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            with path.open("wb") as file:
                for _ in range(10 * limit * MB // len(block) + 1):
                    file.write(packed)  # gzip files may follow one another in one
            call = [sys.executable, __file__, "memory", "--limit", str(limit), "--file", str(path)]
            done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
        found[name] = json.loads(done.stdout)
        click.echo(f"{name}: {found[name]}")
    written("memory", found)


def limited(path: Path, limit: int) -> dict[str, Any]:
    """Prepare a file as bytes, with at most `limit` MB of memory besides what is loaded to begin with."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (held + limit * MB,) * 2)
    start = time.perf_counter()
    made = prepare(path.parent, "set", sources.text([path], Reading()), opened("bytes"))
    seconds = time.perf_counter() - start
    tokens = sum(shard["tokens"] for of in made.manifest["splits"].values() for shard in of)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "peak, MB": round(peak),
        "of which before the first byte": round(before),
        "million tokens": round(tokens / 1e6),
        "seconds": round(seconds),
    }


if __name__ == "__main__":
    main()
