"""Preparing: the right tokens, whatever interrupts it; bad input is one line and leaves nothing half-made."""

import gzip
import json
import multiprocessing
import os
import resource
import signal
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from ademamix.data import shards, sources
from ademamix.data.documents import Reading, SourceFile
from ademamix.data.prepare import Prepared, alone, prepare, preparing
from ademamix.data.sources import Source
from ademamix.data.splits import SPLITS, split_of
from ademamix.data.tokenizer import Bytes, tokenizer
from ademamix.data.tokens import Tokens
from ademamix.data.trust import trust
from ademamix.data.workers import Quiet
from ademamix.errors import UserError

FILES, DOCUMENTS = 6, 150
BYTES = Bytes(called="bytes")
FORK = multiprocessing.get_context("fork")


def document(number: int) -> str:
    return f"document {number}: " + "words and more words, " * (number % 7)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A folder of JSON lines, every document once."""
    folder = tmp_path / "text"
    folder.mkdir()
    for file in range(FILES):
        numbers = range(file * DOCUMENTS, (file + 1) * DOCUMENTS)
        rows = "".join(json.dumps({"text": document(n)}) + "\n" for n in numbers)
        (folder / f"{file}.jsonl.gz").write_bytes(gzip.compress(rows.encode()))
    return folder


def source(text: Path, group: int = 1) -> Source:
    """Each file a unit, unless more are grouped."""
    return sources.text([text], Reading()).model_copy(update={"group": group})


def contents(folder: Path) -> dict[str, list[bytes]]:
    """Split → its documents, in order."""
    tokens = Tokens(folder)
    found = {}
    for split in SPLITS:
        shards = [folder / shard["file"] for shard in tokens.manifest["splits"][split]]
        raw = b"".join(shard.read_bytes() for shard in shards)
        assert raw.endswith(b"\0") or not raw
        found[split] = raw.split(b"\0")[:-1]
    return found


def test_every_document_once_in_the_split_of_its_hash(tmp_path: Path, text: Path) -> None:
    made = prepare(tmp_path, "set", source(text), BYTES)
    expected: dict[str, list[bytes]] = {split: [] for split in SPLITS}
    for n in range(FILES * DOCUMENTS):
        expected[split_of(document(n).encode())].append(document(n).encode())
    assert contents(made.folder) == expected
    assert made.manifest["documents"] == {split: len(found) for split, found in expected.items()}
    assert made.manifest["origin"]["files"] == FILES
    assert len(made.manifest["splits"]["train"]) == FILES
    assert len(made.manifest["splits"]["validation"]) == 1  # joined
    assert trust(made.folder) == 0  # what was just written is known to be right
    assert sorted(p.name for p in tmp_path.iterdir()) == [".set.lock", "set", "text"]
    assert prepare(tmp_path, "set", source(text), BYTES).already


@pytest.mark.parametrize("group", [1, 10**9], ids=["a process each", "threads of one"])
def test_the_tokens_do_not_depend_on_the_number_of_cores(
    tmp_path: Path, text: Path, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARED", 2_000)  # several batches
    digests = {
        Tokens(prepare(tmp_path, f"set{jobs}", source(text, group), BYTES, jobs).folder).digest
        for jobs in (1, 2)
    }
    assert len(digests) == 1


def test_small_files_share_a_shard(tmp_path: Path, text: Path) -> None:
    one = prepare(tmp_path, "one", source(text, group=10**9), BYTES)
    each = prepare(tmp_path, "each", source(text), BYTES)
    assert len(one.manifest["splits"]["train"]) == 1
    assert contents(one.folder) == contents(each.folder)


class Slow(Quiet):
    """Leaves time to be killed in."""

    def advance(self, tokens: int, read: int) -> None:
        time.sleep(0.02)


def slowly(root: Path, text: Path) -> None:
    prepare(root, "set", source(text), BYTES, display=Slow())


def test_killed_at_any_moment_it_goes_on_without_losing_or_doubling_a_document(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepare(tmp_path / "whole", "set", source(text), BYTES)
    monkeypatch.setattr(shards, "BATCH", 1_000)
    root, draw = tmp_path / "root", np.random.default_rng(0)
    scratch = preparing(root, "set")
    for _ in range(4):
        done = len(list(scratch.glob("unit-*.json")))
        process = FORK.Process(target=slowly, args=(root, text))
        process.start()
        while len(list(scratch.glob("unit-*.json"))) == done and process.is_alive():
            time.sleep(0.002)
        time.sleep(float(draw.uniform(0, 0.1)))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert list(scratch.glob(".*.tmp"))  # it was killed in the middle of a part
    dates = {path.name: path.stat().st_mtime_ns for path in scratch.glob("unit-*.json")}
    parts = {f"train-{name[5:10]}.bin": date for name, date in dates.items()}
    made = prepare(root, "set", source(text), BYTES)
    assert contents(made.folder) == contents(whole.folder)
    assert Tokens(made.folder).digest == Tokens(whole.folder).digest
    assert len(parts) >= 4
    for name, date in parts.items():  # what was done was not done again
        assert (made.folder / name).stat().st_mtime_ns <= date


def never(root: Path) -> None:
    """Reads what nobody writes."""
    files = tuple(SourceFile(name=name, path=str(root / name), size=1) for name in ("a.txt", "b.txt"))
    prepare(root, "set", Source(kind="text", files=files, group=1), BYTES, jobs=2)


def test_no_worker_outlives_a_preparation_that_is_killed(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        os.mkfifo(tmp_path / name)
    process = FORK.Process(target=never, args=(tmp_path,))
    process.start()
    while len(list(preparing(tmp_path, "set").glob(".train-*.tmp"))) < 2:
        time.sleep(0.02)
    workers = children(process.pid)
    process.kill()
    process.join()
    deadline = time.monotonic() + 60
    while alive(workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(workers) >= 2
    assert not alive(workers)


def children(parent: int | None) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if path.read_text().rpartition(")")[2].split()[1] == str(parent):
                found.append(int(path.parent.name))
    return found


def alive(processes: list[int]) -> list[int]:
    found = []
    for process in processes:
        with suppress(OSError):
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(process)
    return found


def full_disk(root: Path, text: Path) -> None:
    """In a process of its own: no file may grow beyond what some parts need."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        prepare(root, "set", source(text), BYTES)
    except UserError as error:
        (root / "error").write_text(str(error))


