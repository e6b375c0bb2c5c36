"""Whether damage is noticed before training, and nothing is read twice that has not changed."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from ademamix.data import tokens
from ademamix.data.tokens import Tokens
from ademamix.data.trust import size_to_read, trust
from ademamix.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    splits = {"train": [np.full(1_000, 1), np.full(1_000, 2)], "validation": [np.full(500, 3)]}
    tokens.write(tmp_path / "set", splits, 40_000, {"kind": "test"})
    return tmp_path / "set"


def test_what_was_read_is_not_read_again_until_it_changes(folder: Path) -> None:
    assert size_to_read(folder) == trust(folder) == 5_000
    assert size_to_read(folder) == trust(folder) == 0
    os.utime(folder / "train-000.bin", (0, 0))  # as after a copy
    assert size_to_read(folder) == trust(folder) == 2_000
    assert trust(folder, everything=True) == 5_000


@pytest.mark.parametrize("damage", ["swapped", "one bit", "cut short", "missing"])
def test_a_damaged_shard_is_named(folder: Path, damage: str) -> None:
    trust(folder)
    first, second = folder / "train-000.bin", folder / "train-001.bin"
    if damage == "swapped":
        first.rename(folder / "x")
        second.rename(first)
        (folder / "x").rename(second)
    elif damage == "one bit":
        raw = bytearray(first.read_bytes())
        raw[700] ^= 1
        first.write_bytes(raw)
    elif damage == "cut short":
        first.write_bytes(first.read_bytes()[:-2])
    else:
        first.unlink()
    with pytest.raises(UserError, match=r"train-000\.bin (does not hold|is missing or cut short)") as caught:
        trust(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_read_each_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ademamix.data import trust as module

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(module, "remember", refuse)
    assert trust(folder) == trust(folder) == 5_000


def test_what_is_remembered_may_be_nonsense(folder: Path) -> None:
    (folder / "checked.json").write_text("{")
    assert trust(folder) == 5_000
    assert json.loads((folder / "checked.json").read_text()).keys() == {
        "train-000.bin", "train-001.bin", "validation-000.bin"
    }  # fmt: skip


def test_windows_are_counted_without_opening_shards(folder: Path) -> None:
    found = Tokens(folder)
    for split in ("train", "validation", "reserve"):
        assert found.windows(split, 64) == len(found.split(split, 64))
