"""The one exception whose text is meant for the user, and what else is said in one line."""

import errno
import os
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

MISTAKE = 70  # the exit code of a mistake of ours: EX_SOFTWARE of sysexits.h


class UserError(Exception):
    """Something the user can mend. The message is one line that says what to do."""


class UserErrors(UserError):
    """Several of them, a line each."""

    def __init__(self, problems: Sequence[UserError]) -> None:
        super().__init__("\nademamix: ".join(map(str, problems)))


class Problems:
    """What went wrong with some of many, while the others went on."""

    def __init__(self) -> None:
        self.found: list[UserError] = []

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """A block whose UserError is kept for later."""
        try:
            yield
        except UserError as problem:
            self.found.append(problem)

    def raise_any(self) -> None:
        """Raise what was collected, if anything was."""
        if self.found:
            raise UserErrors(self.found) if len(self.found) > 1 else self.found[0]


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """' (did you mean …?)' for the nearest choice, or the choices themselves when none is near."""
    names = sorted(choices)
    near = get_close_matches(word, names, n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else f" (one of: {', '.join(names)})"


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


def one_line(error: OSError, places: Mapping[str, Path | None]) -> str:
    """A full disk, a file that is missing or unreadable, and the like.

    `places`: option → the folder that it names. Where the file lies in one of them, that option is said to
    name another; where there is no room, or no right to write, any of them.
    """
    where = f" ({error.filename})" if error.filename else ""
    inside = [option for option, folder in places.items() if folder and _in(error.filename, folder)]
    if not inside and error.errno in NO_ROOM:
        inside = list(places)
    advice = f"; name another place with {' or '.join(inside)}" if inside else ""
    return f"{error.strerror or error}{where}{advice}"


def _in(name: object, folder: Path) -> bool:
    return isinstance(name, str) and Path(os.path.abspath(name)).is_relative_to(folder.absolute())


def in_one_line(error: BaseException) -> str:
    """What an unexpected exception says, on one line: 'KeyError: 'loss''."""
    words = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {words[:300]}" if words else name


def where_raised(error: BaseException, within: Path) -> str:
    """The innermost line under `within` that an exception passed, 'figure.py, line 40'; '' if none."""
    if isinstance(error, SyntaxError) and error.filename and _in(error.filename, within):
        return f"{os.path.relpath(error.filename, within)}, line {error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _in(f.filename, within)]
    return f"{os.path.relpath(frames[-1].filename, within)}, line {frames[-1].lineno}" if frames else ""


def save_traceback(error: BaseException) -> Path | None:
    """The file that the traceback of `error` was written to; None where nothing can be written."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    try:
        handle, name = tempfile.mkstemp(prefix=f"ademamix-{stamp}-", suffix=".txt")
        with os.fdopen(handle, "w") as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError:
        return None
    return Path(name)
