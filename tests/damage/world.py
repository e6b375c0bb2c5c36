"""A copy of the checkout with a trained store, to be damaged, and the real command line over it."""

import hashlib
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ademamix.checkout import checkout
from ademamix.files import write_json
from ademamix.plan import Forks, Wanted, forks_of, unite
from ademamix.scale import scale
from ademamix.spec import override_known
from ademamix.store import Outcome, Row, Run, Store
from experiments import registry
from tests.command_line import Warm

FIGURE = "9"  # the cheapest that is trained: four runs
COPIED = ("ademamix", "analysis", "benchmarks", "configs", "docs", "experiments", "figures", "README.md",
          "Makefile", "requirements.lock", "pyproject.toml")  # fmt: skip


def fill(store: Store, settings: tuple[str, ...] = ()) -> None:
    """The runs of Figure 9 at smoke as training leaves them, with made-up losses: in no time.

    They have all that any figure wants of them, and the checkpoints that branches of others start from.
    """
    at = scale("smoke")
    everything = unite(
        {
            name: [replace(need, run=override_known(need.run, settings)) for need in needs]
            for name, needs in registry.needs_of_all(at).items()
        }
    )
    forks = forks_of(everything.values())
    store.open()
    for w in everything.values():
        if FIGURE in w.figures:
            pretend_trained(store.run(w.spec.id), w, at.log_every, forks.get(w.spec.id, {}))


def pretend_trained(run: Run, w: Wanted, log_every: int, forks: Forks) -> None:
    """Leave `run` as training to the end of `w` does, with made-up losses and empty checkpoints."""
    run.begin(w.spec)
    observed = {str(quantity): sorted(steps) for quantity, steps in w.observe.items()}
    rows = []
    for step in sorted({*range(log_every, w.until + 1, log_every)}.union(*observed.values())):
        row: Row = {"step": step} | ({"loss": loss(step, 0)} if step % log_every == 0 else {})
        row |= {name: loss(step, i) for i, name in enumerate(observed, 1) if step in observed[name]}
        rows.append(row)
    for step in {*w.keep, *forks}:
        write_json(run.checkpoint_path(step).with_suffix(".json"), {"size": 0, "sha256": ""})
    run.write_metrics(rows)
    run.finish(Outcome("finished", w.until, observed, 1.0, {"torch": "2"}))


def loss(step: int, number: int) -> float:
    """Falls, and differs between columns."""
    return round(3 + 2.3456789 * math.exp(-step / 20) + number / 1000, 6)


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def whole(self) -> str:
        return self.out + self.err


class World:
    """The copy at `root`, its store `runs`, and a warm process that runs commands in it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "checkout"
        self.runs = root / "runs"
        self.out = root / "out"
        root.mkdir(parents=True, exist_ok=True)
        ignore = shutil.ignore_patterns("__pycache__", "*.pdf", "*.svg")
        self.root.mkdir()
        for name in COPIED:
            source = checkout() / name
            if source.is_dir():
                shutil.copytree(source, self.root / name, ignore=ignore)
            else:
                shutil.copy2(source, self.root / name)
        data = Path(os.environ.get("ADEMAMIX_DATA") or checkout() / "data")
        data.mkdir(exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ADEMAMIX_RUNS")}
        ours = {"ADEMAMIX_DATA": str(data), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self.environment = {**environment, **ours}
        self._command_line = Warm(self.root)

    def __call__(self, *arguments: object) -> Said:
        """`ademamix` with these arguments, in the copy."""
        done = self._command_line(*arguments, environment=self.environment)
        return Said(done.returncode, done.stdout, done.stderr)

    def close(self) -> None:
        self._command_line.close()

    def draw(self, out: Path, *more: object, runs: Path | None = None) -> Said:
        """Figure 9 at smoke from the store, which has all its runs: nothing is trained."""
        return self("run", "--figure", FIGURE, "--scale", "smoke", "--runs", runs or self.runs,
                    "--out", out, *more)  # fmt: skip

    def run_ids(self) -> list[str]:
        return sorted(path.parent.name for path in self.runs.glob("*/outcome.json"))


@contextmanager
def damaged(path: Path, content: bytes | str | None) -> Iterator[Path]:
    """The file with another content, or without any (None); afterwards it is as it was."""
    before = path.read_bytes() if path.exists() else None
    if content is None:
        path.unlink()
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    try:
        yield path
    finally:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(before)


def fingerprint(*folders: Path) -> dict[str, bytes]:
    """A hash of every file below, but for what Python and locks leave."""
    return {
        str(path): _hash_of(path, path.stat().st_mtime_ns)
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "lock"
    }


@cache
def _hash_of(path: Path, modified: int) -> bytes:
    """Of a file as it is since `modified` (ns): what nobody wrote is not read again."""
    return hashlib.sha256(path.read_bytes()).digest()


def refused(said: Said, message: str, code: int = 1) -> None:
    """Assert that a command was refused in one line that says so."""
    assert said.code == code, said
    lines = [line for line in said.err.splitlines() if line.startswith("ademamix:")]
    assert any(message in line for line in lines), said
    assert "Traceback" not in said.whole
