"""The corpus of installed sources: splits by file, no tests, identity by versions."""

import gzip
import json
from importlib import metadata
from pathlib import Path

import pytest

from ademamix.checkout import checkout
from ademamix.data.pysource import PACKAGES, is_test, sources, versions
from ademamix.data.sets import DataConfig, Pysource, TokenFolder
from ademamix.data.splits import split_of
from ademamix.data.tokens import Tokens
from ademamix.scale import here
from ademamix.values import canonical


def test_tests_are_left_out() -> None:
    assert is_test(("numpy", "tests", "helpers.py"))
    assert is_test(("torch", "testing", "_comparison.py"))
    assert is_test(("pandas", "test_io.py"))
    assert not is_test(("torch", "optim", "adamw.py"))


def test_a_files_split_is_fixed() -> None:
    """From the first day on: moving a file between splits would leak text."""
    names = [f"package/module_{i}.py" for i in range(10_000)]
    shares = {
        split: sum(split_of(n.encode()) == split for n in names) / 10_000
        for split in ("validation", "reserve")
    }
    assert 0.025 < shares["validation"] < 0.035
    assert 0.007 < shares["reserve"] < 0.013
    assert [split_of(n.encode()) for n in ("torch/optim/adamw.py", "numpy/__init__.py")] == [
        "train",
        "reserve",
    ]


def test_the_identity_is_names_and_versions() -> None:
    found = versions()
    assert tuple(found) == PACKAGES
    assert found["torch"] == metadata.version("torch").partition("+")[0]


def test_the_sources_are_real_text_in_a_fixed_order() -> None:
    names = []
    for name, path in sources():
        names.append(name)
        if name == "torch/optim/adamw.py":
            assert b"class AdamW" in path.read_bytes()
    assert "torch/optim/adamw.py" in names
    assert len(names) == len(set(names)) > 1_000


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pysource")
    Pysource.here().prepare(folder)
    return folder


def test_the_tokens_are_those_of_every_record(prepared: Path) -> None:
    """A golden: the committed runs were trained on these very tokens, whatever made them."""
    data, digest = canonical(Pysource.here()), Tokens(prepared).digest
    records = (checkout() / "figures" / "cpu" / "records").glob("*.json.gz")
    found = [json.loads(gzip.decompress(record.read_bytes())) for record in records]
    trained = [one for one in found if one["spec"]["task"] == "language"]
    assert trained
    for one in trained:
        assert one["spec"]["data"] == data, "the packages are not those of requirements.lock"
        assert digest == one["outcome"]["machine"]["data"]


def test_each_split_is_one_shard_and_a_file_ends_with_a_nul(prepared: Path) -> None:
    splits = Tokens(prepared).manifest["splits"]
    assert [len(splits[name]) for name in ("train", "validation", "reserve")] == [1, 1, 1]
    files = dict(sources())
    first = next(name for name in files if split_of(name.encode()) == "reserve")
    raw = (prepared / splits["reserve"][0]["file"]).read_bytes()
    assert raw.startswith(files[first].read_bytes() + b"\0")


def test_byte_pairs_are_other_data_in_another_folder(tmp_path: Path) -> None:
    bytes_, pairs = Pysource.here(), here({"kind": "pysource", "tokenizer": "bpe-8192"})
    assert "tokenizer" not in canonical(bytes_)
    assert canonical(pairs)["tokenizer"] == "bpe-8192"
    assert pairs.folder(tmp_path).name == f"{bytes_.folder(tmp_path).name}-bpe-8192"
    assert (bytes_.label, pairs.label) == ("pysource", "pysource (bpe-8192)")


def test_a_set_is_named_with_or_without_its_tokenizer(tmp_path: Path) -> None:
    whole = DataConfig.read({"kind": "tokens", "set": "redpajama-v2", "tokenizer": "sentencepiece-32000"})
    assert whole.folder(tmp_path).name == "redpajama-v2-sentencepiece-32000"
    assert DataConfig.read({"kind": "tokens", "set": "mine"}).folder(tmp_path).name == "mine"
    assert canonical(TokenFolder(set="mine")) == {"kind": "tokens", "set": "mine"}
    with pytest.raises(ValueError, match="string_pattern_mismatch"):
        TokenFolder(set="../elsewhere")