def test_a_full_disk_is_one_line_and_the_same_call_goes_on(tmp_path: Path, text: Path) -> None:
    (text / "9.jsonl").write_text("".join(json.dumps({"text": f"{n} " * 40}) + "\n" for n in range(300)))
    process = FORK.Process(target=full_disk, args=(tmp_path, text))
    process.start()
    process.join()
    said = (tmp_path / "error").read_text()
    assert "name another place with --root; what was done is kept, the same call goes on" in said
    assert "\n" not in said
    left = [path.name for path in preparing(tmp_path, "set").iterdir()]
    assert not [name for name in left if name.endswith(".tmp")]
    assert sum(name.startswith("unit-") for name in left) == FILES
    assert not (tmp_path / "set").exists()
    made = prepare(tmp_path, "set", source(text), BYTES)
    assert made.manifest["documents"]["train"] > FILES * DOCUMENTS


def test_two_preparers_at_once(tmp_path: Path, text: Path) -> None:
    entered, leave = Event(), Event()

    def hold() -> None:
        with alone(preparing(tmp_path, "set")):
            entered.set()
            leave.wait(60)

    thread = Thread(target=hold)
    thread.start()
    entered.wait(60)
    try:
        with pytest.raises(UserError, match=r"is being prepared.*; wait for it, or choose another --set"):
            prepare(tmp_path, "set", source(text), BYTES)
    finally:
        leave.set()
        thread.join()
    assert prepare(tmp_path, "set", source(text), BYTES).folder.exists()


