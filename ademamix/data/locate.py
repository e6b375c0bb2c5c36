"""The folder that a run's data lies in; made at first use where nothing must be fetched."""

import os
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock

from ademamix.data.sets import DataConfig


def ensure(data: DataConfig, root: Path) -> Path:
    """The folder of `data`, prepared if it can be made here; other processes wait for it.

    Raises:
        UserError: it cannot; says what to do.
    """
    folder = data.folder(root)
    if data.ready(folder):
        return folder
    data.refuse_elsewhere(root)
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not data.ready(folder):
            scratch = Path(tempfile.mkdtemp(dir=root, prefix=".preparing-"))
            scratch.chmod(0o777 & ~_umask())  # mkdtemp's own mode shuts everybody else out
            try:
                data.prepare(scratch)
                shutil.rmtree(folder, ignore_errors=True)
                os.replace(scratch, folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
