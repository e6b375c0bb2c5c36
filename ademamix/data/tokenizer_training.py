"""New tokenizers from a source: SentencePiece as the paper's, or a byte-level BPE as GPT-2's.

Both write any text and read it back as it was: what has no token of its own is written in bytes. The text
that they learn from is a fixed sample of the training split, so that memory is bounded, and nothing of the
held-out text is in them.
"""

import io
from collections.abc import Iterator
from pathlib import Path

from ademamix.data.documents import Broken, documents
from ademamix.data.sources import Source
from ademamix.data.splits import split_of
from ademamix.data.tokenizer import ENDS, KINDS, Tokenizer, library
from ademamix.errors import UserError
from ademamix.files import write_atomically

SAMPLE = 100 * 2**20  # bytes of text to learn from
LONGEST_LINE = 2**16  # bytes; longer lines are passed over


def train(source: Source, vocabulary: int, path: Path, sample: int = SAMPLE) -> Tokenizer:
    """Learn a tokenizer of `vocabulary` tokens, write it to `path`, and open it.

    Args:
        path: .model for SentencePiece, .json for a byte-level BPE.
        sample: bytes of text to learn from, taken evenly from the files of the source.

    Raises:
        UserError: the text is too little for so many tokens, or there is none.
    """
    learn = {".model": _sentencepiece, ".json": _bpe}[path.suffix]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, learn(_Counted(sampled(source, sample), source), vocabulary))
    return KINDS[path.suffix](path)


def sampled(source: Source, sample: int) -> Iterator[str]:
    """Documents of the training split, up to an equal share of `sample` bytes from each file.

    Files that are broken, and documents that are not UTF-8, are passed over.
    """
    share = max(1, sample // len(source.files))
    left = 0  # of the files before
    for file in source.files:
        left += share
        try:
            for text in documents(file, source.reading):
                key = file.name.encode() if source.reading.key == "name" else text
                if split_of(key, source.shares) == "train":
                    yield text.decode("utf-8", "ignore")
                    left -= len(text)
                if left <= 0:
                    break
        except Broken:
            continue


class _Counted:
    """An iterator that refuses to be empty."""

    def __init__(self, texts: Iterator[str], source: Source) -> None:
        self._texts = texts
        self._source = source

    def __iter__(self) -> Iterator[str]:
        seen = False
        for text in self._texts:
            seen = True
            yield text
        if not seen:
            raise UserError(f"no text to learn from in {self._source.place or self._source.kind}")


def _sentencepiece(texts: _Counted, vocabulary: int) -> bytes:
    """Byte pairs over characters, with bytes for what is rare; whitespace is kept as it is."""
    sentencepiece = library("sentencepiece")
    lines = [line for text in texts for line in text.splitlines() if line and not line.isspace()]
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocabulary,
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            max_sentence_length=LONGEST_LINE,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UserError(f"no {vocabulary} tokens can be learnt: {_last_sentence(error)}") from None
    return model.getvalue()


def _last_sentence(error: RuntimeError) -> str:
    """What the library says, without the place in its source."""
    return " ".join(str(error).split()).rpartition("] ")[2]


def _bpe(texts: _Counted, vocabulary: int) -> bytes:
    """Byte pairs over bytes, words split as GPT-2 does."""
    tokenizers = library("tokenizers")
    level = tokenizers.pre_tokenizers.ByteLevel
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = level(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[ENDS[0]],
        initial_alphabet=sorted(level.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(iter(texts), trainer)
    if (found := made.get_vocab_size()) < vocabulary:
        raise UserError(f"no {vocabulary} tokens can be learnt: the text gives only {found}")
    return bytes(made.to_str(), "utf-8")
