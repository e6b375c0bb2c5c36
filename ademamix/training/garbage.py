"""Python's garbage collector, which would stop the loop for tens of milliseconds whenever it likes."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collected_when_told() -> Iterator[None]:
    """In the block nothing is collected but by `collect`, and never what was there before."""
    was = gc.isenabled()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was:
            gc.enable()


def collect() -> None:
    """Free what has become garbage in cycles; where the collector does so by itself, nothing."""
    if not gc.isenabled():
        gc.collect()
