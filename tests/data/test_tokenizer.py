"""Tokenizers: exact round trips, one file each, clear errors; learning is a function of the text."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from ademamix.data.documents import Reading
from ademamix.data.sources import Source, text
from ademamix.data.splits import split_of
from ademamix.data.tokenizer import Tokenizer, tokenizer, tokenizer_of
from ademamix.data.tokenizer_training import sampled, train
from ademamix.errors import UserError

TEXTS = [
    f"def f{i}(x):\n    return  x + {i}  # naïve\t→ {chr(0x4E00 + i % 20)}\n\n".encode() for i in range(300)
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("text")
    (folder / "a.txt").write_bytes(b"\n".join(TEXTS))
    return text([folder], Reading(documents="line"))


@pytest.fixture(scope="module", params=[".model", ".json"])
def learnt(
    request: pytest.FixtureRequest, source: Source, tmp_path_factory: pytest.TempPathFactory
) -> Tokenizer:
    return train(source, 420, tmp_path_factory.mktemp("tokenizer") / f"t{request.param}")


def decoded(made: Tokenizer, ids: np.ndarray) -> str:
    found: str = made._model.decode(ids.tolist())  # type: ignore[attr-defined]
    return found


def test_text_comes_back_as_it_was(learnt: Tokenizer) -> None:
    """Whitespace, and letters that were never seen."""
    texts = [*TEXTS[:20], "a  b \n\n\t ñ 語 🙂 ".encode()]
    for given, ids in zip(texts, learnt.encode(texts, threads=2), strict=True):
        assert decoded(learnt, ids) == given.decode()
        assert ids.max() < learnt.vocabulary == 420
        assert learnt.separator not in ids


def test_learning_twice_gives_the_same_file(learnt: Tokenizer, source: Source, tmp_path: Path) -> None:
    assert learnt.file
    again = train(source, 420, tmp_path / learnt.file.name)
    assert again.digest == learnt.digest
    assert learnt.name == {".model": "sentencepiece-420", ".json": "bpe-420"}[learnt.file.suffix]


def test_workers_get_a_file_name_not_a_model(learnt: Tokenizer) -> None:
    learnt.encode([b"open it"])
    sent = pickle.dumps(learnt)
    assert len(sent) < 1_000
    assert pickle.loads(sent).encode([b"some text"])[0].tolist() == learnt.encode([b"some text"])[0].tolist()


def test_only_the_training_split_is_learnt_from(source: Source) -> None:
    seen = list(sampled(source, 10**6))
    assert seen
    assert all(split_of(line.encode(), source.shares) == "train" for line in seen)
    assert 1_000 <= sum(len(line.encode()) for line in sampled(source, 1_000)) < 1_100


def test_bytes_need_no_file() -> None:
    made = tokenizer("bytes")
    assert [ids.tolist() for ids in made.encode([b"ab", b"\xff"])] == [[97, 98], [255]]
    assert (made.name, made.vocabulary, made.separator) == ("bytes", 256, 0)


def test_what_is_no_tokenizer_is_one_line(tmp_path: Path, source: Source) -> None:
    for name, content in {"a.model": b"nonsense", "a.json": b"{}", "a.txt": b""}.items():
        (tmp_path / name).write_bytes(content)
    for given in ("nowhere.model", *(str(tmp_path / name) for name in ("a.model", "a.json", "a.txt"))):
        with pytest.raises(UserError) as caught:
            tokenizer(given)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", [".model", ".json"])
def test_too_many_tokens_for_the_text(tmp_path: Path, source: Source, ending: str) -> None:
    with pytest.raises(UserError, match="no 200000 tokens can be learnt"):
        train(source, 200_000, tmp_path / f"t{ending}")
    assert not list(tmp_path.iterdir())


def test_a_tokenizer_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    with pytest.raises(
        UserError, match=r"gpt-neox could not be fetched.*download tokenizer.json of EleutherAI"
    ):
        tokenizer("gpt-neox")


def test_a_well_known_tokenizer_is_called_by_its_name(
    monkeypatch: pytest.MonkeyPatch, source: Source, tmp_path: Path
) -> None:
    import huggingface_hub

    file = train(source, 420, tmp_path / "tokenizer.json").file
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda name, file_name: str(file))
    made = tokenizer("gpt2")
    assert (made.name, made.vocabulary) == ("gpt2", 420)


def test_the_tokenizer_of_a_token_folder(tmp_path: Path) -> None:
    assert tokenizer_of("bytes", tmp_path).encode([b"ab"])[0].tolist() == [97, 98]
    with pytest.raises(UserError, match=r"has no tokenizer; put its tokenizer\.model or tokenizer\.json"):
        tokenizer_of("sentencepiece-32000", tmp_path)


def test_it_is_found_beside_what_it_made(learnt: Tokenizer, tmp_path: Path) -> None:
    assert learnt.file
    (tmp_path / f"tokenizer{learnt.file.suffix}").write_bytes(learnt.file.read_bytes())
    found = tokenizer_of(learnt.name, tmp_path)
    assert (found.name, found.digest) == (learnt.name, learnt.digest)
    assert found.encode(TEXTS[:1])[0].tolist() == learnt.encode(TEXTS[:1])[0].tolist()
