"""`pysource`: real text on every machine, from the Python sources of the pinned packages.

The text is every `.py` file of the packages below, tests left out, each a document. Files are split by a
hash of their path, so a file never sits in two splits and its split never changes.
"""

import os
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from ademamix.checkout import checkout, data_root
from ademamix.errors import UserError

if TYPE_CHECKING:
    from ademamix.data.sources import Source
    from ademamix.data.tokenizer import Tokenizer

PACKAGES = (
    "matplotlib",
    "mpmath",
    "networkx",
    "numpy",
    "pandas",
    "sympy",
    "timm",
    "torch",
    "torchvision",
)


def versions() -> dict[str, str]:
    """Each package's public version: with the names, the identity of this machine's corpus.

    The installed versions; or those of requirements.lock, which committed runs were trained on, where a
    corpus of these is prepared already (copied from another machine, for example).
    """
    here, recorded = installed(), locked()
    return recorded if recorded != here and prepared(recorded) else here


def prepared(packages: dict[str, str]) -> bool:
    """Whether a corpus of these versions is in the data root."""
    from ademamix.data.sets import Pysource

    return (Pysource(packages=packages).folder(data_root()) / "manifest.json").exists()


def locked() -> dict[str, str]:
    """The versions of the packages that requirements.lock pins."""
    pins = {}
    for line in (checkout() / "requirements.lock").read_text().splitlines():
        name, _, version = line.partition(" ")[0].partition("==")
        if name in PACKAGES:
            pins[name] = version.partition("+")[0]
    return {name: pins.get(name, "") for name in PACKAGES}


def differences(recorded: dict[str, str]) -> str:
    """Which packages are here in other versions: 'torch 2.14.0 (recorded: 2.15.0)'; '' where none."""
    here = versions()
    return ", ".join(
        f"{name} {here.get(name)} (recorded: {version})"
        for name, version in recorded.items()
        if here.get(name) != version
    )


def installed() -> dict[str, str]:
    """Each package's installed public version."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name).partition("+")[0]
        except metadata.PackageNotFoundError:
            raise UserError(f"the text data needs the package {name}; install requirements.lock") from None
    return found


def source() -> "Source":
    """The corpus as a source: one unit, so that each split is one shard."""
    from ademamix.data.documents import Reading, SourceFile
    from ademamix.data.sources import Source

    packages = versions()
    files = tuple(SourceFile(name=name, path=str(path), size=path.stat().st_size) for name, path in sources())
    reading = Reading(documents="whole", key="name")
    return Source(
        kind="pysource", origin={"packages": packages}, files=files, reading=reading, group=sys.maxsize
    )


def prepare(folder: Path, tokenizer: str = "bytes") -> None:
    """Gather the sources into a token folder (about 100 MB, as bytes in seconds).

    `tokenizer`: 'bytes', or 'bpe-N', which is trained on these sources first.
    """
    from ademamix.data.prepare import fill
    from ademamix.data.tokenizer import Bytes
    from ademamix.data.tokenizer_training import train
    from ademamix.data.workers import Quiet

    listed = source()
    made: Tokenizer = Bytes(called=tokenizer)
    if tokenizer != made.KIND:
        made = train(listed, int(tokenizer.removeprefix("bpe-")), folder / "trained.json")
    fill(folder, listed, made, os.cpu_count() or 1, skip_broken=False, display=Quiet())


def sources() -> Iterator[tuple[str, Path]]:
    """(path within site-packages, file) of every file of the corpus, in a fixed order."""
    for package in PACKAGES:
        listed = metadata.distribution(package).files or []
        for file in sorted(listed, key=str):
            if file.suffix == ".py" and not is_test(file.parts) and ".." not in file.parts:
                yield file.as_posix(), Path(str(file.locate()))


def is_test(parts: tuple[str, ...]) -> bool:
    """Whether a path is a test, or lies in a folder of tests."""
    return any(part in ("test", "tests", "testing") for part in parts) or parts[-1].startswith("test_")
