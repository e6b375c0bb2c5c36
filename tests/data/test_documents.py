"""Reading documents: each format, how text is cut, and what is wrong with a file in a line."""

import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ademamix.data import documents as module
from ademamix.data.documents import Broken, Reading, SourceFile, WrongField, documents, pieces

PLAIN = Reading()
ROWS = ["first line\nsecond", "naïve café", "", "x" * 5_000]


def read(path: Path, how: Reading = PLAIN) -> list[bytes]:
    return list(documents(SourceFile(name=path.name, path=str(path), size=path.stat().st_size), how))


def rows(path: Path, field: str = "text") -> Path:
    """A file of rows in the format of its name."""
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"id": list(range(len(ROWS))), field: ROWS}), path)
    else:
        text = "".join(json.dumps({"url": "u", field: row}) + "\n" for row in ROWS)
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.json.gz"])
def test_rows_come_as_they_are_and_empty_ones_do_not(tmp_path: Path, name: str) -> None:
    found = read(rows(tmp_path / name, "raw_content"), Reading(field="raw_content"))
    assert found == [row.encode() for row in ROWS if row]


@pytest.mark.parametrize("name", ["a.parquet", "a.json.gz"])
def test_rows_from_elsewhere(tmp_path: Path, name: str) -> None:
    """Through `datasets`, as from a network."""
    import fsspec

    there = f"memory://rows/{name}"
    with fsspec.open(there, "wb") as file:
        file.write(rows(tmp_path / name).read_bytes())
    found = list(documents(SourceFile(name=name, path=there), PLAIN))
    assert found == [row.encode() for row in ROWS if row]


def test_a_parquet_file_with_spoilt_pages_is_damaged_and_not_unreachable(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [f"{n} " * 50 for n in range(5_000)]}), tmp_path / "a.parquet")
    raw = bytearray((tmp_path / "a.parquet").read_bytes())
    raw[len(raw) // 4 : len(raw) // 2] = b"\xff" * (len(raw) // 2 - len(raw) // 4)
    (tmp_path / "a.parquet").write_bytes(raw)
    with pytest.raises(Broken):
        read(tmp_path / "a.parquet")


@pytest.mark.parametrize("name", ["a.parquet", "a.json.gz"])
def test_a_wrong_field_is_named_with_the_right_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongField, match=r"no field 'texts' \(did you mean 'text'\?\).*--field"):
        read(rows(tmp_path / name), Reading(field="texts"))


def test_a_field_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": 3}\n')
    with pytest.raises(WrongField, match="holds no text, but 3"):
        read(path)


def test_what_of_a_text_file_is_a_document(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one\ntwo\n\n\nthree\r\n\r\nfour")
    assert read(path) == [b"one\ntwo\n\n\nthree\r\n\r\nfour"]
    assert read(path, Reading(documents="paragraph")) == [b"one\ntwo", b"three", b"four"]
    assert read(path, Reading(documents="line")) == [b"one", b"two", b"three", b"four"]
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert read(tmp_path / "b.txt.gz") == read(path)


def test_long_text_is_cut_in_pieces_that_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST", 10)
    for text, expected in [
        ("abc\ndefgh ijk", ["abc\n", "defgh ijk"]),
        ("abc defghijkl", ["abc ", "defghijkl"]),
        ("ééééééé", ["éééé", "ééé"]),  # two bytes each: nine and a half would fit
    ]:
        found = list(pieces(io.BytesIO(text.encode())))
        assert [piece.decode() for piece in found] == expected


def damaged(tmp_path: Path, what: str) -> Path:
    if what.startswith("half a"):
        whole = rows(tmp_path / what.split()[-1])
        whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        return whole
    name, content = {
        "binary": ("a.txt", b"\x7fELF\0\0\0"),
        "not gzip": ("a.json.gz", b"plain"),
        "a bad line": ("a.jsonl", b'{"text": "a"}\n{"text": oops\n'),
        "not UTF-8": ("a.jsonl", '{"text": "café"}\n'.encode("latin-1")),
        "no rows": ("a.json", b'["a"]\n'),
    }[what]
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("half a.parquet", "magic bytes"),
        ("half a.json.gz", "cut short"),
        ("binary", "binary, not text"),
        ("not gzip", "damaged"),
        ("a bad line", "line 2 is not JSON"),
        ("not UTF-8", "line 1 is not UTF-8"),
        ("no rows", "line 1 is not a row"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, what: str, why: str) -> None:
    with pytest.raises(Broken, match=why) as caught:
        read(damaged(tmp_path, what))
    assert "\n" not in str(caught.value)


def test_what_was_read_is_counted(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.json.gz", "a.parquet"):
        path, seen = rows(tmp_path / name), []
        file = SourceFile(name=name, path=str(path), size=path.stat().st_size)
        list(documents(file, Reading(), seen.append))
        assert sum(seen) == pytest.approx(path.stat().st_size, rel=0.01)
