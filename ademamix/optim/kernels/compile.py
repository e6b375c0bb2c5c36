"""A C file as a library: compiled at first use with the user's compiler, kept in the user's cache."""

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("ademamix.c")
# No contraction to fused multiply-adds: vectors and their remainders would round differently.
COMMON = ("-O3", "-std=c11", "-fPIC", "-shared", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
# Tried in this order: not every compiler has OpenMP or knows the processor it runs on.
ATTEMPTS = (("-march=native", "-fopenmp"), ("-march=native",), ("-fopenmp",), ())
PATIENCE = 120  # seconds for one compilation


class Unavailable(Exception):
    """There is no library, and why; `failed` when a compiler was there."""

    def __init__(self, reason: str, failed: bool) -> None:
        super().__init__(reason)
        self.failed = failed


@functools.cache
def library(source: Path = SOURCE) -> ctypes.CDLL | Unavailable:
    """The library made from a C file, loaded, or why there is none; decided once in a process."""
    try:
        return _load(source)
    except Unavailable as reason:
        return reason
    except Exception as error:  # whatever it is, training goes on without the kernel
        return Unavailable(f"{type(error).__name__}: {error}", failed=True)


def _load(source: Path) -> ctypes.CDLL:
    compiler = find_compiler()
    folder = cache_folder()
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="ademamix-") as private:
            path = Path(private) / f"{source.stem}.so"
            build(source, compiler, path)
            return ctypes.CDLL(str(path))
    path = folder / f"{source.stem}-{fingerprint(source, compiler)}.so"
    if path.exists() and mine(path):
        # One that does not load (cut short by a full disk, say) is made again.
        with contextlib.suppress(OSError):
            return ctypes.CDLL(str(path))
    build(source, compiler, path)
    return ctypes.CDLL(str(path))


def find_compiler() -> list[str]:
    """$CC with its arguments, or else cc, gcc or clang.

    Raises:
        Unavailable: there is none; `failed` only when $CC names one.
    """
    asked = shlex.split(os.environ.get("CC", ""))
    for name in (asked[0],) if asked else ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return [path, *asked[1:]]
    if asked:
        raise Unavailable(f"no C compiler: CC is '{asked[0]}', which is not on the path", failed=True)
    raise Unavailable("no C compiler: neither $CC, nor cc, gcc or clang on the path", failed=False)


def cache_folder() -> Path | None:
    """$ADEMAMIX_CACHE, or the user's cache; None where there is none that only this user can write."""
    try:
        if asked := os.environ.get("ADEMAMIX_CACHE"):
            folder = Path(asked)
        else:
            folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ademamix"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        usable = os.access(folder, os.W_OK) and mine(folder)
    except (OSError, RuntimeError):  # the latter: a user without a home
        return None
    return folder if usable else None


def mine(path: Path) -> bool:
    """Whether this user owns it and nobody else can write it: what is loaded from there is run."""
    if not hasattr(os, "geteuid"):
        return True
    found = path.stat()
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def fingerprint(source: Path, compiler: list[str]) -> str:
    """Of all that the library depends on: source, compiler, flags, and the processor's features.

    Home folders are shared between unlike machines; a library built for one may not run on another.
    """
    version = subprocess.run([*compiler, "--version"], capture_output=True, text=True, timeout=PATIENCE)
    parts = [source.read_text(), *compiler, version.stdout, repr((COMMON, ATTEMPTS)), processor()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def processor() -> str:
    """The architecture and, on Linux, the features of the processor."""
    described = [platform.system(), platform.machine(), platform.processor()]
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    features = [line for line in lines if line.startswith(("flags", "Features", "model name", "CPU part"))]
    return "\n".join([*described, *sorted(set(features))])


def build(source: Path, compiler: list[str], path: Path) -> None:
    """Compile to a temporary name beside `path`, then rename: processes that race do no harm."""
    problems = []
    for flags in ATTEMPTS:
        handle, name = tempfile.mkstemp(suffix=".so", dir=path.parent)
        os.close(handle)
        command = [*compiler, *COMMON, *flags, str(source), "-o", name, "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode == 0:
            os.replace(name, path)
            return
        os.unlink(name)
        problems.append((done.stderr.strip() or f"exit status {done.returncode}").splitlines()[0])
    raise Unavailable(f"{shlex.join(compiler)} failed: {problems[0]}", failed=True)
