"""Whether the hub of data sets answers. Where it does not, its libraries look into their caches at once.

Left to themselves they try again for minutes before they say so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import HTTPError
from urllib.request import Request, urlopen

PATIENCE = 5.0  # seconds


def endpoint() -> str:
    """Its address, or that of a mirror, as HF_ENDPOINT names one."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def answers() -> bool:
    """Whether anything comes back from there, through the proxies of the environment."""
    try:
        with urlopen(Request(endpoint(), method="HEAD"), timeout=PATIENCE):
            return True
    except HTTPError:
        return True  # which is an answer
    except OSError:
        return False


@contextmanager
def caches_alone() -> Iterator[None]:
    """Nothing is fetched within this block, as with HF_HUB_OFFLINE=1, which is read at their import alone."""
    from datasets import config
    from huggingface_hub import constants

    before = config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before
