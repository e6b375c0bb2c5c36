"""Which windows update t trains on: a pure function of (seed, t), so no loader has any state.

The order is a pseudo-random permutation of all windows, a new one for each pass over the data. It is
evaluated at any place in constant memory: a Feistel network permutes a power of four at least as
large as the number of windows, and values out of range are permuted again until they are in range.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6


def windows(seed: int, t: int, batch: int, available: int) -> NDArray[np.int64]:
    """Indices, shape (batch,), of the windows of update t ≥ 1 out of `available`.

    Nothing repeats before all windows are used up. A run with another batch size goes through the
    same windows in the same order.
    """
    return order(seed, (t - 1) * batch, batch, available)


class Ahead:
    """`windows` of one update after the other, or what `read` makes of them, for many updates at once.

    Looking up and reading a few windows takes as long as a few hundred.
    """

    WINDOWS = 256

    def __init__(
        self,
        seed: int,
        batch: int,
        available: int,
        read: Callable[[NDArray[np.int64]], NDArray[np.int64]] | None = None,
    ) -> None:
        self._seed, self._batch, self._available, self._read = seed, batch, available, read
        self._updates = max(1, self.WINDOWS // batch)
        self._block = -1
        self._found = np.empty((0, batch), dtype=np.int64)

    def of(self, t: int) -> NDArray[np.int64]:
        """Of update t: shape (batch,), or with the shape of what is read of a window behind it."""
        block, row = divmod(t - 1, self._updates)
        if block != self._block:
            size = self._updates * self._batch
            found = order(self._seed, block * size, size, self._available)
            if self._read is not None:
                found = self._read(found)
            self._found, self._block = found.reshape(self._updates, self._batch, *found.shape[1:]), block
        return self._found[row]


def order(seed: int, first: int, count: int, available: int) -> NDArray[np.int64]:
    """The `count` windows from place `first` on in the endless sequence of windows of `seed`."""
    places = np.arange(first, first + count, dtype=np.uint64)
    passes = places // np.uint64(available)
    within = places % np.uint64(available)
    found = np.empty(count, dtype=np.int64)
    for which in np.unique(passes):
        here = passes == which
        found[here] = permuted(within[here], available, key=(seed, int(which)))
    return found


def permuted(places: NDArray[np.uint64], size: int, key: tuple[int, int]) -> NDArray[np.uint64]:
    """Where the permutation of range(size) chosen by `key` takes each place."""
    half = np.uint64(max(1, (int(size - 1).bit_length() + 1) // 2))
    keys = np.random.SeedSequence(key).generate_state(ROUNDS, np.uint64).astype(np.uint64)
    result = _feistel(places, half, keys)
    while (outside := result >= size).any():
        result[outside] = _feistel(result[outside], half, keys)
    return result


def _feistel(values: NDArray[np.uint64], half: np.uint64, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = values >> half, values & mask
    for key in keys:
        left, right = right, left ^ (_mixed(right ^ key) & mask)
    return (left << half) | right


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64: every input bit reaches every output bit."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
