"""`pysource`: real text on every machine, from the Python sources of the pinned packages.

The text is every `.py` file of the packages below, tests left out, as bytes. Files are split by a
hash of their path, so a file never sits in two splits and its split never changes.
"""

import hashlib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from ademamix.checkout import checkout, data_root
from ademamix.errors import UserError

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
SHARES = {"validation": 0.03, "reserve": 0.01}  # the rest is train
SEPARATOR = b"\x00"


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


def prepare(folder: Path) -> None:
    """Gather the sources into a token folder of bytes (about 100 MB, in seconds)."""
    import numpy as np

    from ademamix.data import tokens

    parts: dict[str, list[bytes]] = {name: [] for name in tokens.SPLITS}
    files = 0
    for name, source in sources():
        parts[split_of(name)].append(source + SEPARATOR)
        files += 1
    tokens.write(
        folder,
        {split: [np.frombuffer(b"".join(texts), np.uint8)] for split, texts in parts.items()},
        vocabulary=256,
        origin={"kind": "pysource", "packages": versions(), "files": files},
    )


def sources() -> Iterator[tuple[str, bytes]]:
    """(path within site-packages, content) of every file of the corpus, in a fixed order."""
    for package in PACKAGES:
        listed = metadata.distribution(package).files or []
        for file in sorted(listed, key=str):
            if file.suffix == ".py" and not is_test(file.parts) and ".." not in file.parts:
                yield file.as_posix(), Path(file.locate()).read_bytes()


def is_test(parts: tuple[str, ...]) -> bool:
    """Whether a path is a test, or lies in a folder of tests."""
    return any(part in ("test", "tests", "testing") for part in parts) or parts[-1].startswith("test_")


def split_of(name: str) -> str:
    """The split of a file: a pure function of its path."""
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    for split, share in SHARES.items():
        if place < share:
            return split
        place -= share
    return "train"
