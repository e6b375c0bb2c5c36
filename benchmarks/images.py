"""How fast are images read, and how long does a training wait for them?

    make bench

Decoding and cropping, of one core: photographs of 500 × 375 pixels as JPEG and as WebP, and re-encoded with a
short edge of 256. Then the share of an update that goes into its images, for the vision set-ups of a scale,
which are made in the training's own process. Processor time, medians. Written to
benchmarks/results/images.json.
"""

import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from PIL import Image, ImageFilter

from ademamix.checkout import checkout
from ademamix.data.crops import boxes, draws
from ademamix.data.decoding import decode
from ademamix.data.image_files import cropped
from ademamix.files import write_json
from ademamix.paper.runs import ADAMW, run
from ademamix.paper.vision import vision, vision_setups
from ademamix.scale import Scale, scale
from ademamix.tasks.vision import Augmentation
from ademamix.training.job import Job
from ademamix.training.machine import machine
from ademamix.training.trainer import Trainer

PHOTOGRAPHS = 8
HOW = Augmentation()


def photograph(number: int) -> Image.Image:
    """Something that compresses as a photograph does: smooth noise, 500 × 375."""
    noise = np.random.default_rng(number).integers(0, 256, (375, 500, 3), np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2)).filter(ImageFilter.GaussianBlur(1))


def encoded(image: Image.Image, suffix: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, suffix, quality=90)
    return buffer.getvalue()


def processor_time(call: Callable[[], None], rounds: int) -> float:
    """Seconds of the processor that a call takes: the median."""
    call()
    found = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return statistics.median(found)


def reading(rounds: int) -> dict[str, float]:
    """Images per second and core, decoded, cropped to 224 pixels and mirrored."""
    pictures = [photograph(i) for i in range(PHOTOGRAPHS)]
    small = [picture.resize((341, 256), Image.Resampling.BICUBIC) for picture in pictures]
    files = {
        "JPEG, 500 x 375": [encoded(picture, "JPEG") for picture in pictures],
        "WebP, 500 x 375": [encoded(picture, "WEBP") for picture in pictures],
        "JPEG, short edge 256": [encoded(picture, "JPEG") for picture in small],
    }
    of = draws(0, 1, PHOTOGRAPHS)

    def read(raws: list[bytes]) -> None:
        for i, raw in enumerate(raws):
            image = decode(raw)
            (box,) = boxes(of[i : i + 1], image.width / image.height, HOW)
            cropped(image, box, 224)

    seconds = {name: processor_time(lambda raws=raws: read(raws), rounds) for name, raws in files.items()}
    return {name: round(PHOTOGRAPHS / taken) for name, taken in seconds.items()}


def waiting(at: Scale, steps: int, data_root: Path) -> dict[str, dict[str, float]]:
    """Milliseconds of an update, and of its images, for every vision set-up of a scale."""
    found = {}
    for setup in vision_setups():
        spec = at.map(run(setup.name, ADAMW, vision().steps))
        task = spec.open(data_root, torch.device("cpu"))
        trainer = Trainer(Job(spec, steps, frozenset(), {}, {}, 10 * steps, 1e9), task)
        numbers = iter(range(1, 10 * steps))
        update = processor_time(lambda trainer=trainer, ts=numbers: trainer.update(next(ts)), steps)
        images = processor_time(lambda task=task, ts=numbers: task.batch(next(ts)), steps)
        found[setup.name] = {
            "update_ms": round(1e3 * update, 2),
            "images_ms": round(1e3 * images, 2),
            "share": round(images / update, 3),
        }
    return found


@click.command()
@click.option("--scale", "scale_name", default="cpu", show_default=True)
@click.option("--rounds", default=15, show_default=True)
@click.option("--steps", default=200, show_default=True, help="Updates of each set-up.")
def main(scale_name: str, rounds: int, steps: int) -> None:
    """Measure, print and write the medians."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {"images per second and core": reading(rounds)}
    with tempfile.TemporaryDirectory() as root:
        found[f"waiting at {scale_name}"] = waiting(scale(scale_name), steps, Path(root))
    for name, values in found.items():
        click.echo(f"{name}:")
        for what, value in values.items():
            click.echo(f"  {what}: {value}")
    write_json(
        checkout() / "benchmarks" / "results" / "images.json",
        {"machine": machine(torch.device("cpu")), **found},
    )


if __name__ == "__main__":
    main()
