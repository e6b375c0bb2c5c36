"""The one exception whose text is meant for the user."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Something the user can mend. The message is one line that says what to do."""


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """' (did you mean …?)' for the nearest choice, or the choices themselves when none is near."""
    names = sorted(choices)
    near = get_close_matches(word, names, n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else f" (one of: {', '.join(names)})"


def one_line(error: OSError, options: str) -> str:
    """A full or read-only disk and the like, with the options that name another place."""
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}; name another place with {options}"
