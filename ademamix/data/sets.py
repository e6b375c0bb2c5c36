"""The data that runs can train on, each declared in one place: what it is, and where it lies.

Planning imports this; what prepares and reads the data is imported where that happens.
"""

import hashlib
import json
from pathlib import Path
from typing import ClassVar, Literal

from ademamix.errors import UserError
from ademamix.values import Variant


class DataConfig(Variant):
    """A data set, by all that its content depends on."""

    FAMILY: ClassVar[str] = "data set"

    kind: str

    @classmethod
    def here(cls) -> "DataConfig":
        """The set as this machine has it: for sets that need no further values.

        Raises:
            UserError: it has to be stated in full.
        """
        raise UserError(f"the data set '{cls.tag()}' has to be stated in full")

    def folder(self, root: Path) -> Path:
        """Where it is, or would be, under the data root."""
        raise NotImplementedError

    def differs(self) -> str:
        """In what this set is not the one that this machine has of its kind; '' when it is."""
        return ""

    def refuse_elsewhere(self, root: Path) -> None:
        """Raise UserError, which says what to do, where it cannot be made on this machine."""

    def prepare(self, folder: Path) -> None:
        """Make it in the empty `folder`."""
        raise NotImplementedError


class Pysource(DataConfig):
    """Python sources of installed packages, as bytes; `packages` maps each to its version."""

    kind: Literal["pysource"] = "pysource"
    packages: dict[str, str]
    tokenizer: Literal["bytes"] = "bytes"

    @classmethod
    def here(cls) -> "Pysource":
        from ademamix.data.pysource import versions

        return cls(packages=versions())

    def folder(self, root: Path) -> Path:
        identity = json.dumps(self.packages, sort_keys=True)
        return root / f"pysource-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"

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

        prepare(folder)


class TokenFolder(DataConfig):
    """A prepared folder of token shards, by the name of the set and of its tokenizer."""

    kind: Literal["tokens"] = "tokens"
    set: str
    tokenizer: str

    def folder(self, root: Path) -> Path:
        return root / f"{self.set}-{self.tokenizer}"

    def refuse_elsewhere(self, root: Path) -> None:
        raise UserError(
            f"no data: put the token folder of {self.set} ({self.tokenizer}) at {self.folder(root)}, "
            "as docs/data.md describes, or name another place with --data"
        )
