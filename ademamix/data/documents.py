"""Source files → documents, one after the other, in memory that does not grow with the file.

Files on the network are opened by `datasets`, with its retries. What is in them is read here: `datasets`
holds a row group of parquet, and a text file, in memory whole, and reads JSON ten times slower, without the
numbers of lines or a word on bytes that are not UTF-8 (docs/data.md has the numbers).
"""

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Literal

from ademamix.data.tokenizer import library
from ademamix.errors import UserError, did_you_mean
from ademamix.values import Frozen

LONGEST = 2**18  # bytes of a piece of text; a longer one is cut at the end of a line
LONGEST_ROW = 64 * 2**20  # bytes of a line of JSON
ROWS = 256  # of a parquet file at a time, at most, and
BLOCK = 2**20  # about so many bytes
Cut = Literal["file", "paragraph", "line", "whole"]
Meter = Callable[[int], None]  # told how many bytes of the source were read


def nothing(count: int) -> None:
    """Told of progress, does nothing."""


class SourceFile(Frozen):
    """A file of text: a path or a URL; `name` tells it apart from the others of its source."""

    name: str
    path: str
    size: int | None = None  # bytes, where it is known

    @property
    def remote(self) -> bool:
        return "://" in self.path

    @property
    def format(self) -> str:
        """'parquet', 'json' or 'text', by its name."""
        name = self.path.removesuffix(".gz").lower()
        if name.endswith(".parquet"):
            return "parquet"
        return "json" if name.endswith((".json", ".jsonl", ".ndjson")) else "text"


class Reading(Frozen):
    """How documents are found, and what their split follows from.

    Attributes:
        field: of a row, that holds the text.
        documents: what of a text file is one: the file (a long one is cut), what stands between empty lines,
            a line; or the whole file, whatever is in it, be it empty.
        key: the split of a document follows from its text, or from the name of its file.
    """

    field: str = "text"
    documents: Cut = "file"
    key: Literal["text", "name"] = "text"


class Broken(Exception):
    """A file that cannot be read to its end; the message says why."""


class Unreachable(Exception):
    """A file that could not be fetched this time."""


class WrongField(UserError):
    """The rows have no field of the name that was given."""


def documents(file: SourceFile, how: Reading, meter: Meter = nothing) -> Iterator[bytes]:
    """The documents of a file, as UTF-8; empty ones are left out, long ones cut.

    Text files are passed on as they are, whether or not they are UTF-8.

    Raises:
        Broken: the file is damaged, binary, or gone. What came before is to be dropped.
        Unreachable: the network failed, after retries.
        WrongField: the rows have no field `how.field`.
    """
    with _named():
        if file.format == "parquet":
            yield from _cut(_rows_of_parquet(file, how.field, meter))
            return
        with opened(file, meter) as stream:
            if how.documents == "whole":
                yield stream.read()
                return
            if file.format == "json":
                yield from _cut(_rows_of_json(stream, file, how.field))
            else:
                yield from filter(None, _texts(stream, how))


@contextmanager
def _named() -> Iterator[None]:
    """What goes wrong while a file is read, as one of this module's exceptions."""
    try:
        yield
    except (Broken, Unreachable, UserError, MemoryError):
        raise
    except FileNotFoundError:
        raise Broken("it does not exist") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Broken(f"cut short or damaged ({error})") from None
    except Exception as error:
        if _of_arrow(error):
            raise Broken(str(error).splitlines()[0].rstrip(".")) from None
        if not _network(error):
            raise
        raise Unreachable(f"{type(error).__name__}: {' '.join(str(error).split())}") from None


def _of_arrow(error: BaseException) -> bool:
    """Whether a parquet file is damaged; pages that cannot be decoded are an OSError without a number."""
    bare = type(error) is OSError and error.errno is None
    return bare or type(error).__module__.startswith("pyarrow")


def _network(error: BaseException) -> bool:
    """Whether it comes from a library that fetches, or is a reading error of the system."""
    origin = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or origin in ("aiohttp", "httpx2", "httpx", "huggingface_hub", "fsspec")


