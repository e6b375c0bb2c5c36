"""A source → a token folder, on all cores, at any time stopped and gone on with.

Everything is made in `<root>/.<name>.preparing`, which one rename turns into `<root>/<name>`:

    plan.json          what is being made of what: a call that would make something else is refused
    train-00017.bin    the parts of unit 17, and
    unit-00017.json    its note, written last: counts, checksums, broken files

When every unit has its note, the held-out parts are joined, the manifest is written, and the folder renamed.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ademamix import owner
from ademamix.data.documents import SourceFile
from ademamix.data.shards import Making, note_path
from ademamix.data.sources import Source
from ademamix.data.splits import SPLITS, SplitName
from ademamix.data.tokenizer import Tokenizer
from ademamix.data.tokens import SCHEMA, Tokens, token_dtype
from ademamix.data.trust import remember, shards
from ademamix.data.workers import Display, Quiet, work
from ademamix.errors import UserError, one_line
from ademamix.files import scratch_beside, write_atomically, write_json

Note = Mapping[str, Any]
BLOCK = 2**22  # bytes copied at a time


@dataclass(frozen=True)
class Prepared:
    """A finished token folder, and what a reader of the command's last line wants to know."""

    folder: Path
    manifest: Mapping[str, Any]
    already: bool = False  # it was there


def prepare(
    root: Path,
    name: str,
    source: Source,
    tokenizer: Tokenizer,
    jobs: int = 1,
    skip_broken: bool = False,
    display: Display | None = None,
) -> Prepared:
    """Make the token folder `root`/`name`, or go on making it.

    Args:
        jobs: cores to use.
        skip_broken: leave broken files out, named in the manifest, where the source does not say so itself.
        display: told of progress.

    Raises:
        UserError: it exists and is something else, is being prepared, or cannot be made; says what to do.
            Whatever was done is kept, and gone on from by the same call.
    """
    folder, scratch = root / name, preparing(root, name)
    try:
        with alone(scratch):
            if folder.exists():
                return Prepared(folder, _complete(folder, source, tokenizer), already=True)
            scratch.mkdir(parents=True, exist_ok=True)
            with owner.owning(scratch):
                fill(scratch, source, tokenizer, jobs, skip_broken, display or Quiet())
            os.replace(scratch, folder)
    except OSError as error:
        problem = one_line(error, {"--root": root})
        raise UserError(f"{problem}; what was done is kept, the same call goes on") from None
    except MemoryError:
        raise UserError("out of memory; what was done is kept: call again with fewer --jobs") from None
    return Prepared(folder, Tokens(folder).manifest)


def fill(
    scratch: Path, source: Source, tokenizer: Tokenizer, jobs: int, skip_broken: bool, display: Display
) -> None:
    """Make the token folder in `scratch`, whatever of it is there already; the manifest goes last."""
    if not (scratch / "manifest.json").exists():
        units = _begin(scratch, source, tokenizer)
        making = Making(scratch, source.reading, tokenizer, source.shares)
        notes = work(making, units, _todo(scratch, units), jobs, display)
        _refuse_broken(notes, skip_broken or source.tolerant)
        write_json(scratch / "manifest.json", _joined(scratch, notes, source, tokenizer))
    _tidy(scratch)


def preparing(root: Path, name: str) -> Path:
    """The folder that a set is made in."""
    return root / f".{name}.preparing"


def plan_of(source: Source, tokenizer: Tokenizer) -> dict[str, Any]:
    """What the tokens of a set depend on."""
    return {
        "source": {"kind": source.kind, **source.origin},
        "reading": source.reading.model_dump(),
        "shares": dict(source.shares),
        "tokenizer": tokenizer.describe(),
    }


@contextmanager
def alone(scratch: Path) -> Iterator[None]:
    """Be the only one who prepares this set, on this machine and, as far as can be seen, on others."""
    scratch.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(scratch.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise _busy(scratch) from None
    try:
        if owner.elsewhere(scratch):
            raise _busy(scratch)
        yield
    finally:
        lock.release()


def _busy(scratch: Path) -> UserError:
    who = owner.of(scratch)
    by = f" by process {who.process} on {who.host}" if who else ""
    return UserError(f"{scratch} is being prepared{by}; wait for it, or choose another --set")


def _complete(folder: Path, source: Source, tokenizer: Tokenizer) -> Mapping[str, Any]:
    """The manifest of the finished set, which must be what would be made."""
    if not (folder / "manifest.json").exists():
        raise UserError(f"{folder} exists and is no token folder; choose another --set, or remove it")
    manifest: Mapping[str, Any] = Tokens(folder).manifest
    _refuse_other(manifest.get("plan"), plan_of(source, tokenizer), folder)
    if manifest["listing"] != listing({file.name: file.size for file in source.files}):
        raise UserError(f"{folder} is made of other files, or they have changed; choose another --set")
    return manifest


def _refuse_other(there: Mapping[str, Any] | None, plan: Mapping[str, Any], folder: Path) -> None:
    """Raise UserError where `folder` was made, or begun, as something else than `plan`."""
    if there == plan:
        return
    if there is None:
        raise UserError(f"{folder} exists and was not made by this command; choose another --set")
    part = next(part for part in plan if there.get(part) != plan[part])
    was, now = there[part], plan[part]
    key = next(key for key in {**now, **was} if was.get(key) != now.get(key))
    if part == "tokenizer":
        was, now = ({part: f"{which['name']} ({which['digest']})"} for which in (was, now))
        key = part
    raise UserError(
        f"{folder} is made with {key} {was.get(key)}, not {now.get(key)}; choose another --set, "
        "or remove it to begin again"
    )


def listing(files: Mapping[str, int | None]) -> str:
    """A hash of names and sizes."""
    return hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()[:12]


def _begin(scratch: Path, source: Source, tokenizer: Tokenizer) -> list[list[SourceFile]]:
    """The units, as they were first grouped; what a killed call left half-written is removed."""
    path, plan = scratch / "plan.json", plan_of(source, tokenizer)
    for leftover in scratch.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)
    if not path.exists():
        if tokenizer.file:
            write_atomically(scratch / plan["tokenizer"]["file"], tokenizer.file.read_bytes())
        write_json(path, {"plan": plan, "units": [[file.name for file in u] for u in source.units()]})
    there = json.loads(path.read_text())
    _refuse_other(there["plan"], plan, scratch)
    named = {file.name: file for file in source.files}
    known = {name for unit in there["units"] for name in unit}
    if odd := sorted(known ^ named.keys()):
        raise UserError(
            f"{scratch} was begun with other files ({len(odd)} more or fewer, such as {odd[0]}); "
            "choose another --set, or remove it to begin again"
        )
    return [[named[name] for name in unit] for unit in there["units"]]


