"""Token files of nanoGPT, llm.c and modded-nanogpt, written here as those projects write them."""

from pathlib import Path

import numpy as np
import pytest

from ademamix.data.token_files import recognised, take
from ademamix.data.tokens import Tokens
from ademamix.errors import UserError


def nanogpt(path: Path, tokens: np.ndarray) -> Path:
    tokens.astype(np.uint16).tofile(path)
    return path


def llm_c(path: Path, tokens: np.ndarray, magic: int = 20240520, version: int = 1) -> Path:
    header = np.zeros(256, dtype=np.int32)
    header[:3] = magic, version, len(tokens)
    with path.open("wb") as file:
        file.write(header.tobytes())
        file.write(tokens.astype(np.uint16 if version == 1 else np.uint32).tobytes())
    return path


TRAIN, VALIDATION = np.arange(10_000) % 50_257, np.arange(700)[::-1]


@pytest.mark.parametrize("write", [nanogpt, llm_c])
def test_tokens_come_over_as_they_are(tmp_path: Path, write) -> None:  # type: ignore[no-untyped-def]
    files = {
        "train": [write(tmp_path / "a.bin", TRAIN), write(tmp_path / "b.bin", TRAIN[::-1])],
        "validation": [write(tmp_path / "v.bin", VALIDATION)],
    }
    found = Tokens(take(tmp_path / "data", "set", files, 50_257))
    first, second = (found._shard(shard) for shard in found.manifest["splits"]["train"])
    (reserve,) = (found._shard(shard) for shard in found.manifest["splits"]["reserve"])
    assert first.tolist() == TRAIN.tolist()
    assert second.tolist() == TRAIN[::-1][:-100].tolist()  # whose last hundredth is
    assert reserve.tolist() == TRAIN[::-1][-100:].tolist()
    assert found.split("validation", 699).read(np.array([0]))[0].tolist() == VALIDATION.tolist()
    assert found.vocabulary == 50_257


def test_a_large_vocabulary(tmp_path: Path) -> None:
    big = np.arange(127_000, 128_000)
    path = llm_c(tmp_path / "a.bin", big, 20240801, 7)
    found = Tokens(take(tmp_path, "set", {"train": [path], "validation": [path], "reserve": [path]}, 128_256))
    assert found.manifest["dtype"] == "uint32"
    assert found._shard(found.manifest["splits"]["train"][0]).tolist() == big.tolist()


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("cut", "its header says 10000 tokens, it holds 9000"),
        ("odd", "no token file"),
        ("empty", "no token file"),
        ("version", "version 9"),
        ("missing", "cannot be read: No such file"),
        ("large", "has the token 50256, but the vocabulary is 300"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line_and_leaves_nothing(
    tmp_path: Path, what: str, why: str
) -> None:
    path = llm_c(tmp_path / "a.bin", TRAIN, version=9 if what == "version" else 1)
    raw = path.read_bytes()
    if what == "missing":
        path.unlink()
    else:
        path.write_bytes({"cut": raw[:-2_000], "odd": raw[2000:2301], "empty": b""}.get(what, raw))
    files = {"train": [nanogpt(tmp_path / "t.bin", np.arange(200)), path], "validation": [path]}
    if what == "large":
        nanogpt(tmp_path / "a.bin", np.array([50_256, 1]))
    with pytest.raises(UserError, match=why):
        take(tmp_path / "data", "set", files, 300)
    assert not list((tmp_path / "data").glob("*set*/*"))
    assert not (tmp_path / "data" / "set").exists()


def test_an_existing_set_is_left_alone(tmp_path: Path) -> None:
    files = {"train": [nanogpt(tmp_path / "t.bin", TRAIN)], "validation": [tmp_path / "t.bin"]}
    folder = take(tmp_path, "set", files, 50_257)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    with pytest.raises(UserError, match="exists; choose another --set"):
        take(tmp_path, "set", files, 60_000)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_the_layouts_are_told_apart(tmp_path: Path) -> None:
    assert recognised(nanogpt(tmp_path / "a", TRAIN)).offset == 0
    assert recognised(llm_c(tmp_path / "b", TRAIN)).offset == 1024
