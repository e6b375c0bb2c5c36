"""The token folder that a spec's data lives in; made at first use where nothing must be fetched."""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock

from ademamix.data import pysource
from ademamix.data.tokens import Tokens
from ademamix.errors import UserError
from ademamix.spec import Pysource, TokenFolder


def folder_of(data: Pysource | TokenFolder, root: Path) -> Path:
    """Where `data` is, or would be, under the data root."""
    if isinstance(data, Pysource):
        identity = json.dumps(data.packages, sort_keys=True)
        return root / f"pysource-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
    return root / f"{data.set}-{data.tokenizer}"


def ensure(data: Pysource | TokenFolder, root: Path) -> Path:
    """The folder of `data`, prepared if it can be made here.

    Raises:
        UserError: the set has to be fetched and prepared by the user, or the installed packages are
            not those the spec names.
    """
    folder = folder_of(data, root)
    if (folder / "manifest.json").exists():
        return folder
    if isinstance(data, TokenFolder):
        raise UserError(
            f"no data: put the token folder of {data.set} ({data.tokenizer}) at {folder}, "
            "as docs/data.md describes, or name another place with --data"
        )
    if data.packages != pysource.versions():
        raise UserError(
            "the installed packages are not those whose sources this run trains on; install requirements.lock"
        )
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "manifest.json").exists():
            scratch = Path(tempfile.mkdtemp(dir=root, prefix=".preparing-"))
            try:
                pysource.prepare(scratch)
                shutil.rmtree(folder, ignore_errors=True)
                os.replace(scratch, folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return folder


def load(data: Pysource | TokenFolder, root: Path) -> Tokens:
    """The tokens of `data`; see `ensure`."""
    return Tokens(ensure(data, root))