def test_a_preparer_on_another_machine(tmp_path: Path, text: Path) -> None:
    folder = preparing(tmp_path, "set")
    folder.mkdir()
    (folder / "owner.json").write_text('{"host": "elsewhere", "process": 7}')
    with pytest.raises(UserError, match="is being prepared by process 7 on elsewhere"):
        prepare(tmp_path, "set", source(text), BYTES)
    os.utime(folder / "owner.json", (0, 0))  # not heard of for long
    assert prepare(tmp_path, "set", source(text), BYTES).folder.exists()


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "begun"])
def test_another_tokenizer_field_or_share_on_an_existing_set(
    tmp_path: Path, text: Path, finished: bool
) -> None:
    if finished:
        prepare(tmp_path, "set", source(text), BYTES)
    else:
        (text / "broken.json").write_text("{")
        with pytest.raises(UserError, match="1 of 7 files cannot be read"):
            prepare(tmp_path, "set", source(text), BYTES)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.bin")}
    assert before
    shares = source(text).model_copy(update={"shares": {"validation": 0.5}})
    other = sources.text([text], Reading(field="url"))
    again = "choose another --set, or remove it to begin again"
    with pytest.raises(UserError, match=rf"made with validation 0.03, not 0.5; {again}"):
        prepare(tmp_path, "set", shares, BYTES)
    with pytest.raises(UserError, match=rf"made with field text, not url; {again}"):
        prepare(tmp_path, "set", other, BYTES)
    with pytest.raises(UserError, match=rf"made with tokenizer bytes \(bytes\), not raw \(bytes\); {again}"):
        prepare(tmp_path, "set", source(text), Bytes(called="raw"))
    (text / "another.txt").write_text("more")
    with pytest.raises(UserError, match="other files"):
        prepare(tmp_path, "set", source(text), BYTES)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_broken_files_are_named_and_can_be_mended_or_left_out(tmp_path: Path, text: Path) -> None:
    whole = (text / "1.jsonl.gz").read_bytes()
    (text / "1.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    (text / "binary").write_bytes(b"\0\1\2")
    with pytest.raises(UserError, match=r"2 of 7 files cannot be read; the first, 1.jsonl.gz: cut short"):
        prepare(tmp_path, "set", source(text, group=10**9), BYTES)
    left = prepare(tmp_path, "left", source(text, group=10**9), BYTES, skip_broken=True)
    assert left.manifest["origin"]["broken"].keys() == {"1.jsonl.gz", "binary"}
    assert sum(map(len, contents(left.folder).values())) == (FILES - 1) * DOCUMENTS
    (text / "1.jsonl.gz").write_bytes(whole)
    (text / "binary").write_text("text after all")
    made = prepare(tmp_path, "set", source(text, group=10**9), BYTES)
    assert not made.manifest["origin"]["broken"]
    assert sum(map(len, contents(made.folder).values())) == FILES * DOCUMENTS + 1


def test_nothing_for_validation_is_said_and_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("one\n\ntwo\n\n" * 5)
    with pytest.raises(UserError, match="none of the 1 documents fell into validation; call again"):
        prepare(tmp_path, "set", source(tmp_path / "text"), BYTES)
    shares = {"shares": {"validation": 0.4, "reserve": 0.1}}
    lines = sources.text([tmp_path / "text"], Reading(documents="line")).model_copy(update=shares)
    (tmp_path / "text" / "a.txt").write_text("".join(f"line {n}\n" for n in range(50)))
    assert prepare(tmp_path, "set", lines, BYTES).folder.exists()


def test_an_empty_folder_and_text_that_is_not_utf_8(tmp_path: Path, text: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no files in"):
        source(tmp_path / "empty")
    with pytest.raises(UserError, match="no file or folder"):
        source(tmp_path / "nowhere")
    from ademamix.data.tokenizer_training import train

    learnt = train(source(text), 300, tmp_path / "t.json")
    (text / "latin.txt").write_bytes("café".encode("latin-1"))
    with pytest.raises(UserError, match=r"1 of 7 files cannot be read; the first, latin.txt: not UTF-8"):
        prepare(tmp_path, "set", source(text), learnt)
    made: Prepared = prepare(tmp_path, "bytes", source(text), BYTES)  # takes any
    assert any(b"caf\xe9" in found for found in contents(made.folder).values())


def test_a_tokenizer_goes_with_its_set(tmp_path: Path, text: Path) -> None:
    from ademamix.data.tokenizer_training import train

    learnt = train(source(text), 300, tmp_path / "t.json")
    made = prepare(tmp_path, "set", source(text), learnt, jobs=2)
    kept = tokenizer(str(made.folder / made.manifest["plan"]["tokenizer"]["file"]))
    assert kept.digest == learnt.digest == made.manifest["plan"]["tokenizer"]["digest"]
    raw = np.fromfile(made.folder / made.manifest["splits"]["train"][0]["file"], np.uint16)
    (end,) = np.flatnonzero(raw == kept.separator)[:1]
    assert kept._model.decode(raw[:end].tolist()) == document(0)  # type: ignore[attr-defined]