@contextmanager
def opened(file: SourceFile, meter: Meter) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked; from the network with the retries of `datasets`."""
    with _raw(file) as raw:
        stream = io.BufferedReader(Metered(raw, meter), LONGEST)
        if file.path.endswith(".gz"):
            with gzip.GzipFile(fileobj=stream) as unpacked:
                yield unpacked  # type: ignore[misc]
        else:
            yield stream


def _raw(file: SourceFile) -> Any:
    if not file.remote:
        return open(file.path, "rb")
    library("aiohttp")
    from datasets.utils.file_utils import xopen

    return xopen(file.path, "rb")


class Metered(io.RawIOBase):
    """A stream that tells how much of it was read."""

    def __init__(self, stream: IO[bytes], meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._stream.read(len(buffer))
        buffer[: len(found)] = found
        self._meter(len(found))
        return len(found)


def _cut(rows: Iterable[bytes]) -> Iterator[bytes]:
    """Rows that hold text, the longest in pieces, so that no tokenizer is given more at a time."""
    for text in rows:
        if len(text) > LONGEST:
            yield from pieces(io.BytesIO(text))
        elif text:
            yield text


def _rows_of_json(stream: IO[bytes], file: SourceFile, field: str) -> Iterator[bytes]:
    for number, line in enumerate(iter(lambda: stream.readline(LONGEST_ROW), b""), 1):
        if len(line) == LONGEST_ROW and not line.endswith(b"\n"):
            raise Broken(f"line {number} is longer than {LONGEST_ROW >> 20} MB; rows stand in a line each")
        if line.isspace():
            continue
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            why = "not UTF-8" if isinstance(error, UnicodeDecodeError) else "not JSON"
            raise Broken(f"line {number} is {why}") from None
        if not isinstance(row, dict):
            raise Broken(f"line {number} is not a row {{…}}")
        if field not in row:
            raise _wrong(file, field, row)
        yield _text(row[field], file, field)


def _text(value: Any, file: SourceFile, field: str) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, str):
        raise WrongField(f"{file.name}: the field '{field}' holds no text, but {value!r:.40}")
    return value.encode("utf-8", "replace")  # half of a surrogate pair becomes '?'


def _wrong(file: SourceFile, field: str, known: Iterable[str]) -> WrongField:
    near = did_you_mean(field, known)
    return WrongField(f"{file.name} has no field '{field}'{near}; name the one with the text by --field")


def _rows_of_parquet(file: SourceFile, field: str, meter: Meter) -> Iterator[bytes]:
    """Page by page, whatever the size of its row groups: nothing is fetched ahead of what is read."""
    import pyarrow.parquet as pq

    with _raw(file) as raw, pq.ParquetFile(raw, pre_buffer=False, buffer_size=LONGEST) as rows:
        if field not in (names := rows.schema_arrow.names):
            raise _wrong(file, field, names)
        share = file.size / max(1, rows.metadata.num_rows) if file.size else 0.0
        for batch in rows.iter_batches(_rows_at_a_time(rows.metadata), columns=[field], use_threads=False):
            for value in batch.column(0).to_pylist():
                yield _text(value, file, field)
            meter(int(batch.num_rows * share))


def _rows_at_a_time(about: Any) -> int:
    """How many rows of a parquet file are BLOCK bytes on average, where they are longest."""
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    longest = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
    return max(1, min(ROWS, BLOCK // max(1, longest)))


def _texts(stream: IO[bytes], how: Reading) -> Iterator[bytes]:
    cut = {"file": pieces, "paragraph": _paragraphs, "line": _lines}[how.documents]
    for text in cut(stream):
        if b"\0" in text:
            raise Broken("binary, not text")
        yield text


def pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """A stream in pieces of at most LONGEST bytes, cut after a line, a blank, or at least a whole letter."""
    held = b""
    while block := stream.read(LONGEST - len(held)):
        held += block
        if len(held) < LONGEST:
            continue
        end = (held.rfind(b"\n") + 1) or (held.rfind(b" ") + 1) or _between_letters(held)
        yield held[:end]
        held = held[end:]
    if held:
        yield held


def _between_letters(text: bytes) -> int:
    """The last place, at or near the end, where UTF-8 may be cut."""
    for end in range(len(text) - 1, max(0, len(text) - 4), -1):
        if text[end] & 0xC0 != 0x80:
            return end
    return len(text)


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    while line := stream.readline(LONGEST):
        yield line.rstrip(b"\r\n")


def _paragraphs(stream: IO[bytes]) -> Iterator[bytes]:
    """What stands between empty lines."""
    held: list[bytes] = []
    size = 0
    while line := stream.readline(LONGEST):
        if line.isspace() or size + len(line) > LONGEST:
            yield b"".join(held).rstrip(b"\r\n")
            held, size = [], 0
        if not line.isspace():
            held.append(line)
            size += len(line)
    yield b"".join(held).rstrip(b"\r\n")
