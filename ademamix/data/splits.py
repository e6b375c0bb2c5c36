"""Which split a document belongs to: a pure function of what identifies it.

So a document never sits in two splits and never changes sides, whatever is prepared beside it, in whatever
order; and where the key is the document itself, its exact copies go the same way.
"""

import hashlib
from collections.abc import Mapping
from typing import Literal

SplitName = Literal["train", "validation", "reserve"]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "reserve")
SHARES: dict[SplitName, float] = {"validation": 0.03, "reserve": 0.01}  # the rest is train


def split_of(key: bytes, shares: Mapping[SplitName, float] = SHARES) -> SplitName:
    """The split of the document that `key` identifies; `shares`: of the held-out splits."""
    place = int.from_bytes(hashlib.sha256(key).digest()[:8], "big") / 2**64
    for split, share in shares.items():
        if place < share:
            return split
        place -= share
    return "train"
