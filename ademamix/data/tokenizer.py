"""Tokenizers: text → token ids, by the libraries that made them.

A tokenizer is one file (but for bytes), so it is known by that file's digest and travels with the token
folder that it made. `train.py` beside this makes new ones.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ademamix.errors import UserError

HUB = {"gpt2": "openai-community/gpt2", "gpt-neox": "EleutherAI/gpt-neox-20b"}
ENDS = ("<|endoftext|>", "</s>", "<eos>", "[SEP]")  # what tokenizers call the end of a text
Ids = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Tokenizer:
    """What turns text into tokens. Opened where it is used; until then it is a name and a file.

    Attributes:
        file: what it is read from; None for bytes.
        called: the name it was asked for by; "" where the file says what it is.
    """

    file: Path | None = None
    called: str = ""

    KIND: ClassVar[str]

    @property
    def name(self) -> str:
        """As it stands in the names of token folders, such as 'sentencepiece-32000'."""
        return self.called or f"{self.KIND}-{self.vocabulary}"

    @property
    def vocabulary(self) -> int:
        """The number of token ids."""
        raise NotImplementedError

    @property
    def separator(self) -> int:
        """The token that follows every document."""
        raise NotImplementedError

    @cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits, a hash of the file."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()[:12] if self.file else self.KIND

    def encode(self, texts: Sequence[bytes], threads: int = 1) -> list[Ids]:
        """The tokens of each text, which is UTF-8, on so many threads.

        Raises:
            UnicodeDecodeError: a text is not UTF-8 (never of bytes).
        """
        raise NotImplementedError

    def __reduce__(self) -> Any:
        """Workers get the name of the file, not what was read from it."""
        return type(self), (self.file, self.called)

    def describe(self) -> dict[str, Any]:
        """What a manifest says of it."""
        file = {"file": f"tokenizer{self.file.suffix}"} if self.file else {}
        known = {"name": self.name, "kind": self.KIND, **file, "digest": self.digest}
        return {**known, "vocabulary": self.vocabulary, "separator": self.separator}


class Bytes(Tokenizer):
    """Bytes as they are, with a NUL after each document."""

    KIND = "bytes"
    vocabulary = 256
    separator = 0

    def encode(self, texts: Sequence[bytes], threads: int = 1) -> list[Ids]:
        return [np.frombuffer(text, np.uint8) for text in texts]


class SentencePiece(Tokenizer):
    """A SentencePiece model, `.model`; the paper's has 32,000 tokens."""

    KIND = "sentencepiece"

    @cached_property
    def _model(self) -> Any:
        sentencepiece = library("sentencepiece")
        try:
            return sentencepiece.SentencePieceProcessor(model_file=str(self.file))
        except (OSError, RuntimeError, ValueError):
            raise UserError(f"{self.file} is not a SentencePiece model") from None

    @property
    def vocabulary(self) -> int:
        return int(self._model.vocab_size())

    @property
    def separator(self) -> int:
        for found in (self._model.eos_id(), self._model.bos_id()):
            if found >= 0:
                return int(found)
        raise UserError(f"{self.file} has no token that ends a text (eos or bos); train it with one")

    def encode(self, texts: Sequence[bytes], threads: int = 1) -> list[Ids]:
        found = self._model.encode([text.decode() for text in texts], num_threads=threads)
        return [np.fromiter(ids, np.int32, len(ids)) for ids in found]


class BytePairs(Tokenizer):
    """A tokenizer of the `tokenizers` library, `.json`: GPT-2's, GPT-NeoX's, or a BPE of one's own."""

    KIND = "bpe"

    @cached_property
    def _model(self) -> Any:
        tokenizers = library("tokenizers")
        try:
            return tokenizers.Tokenizer.from_file(str(self.file))
        except Exception as error:  # the library raises nothing narrower
            raise UserError(f"{self.file} is not a tokenizer: {' '.join(str(error).split())}") from None

    @cached_property
    def vocabulary(self) -> int:
        return 1 + max(self._model.get_vocab(with_added_tokens=True).values())

    @cached_property
    def separator(self) -> int:
        for end in ENDS:
            if (found := self._model.token_to_id(end)) is not None:
                return int(found)
        raise UserError(f"{self.file} has no token that ends a text (one of {', '.join(ENDS)})")

    def encode(self, texts: Sequence[bytes], threads: int = 1) -> list[Ids]:
        # Read by the library when it starts its threads, which the first batch makes it do.
        os.environ.setdefault("RAYON_NUM_THREADS", str(threads))
        os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
        found = self._model.encode_batch_fast([text.decode() for text in texts], add_special_tokens=False)
        return [np.fromiter(each.ids, np.int32, len(each)) for each in found]


KINDS: dict[str, type[Tokenizer]] = {".model": SentencePiece, ".json": BytePairs}


def tokenizer(name: str) -> Tokenizer:
    """The tokenizer called `name`: bytes, gpt2, gpt-neox, or a file (`.model` or `.json`).

    Raises:
        UserError: there is no such tokenizer, its library is missing, or it cannot be fetched.
    """
    if name == Bytes.KIND:
        return Bytes(called=name)
    if name in HUB:
        found: Tokenizer = BytePairs(fetched(name), called=name)
    else:
        path = Path(name)
        if not path.is_file():
            raise UserError(f"no tokenizer '{name}': give bytes, {', '.join(HUB)} or a file that exists")
        if path.suffix not in KINDS:
            raise UserError(f"{path}: a tokenizer is a SentencePiece .model or a tokenizers .json")
        found = KINDS[path.suffix](path)
    found.describe()  # opens it, so that what is wrong with it is said now
    return found


def tokenizer_of(name: str, folder: Path) -> Tokenizer:
    """That which made the token folder `folder`, by the `name` that its data goes by.

    Raises:
        UserError: its file does not lie there.
    """
    if name == Bytes.KIND:
        return Bytes(called=name)
    for suffix, kind in KINDS.items():
        if (file := folder / f"tokenizer{suffix}").exists():
            return kind(file, called=name)
    raise UserError(f"{folder} has no tokenizer; put its tokenizer.model or tokenizer.json there")


def fetched(name: str) -> Path:
    """tokenizer.json of a well-known tokenizer, from the hub or its cache on this machine."""
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(HUB[name], "tokenizer.json"))
    except Exception as error:  # of several libraries, by what is missing: network, cache, permission
        raise UserError(
            f"the tokenizer {name} could not be fetched ({type(error).__name__}); "
            f"download tokenizer.json of {HUB[name]} and give its path"
        ) from None


def library(name: str) -> Any:
    """A package of the extra `data`, or a UserError that says how to get it."""
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise UserError(f"this needs the package {name}: pip install -e '.[data]'") from None
