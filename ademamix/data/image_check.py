"""What is there of a set of images, what is missing or wrong, a line each; nothing is downloaded."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from ademamix.data.decoding import Unreadable, load
from ademamix.data.image_files import wrong_labels
from ademamix.data.image_prepare import Told, manifest_of, untold
from ademamix.data.image_sources import NAMES, Source, find
from ademamix.data.pictures import SPLITS
from ademamix.data.released import Released

SAMPLE = 1_000  # images of each split that are read without being asked for all
NAMED = 10  # unreadable images that are listed
ODD = {"P": "palette", "CMYK": "CMYK", "L": "grey", "I;16": "16 bit", "RGBA": "transparent"}


@dataclass
class Findings:
    """What was found: lines on what is there, lines on what is wrong."""

    there: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def check(folder: Path, known: Released, everything: bool = False, told: Told = untold) -> Findings:
    """Look at the set in `folder`; `everything`: read every image, not a sample."""
    found = Findings()
    sources = {}
    for split in SPLITS:
        expected = known.train if split == "train" else known.test
        source = find(folder, split) if folder.is_dir() else None
        if source is None or not len(source.labels):
            names = " or ".join(NAMES[split])
            found.wrong.append(f"{split}: nothing in {folder} named {names}; {expected:,} images expected")
            continue
        sources[split] = source
        count = len(source.labels)
        found.there.append(f"{split}: {count:,} of {expected:,} images, as {source.FORMAT}")
        if count != expected:
            what = "missing" if count < expected else "more than there should be"
            found.wrong.append(f"{split}: {abs(expected - count):,} images {what}")
    if manifest := manifest_of(folder):
        found.there.append(
            f"re-encoded: short edge {manifest['short_edge']} pixels, quality {manifest['quality']}"
        )
    found.wrong += wrong_labels(sources, known.classes)
    for split, source in sources.items():
        _read(split, source, everything, found, told)
    if found.wrong:
        found.wrong += [f"licence: {known.licence}", f"get it: {known.source}"]
    return found


def _read(split: str, source: Source, everything: bool, found: Findings, told: Told) -> None:
    """Decode images, and say which cannot be read and which are of odd modes."""
    total = len(source.labels)
    count = total if everything else min(SAMPLE, total)
    modes: Counter[str] = Counter()
    bad = []
    for i, mode, why in _modes(source, np.linspace(0, total - 1, count).astype(np.int64)):
        told(1)
        if why:
            bad.append(f"{source.name(i)} ({why})")
        elif mode != "RGB":
            modes[ODD.get(mode, mode)] += 1
    which = "all" if everything else f"{count:,} sampled"
    found.there.append(f"{split}: {count - len(bad):,} of {which} can be read")
    found.there += [f"{split}: {n:,} are {mode}, used as RGB" for mode, n in sorted(modes.items())]
    found.wrong += [f"{split}: cannot be read: {what}" for what in bad[:NAMED]]
    if len(bad) > NAMED:
        found.wrong.append(f"{split}: {len(bad) - NAMED:,} more cannot be read")


def _modes(source: Source, indices: np.ndarray) -> Iterator[tuple[int, str, str]]:
    """(number, mode, why it cannot be read) of images, read by threads: decoders work beside each other."""

    def look(i: int) -> tuple[int, str, str]:
        try:
            return i, load(source.raw(i)).mode, ""
        except (Unreadable, OSError) as error:
            return i, "", str(error)

    left = iter(indices.tolist())
    with ThreadPoolExecutor() as threads:
        while some := list(islice(left, 10_000)):  # in pieces: results do not pile up
            yield from threads.map(look, some)
