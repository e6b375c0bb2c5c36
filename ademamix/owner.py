"""Who trains a run: a file beside its lock that names the process, and that the process keeps touching.

Locks are not reliable on every network file system, and only their holder's machine can test them; a file
with a host, a process and a recent date can be read from anywhere.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel, ValidationError

from ademamix.files import write_atomically

NAME = "owner.json"
BEAT = 10.0  # seconds between touches
STALE = 60.0  # seconds without one, after which the owner counts as gone


class Owner(BaseModel):
    """The process that trains a run; `job`: its id in a cluster's queue, where it is in one."""

    host: str
    process: int
    job: str = ""

    @classmethod
    def me(cls) -> "Owner":
        return cls(host=socket.gethostname(), process=os.getpid(), job=os.environ.get("SLURM_JOB_ID", ""))


def of(folder: Path) -> Owner | None:
    """Who says that it trains the run in `folder`; None where nobody does."""
    try:
        return Owner.model_validate_json((folder / NAME).read_text())
    except (OSError, ValidationError):
        return None


def alive(folder: Path) -> bool:
    """Whether the run's owner is there: its process runs, or it was heard of lately from another machine."""
    found = of(folder)
    if found is None:
        return False
    # A process id alone may be another process by now.
    return _fresh(folder) and (found.host != socket.gethostname() or _runs(found.process))


def elsewhere(folder: Path) -> bool:
    """Whether another machine trains the run: on this one, the lock says who does."""
    found = of(folder)
    if found is None or found.host == socket.gethostname():
        return False
    requeued = bool(found.job) and found.job == Owner.me().job  # this very job, before it was sent here
    return not requeued and _fresh(folder)


def _fresh(folder: Path) -> bool:
    with suppress(OSError):
        return time.time() - (folder / NAME).stat().st_mtime < STALE
    return False


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's process
        return True
    return True


@contextmanager
def owning(folder: Path) -> Iterator[None]:
    """This process is the owner of the run in `folder` for as long as the block lasts."""
    path = folder / NAME
    write_atomically(path, Owner.me().model_dump_json().encode())
    done = threading.Event()

    def beat() -> None:
        while not done.wait(BEAT):
            with suppress(OSError):
                os.utime(path)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if of(folder) == Owner.me():
            path.unlink(missing_ok=True)
