"""Sources in the real layouts, rebuilt small: RedPajama v2 on disk and over HTTP, FineWeb, folders."""

import gzip
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ademamix.data import sources
from ademamix.data.documents import Reading
from ademamix.data.prepare import prepare, preparing
from ademamix.data.tokenizer import Bytes
from ademamix.errors import UserError

BYTES = Bytes(called="bytes")
SHARDS = ("0000", "0001", "0002")


@pytest.fixture(scope="module")
def redpajama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of three shards: one file is torn, one is listed and not there."""
    base = tmp_path_factory.mktemp("redpajama")
    names = [f"2023-06/{shard}/en_{part}" for shard in SHARDS for part in ("head", "middle")]
    (base / "listings").mkdir()
    (base / "listings" / "en-2023-06-head_middle.txt").write_text("\n".join(names) + "\n")
    for number, name in enumerate(names[:-1]):
        path = base / "documents" / f"{name}.json.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            {
                "url": "https://example.org/",
                "source_domain": "example.org",
                "raw_content": f"text {number} {row}",
            }
            for row in range(2_000)
        ]
        packed = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
        path.write_bytes(packed[: len(packed) // 2] if number == 1 else packed)
    return base


@pytest.fixture(scope="module")
def served(redpajama: Path) -> Iterator[str]:
    handler = partial(SimpleHTTPRequestHandler, directory=str(redpajama))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_redpajama_from_disk(redpajama: Path, tmp_path: Path) -> None:
    source = sources.redpajama(str(redpajama), "2023-06")
    assert [file.name for file in source.files[:2]] == [
        "2023-06/0000/en_head.json.gz",
        "2023-06/0000/en_middle.json.gz",
    ]
    made = prepare(tmp_path, "set", source, BYTES)
    origin = made.manifest["origin"]
    assert origin["revision"] == "v1.0.0 2023-06 en head_middle"
    assert origin["files"] == 6
    assert origin["broken"] == {
        "2023-06/0000/en_middle.json.gz": "cut short or damaged (Compressed file ended before the "
        "end-of-stream marker was reached)",
        "2023-06/0002/en_middle.json.gz": "it does not exist",
    }
    assert sum(made.manifest["documents"].values()) == 4 * 2_000
    assert 1 <= made.manifest["documents"]["validation"] <= 25  # a thousandth
    head = sources.redpajama(str(redpajama), "2023-06", partition="head")
    assert len(head.files) == 3


def test_redpajama_over_the_network(redpajama: Path, served: str, tmp_path: Path) -> None:
    """The same tokens as from disk, streamed: no file is kept."""
    local = prepare(tmp_path, "disk", sources.redpajama(str(redpajama), "2023-06"), BYTES)
    remote = sources.redpajama(served, "2023-06")
    assert len(remote.units()) == 6  # of unknown size, so each a unit
    made = prepare(tmp_path, "network", remote, BYTES)
    assert made.manifest["origin"]["broken"] == local.manifest["origin"]["broken"]
    assert made.manifest["documents"] == local.manifest["documents"]
    for split in ("validation", "reserve"):
        (one,), (other,) = (of.manifest["splits"][split] for of in (made, local))
        assert one["sha256"] == other["sha256"]


def test_a_network_that_fails_is_no_broken_file(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was fetched is kept; the same call goes on."""
    from ademamix.data import documents

    source = sources.redpajama(served, "2023-06", partition="head")
    whole = documents._raw

    def refuse(file: documents.SourceFile) -> object:
        if "0001" in file.name:
            raise ConnectionResetError("connection reset by peer")
        return whole(file)

    monkeypatch.setattr(documents, "_raw", refuse)
    with pytest.raises(UserError, match=r"1 of 3 parts could not be fetched .*0001.* the same call goes on"):
        prepare(tmp_path, "set", source, BYTES)
    assert len(list(preparing(tmp_path, "set").glob("unit-*.json"))) == 2
    monkeypatch.undo()
    assert sum(prepare(tmp_path, "set", source, BYTES).manifest["documents"].values()) == 6_000


def test_a_listing_that_is_not_there(redpajama: Path) -> None:
    with pytest.raises(UserError, match=r"listing .*en-1999-01-head_middle.txt cannot be read"):
        sources.redpajama(str(redpajama), "1999-01")


def test_fineweb_from_a_copy(tmp_path: Path) -> None:
    folder = tmp_path / "fineweb" / "sample" / "10BT"
    folder.mkdir(parents=True)
    for number in range(2):
        rows = {"text": [f"page {number} {row}" for row in range(2_000)], "language_score": [0.9] * 2_000}
        pq.write_table(pa.table(rows), folder / f"{number:03d}_00000.parquet", row_group_size=500)
    (folder / "README.md").write_text("left out")
    source = sources.fineweb(str(tmp_path / "fineweb"), "sample/10BT")
    made = prepare(tmp_path, "set", source, BYTES)
    assert made.manifest["origin"]["files"] == 2
    assert sum(made.manifest["documents"].values()) == 4_000
    raw = (made.folder / made.manifest["splits"]["train"][0]["file"]).read_bytes()
    assert raw.startswith(b"page 0 0\0page 0 1\0")
    with pytest.raises(UserError, match="no folder"):
        sources.fineweb(str(tmp_path / "fineweb"), "sample/1BT")


def test_fineweb_on_the_hub_is_pinned_to_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    class Api:
        def dataset_info(self, name: str, revision: str) -> object:
            assert (name, revision) == ("HuggingFaceFW/fineweb", "main")
            return type("Info", (), {"sha": "abc123"})

        def list_repo_tree(self, name: str, part: str, **options: object) -> list[object]:
            assert options["revision"] == "abc123"
            made = [
                huggingface_hub.RepoFile(path=f"{part}/{n}", size=7, oid="")
                for n in ("b.parquet", "a.md", "a.parquet")
            ]
            return [*made]

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    source = sources.fineweb(sources.FINEWEB, "sample/10BT")
    assert [file.path for file in source.files] == [
        f"hf://datasets/HuggingFaceFW/fineweb@abc123/sample/10BT/{name}.parquet" for name in "ab"
    ]
    assert source.origin["revision"] == "abc123 sample/10BT"


def test_folders_and_files_of_ones_own(tmp_path: Path) -> None:
    for name in ("b.txt", "a/c.md", ".git/config", "a/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = sources.text([tmp_path], Reading())
    assert [file.name for file in found.files] == ["b.txt", "a/c.md"]
    (tmp_path / "a" / "b.txt").write_text("y")
    with pytest.raises(UserError, match="have one name; give a folder above both"):
        sources.text([tmp_path / "b.txt", tmp_path / "a" / "b.txt"], Reading())
