"""Text → the tokens that a run's model knows."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ademamix.data.sets import DataConfig
from ademamix.errors import UserError


class Encoding(NamedTuple):
    """How text becomes tokens, and the token that stands between texts."""

    encode: Callable[[str], list[int]]
    separator: int


def encoding(data: DataConfig, folder: Path) -> Encoding:
    """That of a token folder: bytes, or the tokenizer whose file lies in it.

    Raises:
        UserError: there is no tokenizer in it.
    """
    if getattr(data, "tokenizer", "") == "bytes":
        return Encoding(lambda text: list(text.encode()), 0)
    if (model := folder / "tokenizer.model").exists():
        from sentencepiece import SentencePieceProcessor

        pieces = SentencePieceProcessor(model_file=str(model))
        return Encoding(pieces.encode, max(pieces.eos_id(), 0))
    if (file := folder / "tokenizer.json").exists():
        from tokenizers import Tokenizer

        whole = Tokenizer.from_file(str(file))
        ends = (whole.token_to_id(name) for name in ("<|endoftext|>", "</s>", "<eos>"))
        end = next((token for token in ends if token is not None), 0)
        return Encoding(lambda text: whole.encode(text, add_special_tokens=False).ids, end)
    raise UserError(
        f"{folder} has no tokenizer to ask questions with; put tokenizer.model or tokenizer.json there"
    )
