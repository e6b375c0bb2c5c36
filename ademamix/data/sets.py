"""The data that runs can train on, each declared in one place: what it is, and where it lies.

Planning imports this; what prepares and reads the data is imported where that happens.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError

from ademamix.errors import UserError
from ademamix.values import Variant, user_error

SET_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"  # of a folder in the data root


class DataConfig(Variant):
    """A data set, by all that its content depends on."""

    FAMILY: ClassVar[str] = "data set"

    kind: str

    @classmethod
    def here(cls, **stated: Any) -> "DataConfig":
        """The set as this machine has it, with what is stated of it.

        Raises:
            UserError: more has to be stated.
        """
        try:
            return cls(**stated)
        except ValidationError as error:
            raise user_error(error, cls, stated, f"data set '{cls.tag()}'") from None

    @property
    def label(self) -> str:
        """What people call it, on drawings."""
        return str(self.tag())

    @property
    def samples(self) -> int | None:
        """How many samples an epoch has; None where nobody counts in epochs."""
        return None

    def folder(self, root: Path) -> Path:
        """Where it is, or would be, under the data root."""
        raise NotImplementedError

    def differs(self) -> str:
        """In what this set is not the one that this machine has of its kind; '' when it is."""
        return ""

    def ready(self, folder: Path) -> bool:
        """Whether `folder` has it, whole."""
        return (folder / "manifest.json").exists()

    def refuse_elsewhere(self, root: Path) -> None:
        """Raise UserError, which says what to do, where it cannot be made on this machine."""

    def prepare(self, folder: Path) -> None:
        """Make it in the empty `folder`."""
        raise NotImplementedError

    def verify(self, folder: Path, told: Callable[[int], None]) -> None:
        """Raise UserError where `folder` does not hold what it says; read only what is not known to be right.

        `told`: of bytes, as they are read.
        """

    def unread(self, folder: Path) -> int:
        """How many bytes `verify` would read."""
        return 0

    def content(self, folder: Path) -> str | None:
        """A hash of what is in `folder`, where the name of the set does not say it; else None."""
        return None


class Text(DataConfig):
    """Text as a token folder."""

    def verify(self, folder: Path, told: Callable[[int], None]) -> None:
        from ademamix.data.trust import trust

        trust(folder, told)

    def unread(self, folder: Path) -> int:
        from ademamix.data.trust import size_to_read

        return size_to_read(folder)


class Pysource(Text):
    """Python sources of installed packages; `packages` maps each to its version.

    `tokenizer`: 'bytes', or 'bpe-N': N byte pairs, learnt from the sources when they are prepared.
    """

    kind: Literal["pysource"] = "pysource"
    packages: dict[str, str]
    tokenizer: Annotated[str, Field(pattern=r"^(bytes|bpe-[1-9][0-9]{2,5})$")] = "bytes"

    @classmethod
    def here(cls, **stated: Any) -> "DataConfig":
        from ademamix.data.pysource import versions

        return super().here(**{"packages": versions(), **stated})

    @property
    def label(self) -> str:
        return "pysource" if self.tokenizer == "bytes" else f"pysource ({self.tokenizer})"

    def folder(self, root: Path) -> Path:
        identity = json.dumps(self.packages, sort_keys=True)
        name = f"pysource-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
        return root / (name if self.tokenizer == "bytes" else f"{name}-{self.tokenizer}")

    def differs(self) -> str:
        from ademamix.data.pysource import differences

        return differences(self.packages)

    def refuse_elsewhere(self, root: Path) -> None:
        if other := self.differs():
            raise UserError(
                f"this run trains on the sources of other packages than are installed: {other}; install "
                f"requirements.lock, or put the corpus of the recorded versions at {self.folder(root)}"
            )

    def prepare(self, folder: Path) -> None:
        from ademamix.data.pysource import prepare

        prepare(folder, self.tokenizer)


class TokenFolder(Text):
    """A prepared folder of token shards, by its name: `set`, or `set`-`tokenizer` where that is given."""

    kind: Literal["tokens"] = "tokens"
    set: Annotated[str, Field(pattern=SET_NAME)]
    tokenizer: Annotated[str, Field(pattern=SET_NAME)] | None = None

    @property
    def name(self) -> str:
        return f"{self.set}-{self.tokenizer}" if self.tokenizer else self.set

    @property
    def label(self) -> str:
        return f"text '{self.name}'"

    def folder(self, root: Path) -> Path:
        return root / self.name

    def content(self, folder: Path) -> str | None:
        from ademamix.data.tokens import Tokens

        return Tokens(folder).digest

    def refuse_elsewhere(self, root: Path) -> None:
        raise UserError(
            f"no token folder {self.folder(root)}: make it with 'ademamix data prepare … --root {root} "
            f"--set {self.name}', as docs/data.md describes, or name another place with --data"
        )
