"""The optimizer's benchmark as a page shows it, from benchmarks/results."""

import json
from pathlib import Path
from typing import Any

DEVICES = {"cpu": "CPU", "cuda": "GPU"}


def optimizer_benchmark(results: Path) -> str:
    """A table for each device that was measured; the others are said not to be."""
    text = ""
    for device, name in DEVICES.items():
        path = results / f"optimizer-{device}.json"
        if path.exists():
            text += _device(name, json.loads(path.read_text()), f"benchmarks/results/{path.stem}.png")
        else:
            text += f"{name}: not measured yet.\n"
    return text


def _device(name: str, data: dict[str, Any], drawing: str) -> str:
    machine, start = data["machine"], data["start_up"]
    peers = ", ".join(f"{package} {version}" for package, version in data["peers"].items())
    text = (
        f"{name}: {machine['processor']}, {machine['threads']} thread(s), torch {machine['torch']}, "
        f"{machine['date']}; {peers}. Medians of interleaved rounds "
        f"([drawing]({drawing})). First step in a fresh process: {start['cold_seconds']:.2f} s with "
        f"nothing compiled yet, {start['warm_seconds'] * 1e3:.0f} ms afterwards.\n"
    )
    for parameters, by_malloc in data["lists"].items():
        text += _list(parameters, by_malloc)
    return text


def _list(parameters: str, by_malloc: dict[str, Any]) -> str:
    first = next(iter(by_malloc.values()))
    adamw = "torch AdamW (fused)"
    heads = [f"ms, malloc {malloc}" if len(by_malloc) > 1 else "ms" for malloc in by_malloc]
    text = f"\n| {parameters} parameters, {first['tensors']} tensors | " + " | ".join(heads)
    text += " | ÷ AdamW fused | GB/s | state, bytes each | temporaries, MB | first step, s |\n"
    text += "|---|" + "---|" * (len(heads) + 5) + "\n"
    for title, row in first["rows"].items():
        times = [of["rows"][title]["milliseconds"] for of in by_malloc.values()]
        ratio = times[0] / first["rows"][adamw]["milliseconds"]
        fields = ("state_bytes_per_parameter", "temporary_megabytes", "first_step_seconds")
        held = [row.get(field) for field in fields]
        cells = [*(f"{t:.3g}" for t in times), f"{ratio:.2f}", f"{row['gigabytes_per_second']:.3g}"]
        cells += ["–" if value is None else f"{value:.3g}" for value in held]
        text += f"| {title} | " + " | ".join(cells) + " |\n"
    failed = {title: why for of in by_malloc.values() for title, why in of["failed"].items()}
    return text + "".join(f"\n{title} did not run: {why}\n" for title, why in failed.items())