def _todo(scratch: Path, units: Sequence[Sequence[SourceFile]]) -> dict[int, Note | None]:
    """Unit → its note, or None where it is to be made: it has none, or its files have changed since."""
    found: dict[int, Note | None] = {}
    for unit, files in enumerate(units):
        path = note_path(scratch, unit)
        note = json.loads(path.read_text()) if path.exists() else None
        same = note is not None and note["files"] == {file.name: file.size for file in files}
        found[unit] = note if same else None
    return found


def _broken(notes: Sequence[Note]) -> dict[str, str]:
    return {name: why for note in notes for name, why in note["broken"].items()}


def _refuse_broken(notes: Sequence[Note], skip: bool) -> None:
    broken = _broken(notes)
    files = sum(len(note["files"]) for note in notes)
    if broken and (not skip or len(broken) == files):
        name, why = next(iter(broken.items()))
        others = " (the others are done), or leave them out with --skip-broken"
        raise UserError(
            f"{len(broken)} of {files} files cannot be read; the first, {name}: {why}. "
            f"Mend or replace them and call again{others if len(broken) < files else ''}"
        )


def _joined(scratch: Path, notes: Sequence[Note], source: Source, tokenizer: Tokenizer) -> dict[str, Any]:
    """The manifest over the parts of all units."""
    parts = {
        split: [dict(note["splits"][split]) for note in notes if note["splits"][split]["tokens"]]
        for split in SPLITS
    }
    counts = {split: sum(part["documents"] for part in found) for split, found in parts.items()}
    _refuse_empty(scratch, counts)
    sizes = {name: size for note in notes for name, size in note["files"].items()}
    broken = _broken(notes)
    plan = plan_of(source, tokenizer)
    return {
        "schema": SCHEMA,
        "dtype": token_dtype(tokenizer.vocabulary).name,
        "vocabulary": tokenizer.vocabulary,
        "origin": {**plan["source"], "from": source.place, "files": len(sizes), "broken": broken},
        "plan": plan,
        "listing": listing(sizes),
        "documents": counts,
        "splits": {split: _one_file(scratch, split, parts[split]) for split in SPLITS},
    }


def _refuse_empty(scratch: Path, counts: Mapping[SplitName, int]) -> None:
    """Raise UserError where there is nothing to train on, or to validate with; another cut begins anew."""
    for split in ("train", "validation"):
        if not counts[split]:
            shutil.rmtree(scratch)
            raise UserError(
                f"none of the {sum(counts.values())} documents fell into {split}; call again with smaller "
                "documents (--documents paragraph or line) or a larger share, such as --validation 0.1"
            )


def _one_file(scratch: Path, split: SplitName, parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts of a held-out split, one after the other in one file: they are small, and windows long."""
    if split == "train" or len(parts) <= 1:
        return parts
    path = scratch / f"{split}.bin"
    held = scratch_beside(path)
    digest = hashlib.sha256()
    with held.open("wb") as file:
        for part in parts:
            with (scratch / part["file"]).open("rb") as of_unit:
                while block := of_unit.read(BLOCK):
                    digest.update(block)
                    file.write(block)
        file.flush()
        os.fsync(file.fileno())
    os.replace(held, path)
    total = {key: sum(part[key] for part in parts) for key in ("tokens", "documents")}
    return [{"file": path.name, **total, "sha256": digest.hexdigest()}]


def _tidy(scratch: Path) -> None:
    """Remove what the manifest does not name; what is left is known to be right."""
    tokens = Tokens(scratch)
    named = {path.name for path, _ in shards(tokens)}
    kept = {*named, tokens.manifest["plan"]["tokenizer"].get("file"), "manifest.json", owner.NAME}
    for path in scratch.iterdir():
        if path.name not in kept:
            path.unlink(missing_ok=True)
    remember(scratch)
