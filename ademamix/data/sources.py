"""Where text comes from: the files of a source, in a fixed order, and how they are read.

A source is listed before anything is read. Adding one is a function that returns a `Source`, and a command
of `ademamix data prepare` (cli/data.py) that calls it.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from ademamix.data.documents import Broken, Reading, SourceFile, Unreachable, nothing, opened
from ademamix.data.splits import SHARES, SplitName
from ademamix.errors import UserError
from ademamix.values import Frozen

REDPAJAMA = "https://data.together.xyz/redpajama-data-v2/v1.0.0"
FINEWEB = "hf://datasets/HuggingFaceFW/fineweb"
# Of hundreds of billions of tokens, as much as losses and forgetting batches can use.
LARGE_SHARES: dict[SplitName, float] = {"validation": 0.001, "reserve": 0.001}
GROUP = 64 * 2**20  # bytes of small source files that share a shard


class Source(Frozen):
    """A corpus, listed.

    Attributes:
        kind: of source, such as 'redpajama-v2'.
        origin: what tells it apart from others of its kind, such as a revision; in the manifest.
        place: where it was read from; in the manifest, too, but another place may hold the same.
        files: in the order of their tokens.
        shares: of the documents, held out.
        tolerant: whether broken files are known upstream, and left out without asking.
        group: bytes of small files that share a shard.
    """

    kind: str
    origin: Mapping[str, Any] = Field(default_factory=dict)
    place: str = ""
    files: tuple[SourceFile, ...]
    reading: Reading = Reading()
    shares: dict[SplitName, float] = SHARES
    tolerant: bool = False
    group: int = GROUP

    def units(self) -> list[list[SourceFile]]:
        """The files in the groups that each become a shard: a large one alone, small ones together."""
        groups: list[list[SourceFile]] = []
        room = 0
        for file in self.files:
            size = self.group if file.size is None else file.size
            if not groups or size > room:
                groups.append([])
                room = self.group
            groups[-1].append(file)
            room -= size
        return groups


def text(paths: Sequence[Path], reading: Reading) -> Source:
    """The user's own files: folders are searched for files, hidden ones left out.

    Names end in .parquet, .json, .jsonl, or .ndjson; everything else is plain text. JSON and text may be
    packed (.gz).

    Raises:
        UserError: a path does not exist, or there are no files.
    """
    files = [file for path in paths for file in _files(path)]
    if not files:
        raise UserError(f"no files in {', '.join(map(str, paths))}")
    named: dict[str, SourceFile] = {}
    for file in files:
        if named.setdefault(file.name, file).path != file.path:
            raise UserError(
                f"{file.path} and {named[file.name].path} have one name; give a folder above both"
            )
    place = ", ".join(str(path.resolve()) for path in paths)
    return Source(kind="text", place=place, files=tuple(named.values()), reading=reading)


def _files(path: Path) -> Iterable[SourceFile]:
    """A file, or those of a folder, by their path within it."""
    if path.is_file():
        yield SourceFile(name=path.name, path=str(path), size=path.stat().st_size)
    elif path.is_dir():
        for folder, inner, names in os.walk(path):
            inner[:] = sorted(name for name in inner if not name.startswith("."))
            for found in sorted(Path(folder, name) for name in names if not name.startswith(".")):
                if found.is_file():
                    name = found.relative_to(path).as_posix()
                    yield SourceFile(name=name, path=str(found), size=found.stat().st_size)
    else:
        raise UserError(f"no file or folder {path}")


def redpajama(base: str, snapshot: str, language: str = "en", partition: str = "head_middle") -> Source:
    """RedPajama v2, by the listing of a snapshot: gzipped rows of JSON, the text in `raw_content`.

    The Hugging Face page of the set has a script, which `datasets` does not run any more; the listings are
    what its authors publish. A few hundred files are known to be broken.

    Args:
        base: URL or folder that holds `listings` and `documents`.
        snapshot: of Common Crawl, such as '2023-06'.
        language: en, de, fr, es or it.
        partition: head_middle, head or middle.
    """
    at = f"listings/{language}-{snapshot}-head_middle.txt"
    wanted = ("head", "middle") if partition == "head_middle" else (partition,)
    names = [f"{line}.json.gz" for line in _listing(f"{base}/{at}").decode().split() if _part(line) in wanted]
    if not names:
        raise UserError(f"{base}/{at} lists no files of {partition}")
    files = tuple(_at(base, f"documents/{name}", name) for name in names)
    return Source(
        kind="redpajama-v2",
        origin={"revision": f"v1.0.0 {snapshot} {language} {partition}"},
        place=base,
        files=files,
        reading=Reading(field="raw_content"),
        shares=LARGE_SHARES,
        tolerant=True,
    )


def _part(line: str) -> str:
    """'2023-06/0000/en_head' → 'head'."""
    return line.rpartition("_")[2]


def _listing(path: str) -> bytes:
    file = SourceFile(name="listing", path=path)
    try:
        with opened(file, nothing) as stream:
            return stream.read()
    except (Broken, Unreachable, OSError) as error:
        raise UserError(f"the listing {path} cannot be read: {' '.join(str(error).split())}") from None


def _at(base: str, inner: str, name: str) -> SourceFile:
    """A file of a listing: its size where it lies on disk."""
    path = Path(base, inner)
    remote = "://" in base
    size = path.stat().st_size if not remote and path.is_file() else None
    return SourceFile(name=name, path=f"{base}/{inner}" if remote else str(path), size=size)


def fineweb(base: str, part: str, revision: str = "main") -> Source:
    """FineWeb, or any set laid out so: the parquet files of a folder, the text in `text`.

    Args:
        base: 'hf://datasets/OWNER/NAME', or a folder that was downloaded from there.
        part: the folder within it, such as 'sample/10BT' or 'data/CC-MAIN-2024-10'.
        revision: a branch, tag or commit of the hub; what it stands for now is written down.
    """
    if "://" in base:
        commit, found = _of_hub(base, part, revision)
        origin = {"revision": f"{commit} {part}"}
    else:
        folder = Path(base, part)
        if not folder.is_dir():
            raise UserError(f"no folder {folder}")
        found = [file for file in _files(folder) if file.format == "parquet"]
        origin = {"revision": part}
    if not found:
        raise UserError(f"no parquet files in {base}/{part}")
    return Source(kind="fineweb", origin=origin, place=base, files=tuple(found), shares=LARGE_SHARES)


def _of_hub(base: str, part: str, revision: str) -> tuple[str, list[SourceFile]]:
    """The commit that `revision` stands for, and its parquet files in the folder `part`."""
    from huggingface_hub import HfApi, RepoFile

    name = base.removeprefix("hf://datasets/")
    try:
        api = HfApi()
        commit = str(api.dataset_info(name, revision=revision).sha)
        tree = api.list_repo_tree(name, part, recursive=True, revision=commit, repo_type="dataset")
        listed = sorted((e.path, e.size) for e in tree if isinstance(e, RepoFile))
    except Exception as error:  # of several libraries, by what went wrong
        what = " ".join(str(error).split())[:200]
        raise UserError(f"{base} cannot be listed ({type(error).__name__}: {what})") from None
    root = f"hf://datasets/{name}@{commit}"
    return commit, [
        SourceFile(name=path, path=f"{root}/{path}", size=size)
        for path, size in listed
        if path.endswith(".parquet")
    ]
