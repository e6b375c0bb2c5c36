"""Token folders: windows, shards, manifests, damage."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ademamix.data import tokens
from ademamix.data.locate import ensure
from ademamix.data.sampler import windows
from ademamix.data.sets import TokenFolder
from ademamix.data.tokens import Tokens
from ademamix.errors import UserError
from ademamix.tasks import LanguageRun
from ademamix.tasks.language_task import LanguageTask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    splits = {"train": [np.arange(0, 101), np.arange(1_000, 1_052)], "validation": [np.arange(41)]}
    tokens.write(tmp_path / "set", splits, vocabulary=32_000, origin={"kind": "test"})
    return tmp_path / "set"


def test_windows_are_disjoint_and_do_not_cross_shards(folder: Path) -> None:
    split = Tokens(folder).split("train", 25)
    assert len(split) == 4 + 2
    read = split.read(np.array([5, 0, 3, 4]))
    assert read.dtype == np.int64
    assert read[:, 0].tolist() == [1_025, 0, 75, 1_000]
    assert (np.diff(read) == 1).all()
    assert read.shape == (4, 26)


def test_the_smallest_dtype_that_holds_the_vocabulary(tmp_path: Path, folder: Path) -> None:
    assert Tokens(folder).manifest["dtype"] == "uint16"
    for vocabulary, dtype in ((256, "uint8"), (50_257, "uint16"), (100_000, "uint32")):
        tokens.write(tmp_path / dtype, {"train": [np.array([0, vocabulary - 1])]}, vocabulary, {})
        found = Tokens(tmp_path / dtype)
        assert found.manifest["dtype"] == dtype
        assert found.split("train", 1).read(np.array([0])).tolist() == [[0, vocabulary - 1]]


def test_an_absent_split_is_empty(folder: Path) -> None:
    assert len(Tokens(folder).split("reserve", 25)) == 0


@pytest.mark.parametrize("damage", ["missing shard", "short shard", "bad manifest", "newer", "no folder"])
def test_damage_is_one_line(folder: Path, damage: str) -> None:
    manifest = folder / "manifest.json"
    if damage == "missing shard":
        (folder / "train-001.bin").unlink()
    elif damage == "short shard":
        (folder / "train-001.bin").write_bytes(b"12")
    elif damage == "bad manifest":
        manifest.write_text("{")
    elif damage == "newer":
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "schema": 99}))
    else:
        folder = folder.parent / "elsewhere"
    with pytest.raises(UserError) as caught:
        Tokens(folder).split("train", 25)
    assert "\n" not in str(caught.value)


def test_a_set_that_must_be_fetched_is_asked_for(tmp_path: Path) -> None:
    data = TokenFolder(kind="tokens", set="redpajama-v2", tokenizer="sentencepiece-32000")
    with pytest.raises(UserError, match=r"no token folder .*ademamix data prepare") as caught:
        ensure(data, tmp_path)
    assert str(data.folder(tmp_path)) in str(caught.value)


def test_the_digest_follows_the_content(tmp_path: Path, folder: Path) -> None:
    before = Tokens(folder).digest
    tokens.write(tmp_path / "b", {"train": [np.arange(100)]}, 32_000, {})
    assert Tokens(tmp_path / "b").digest != before


def test_the_language_task_trains_on_the_samplers_windows(data_root: Path, adamw_spec: LanguageRun) -> None:
    """Whichever update is asked for, in whatever order, across its look-ahead."""
    task = LanguageTask(adamw_spec, data_root, torch.device("cpu"))
    for t in (1, 64, 65, 63, 400, 2):
        expected = task.train.read(windows(adamw_spec.seed, t, adamw_spec.batch, len(task.train)))
        assert task.batch(t).tolist() == expected.tolist()
