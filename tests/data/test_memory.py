"""Memory does not grow with a source: of ten times as much text as the memory that a process may use."""

import gzip
import io
import json
import random
import string
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ademamix.data.documents import Reading
from ademamix.data.prepare import prepare
from ademamix.data.sources import text
from ademamix.data.tokenizer import tokenizer
from benchmarks.data import MB, in_a_process, one_row_group, packed_rows

PATIENCE = 600.0  # seconds
DRAW = random.Random(0)
WORDS = ["".join(DRAW.choices(string.ascii_lowercase, k=DRAW.randrange(20, 40))) for _ in range(20)]
TEXTS = [" ".join(DRAW.choices(WORDS, k=100)) for _ in range(1_000)]


def sentencepiece(folder: Path) -> Path:
    """A model that knows the words whole, so that hundreds of MB of them take it seconds."""
    library = pytest.importorskip("sentencepiece")
    model = io.BytesIO()
    library.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS[:50]), model_writer=model, model_type="bpe", vocab_size=280,
        byte_fallback=True, user_defined_symbols=WORDS, normalization_rule_name="identity", minloglevel=2,
    )  # fmt: skip
    (folder / "words.model").write_bytes(model.getvalue())
    return folder / "words.model"


def byte_pairs(folder: Path) -> Path:
    """The same of the `tokenizers` library."""
    library = pytest.importorskip("tokenizers")
    level = library.pre_tokenizers.ByteLevel
    made = library.Tokenizer(
        library.models.BPE(vocab={c: i for i, c in enumerate(sorted(level.alphabet()))}, merges=[])
    )
    made.pre_tokenizer = level(add_prefix_space=False)
    made.add_special_tokens(["<|endoftext|>"])
    made.add_tokens(WORDS)
    made.save(str(folder / "words.json"))
    return folder / "words.json"


@pytest.mark.parametrize(
    ("learn", "write", "limit"),
    [
        pytest.param(sentencepiece, one_row_group, 40, id="SentencePiece, a parquet file of one row group"),
        pytest.param(byte_pairs, packed_rows, 16, id="byte pairs, packed rows of JSON"),
    ],
)
def test_a_source_of_ten_times_the_memory(
    tmp_path: Path,
    learn: Callable[[Path], Path],
    write: Callable[[Path, Sequence[str], int], None],
    limit: int,
) -> None:
    """`limit`: MB beyond what is loaded to begin with."""
    path = tmp_path / ("a.parquet" if write is one_row_group else "a.json.gz")
    write(path, TEXTS, 10 * limit * MB)
    done = in_a_process(path, limit, str(learn(tmp_path)), PATIENCE)
    assert done["million tokens"] >= 10 * limit / 32  # a word and the blank before it


def test_a_line_of_ten_times_the_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """Which is damage, or a file that is no rows: longer lines than 64 MB are not held."""
    line = gzip.compress(b'{"text": "', 1) + gzip.compress(b"x" * MB, 1) * 2_000 + gzip.compress(b'"}', 1)
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b'{"text": "first"}\n', 1) + line)
    with pytest.raises(MemoryError, match=r"a.json.gz: line 2 is longer than 64 MB; rows stand in a line"):
        in_a_process(tmp_path / "a.json.gz", 200, "bytes", PATIENCE)


def test_a_row_of_many_megabytes_is_cut(tmp_path: Path) -> None:
    """So that a tokenizer gets little at a time; nothing of it is lost."""
    long = "".join(f"line {number} of a long text\n" for number in range(200_000))
    (tmp_path / "text").mkdir()
    with gzip.open(tmp_path / "text" / "a.json.gz", "wt", compresslevel=1) as file:
        file.write(json.dumps({"text": long}) + "\n")
    source = text([tmp_path / "text"], Reading()).model_copy(update={"shares": {"validation": 0.2}})
    made = prepare(tmp_path, "set", source, tokenizer("bytes"))
    raw = b"".join(
        (made.folder / f"{split}{end}").read_bytes()
        for split, end in (("train", "-00000.bin"), ("validation", "-00000.bin"))
    )
    pieces = raw.split(b"\0")[:-1]
    assert len(pieces) == sum(made.manifest["documents"].values()) > 10
    assert all(len(piece) <= 2**18 and piece.endswith(b"\n") for piece in pieces)
    assert sorted(b"".join(pieces).splitlines()) == sorted(long.encode().splitlines())


def test_the_limit_is_real(tmp_path: Path) -> None:
    """Less than a tokenizer needs ends the process."""
    packed_rows(tmp_path / "a.json.gz", TEXTS, MB)
    with pytest.raises(MemoryError):
        in_a_process(tmp_path / "a.json.gz", 1, str(byte_pairs(tmp_path)), PATIENCE)
