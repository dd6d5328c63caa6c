"""Bodies of unequal size, one after the other in one array: which rows are a body's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def rows(sizes: Ints, indices: Any) -> Ints:
    """The rows of these bodies, body after body, of an array that holds bodies of `sizes` (n,) one after the other.

    >>> import numpy as np
    >>> from eqlib.data.ragged import rows
    >>> rows(np.array([2, 1, 3]), [2, 0]).tolist()
    [3, 4, 5, 0, 1]
    """
    chosen = sizes[indices]
    first, before = np.cumsum(sizes)[indices] - chosen, np.cumsum(chosen) - chosen
    return np.arange(chosen.sum()) + np.repeat(first - before, chosen)


def chosen(number: int, which: Any) -> Ints:
    """Which of so many bodies a subscript asks for, (k,): a number gives one. IndexError where there are not as many."""
    return np.atleast_1d(np.arange(number)[which])


class Pairs:
    """Pairs of the points of many bodies, (2, E), in the order of their targets, of which some bodies' can be taken.

    sizes: (n,), points of each body. No pair joins two bodies.

    >>> import numpy as np
    >>> from eqlib.data.ragged import Pairs
    >>> pairs = Pairs(np.array([[1, 0, 3, 2], [0, 1, 2, 3]]), np.array([2, 2]))
    >>> pairs.of(np.array([1, 1]))
    (array([[1, 0, 3, 2],
           [0, 1, 2, 3]]), array([2, 3, 2, 3]))
    """

    def __init__(self, pairs: Ints, sizes: Ints) -> None:
        self.pairs, self.sizes = pairs, sizes
        ends = np.searchsorted(pairs[1], np.append(0, np.cumsum(sizes)))
        self._first = np.cumsum(sizes) - sizes
        self._each = np.diff(ends)  # pairs of each body: its own are one stretch

    def of(self, indices: Ints) -> tuple[Ints, Ints]:
        """Pairs (2, E') of these bodies as they would be alone, body after body, and which of all pairs they are, (E',)."""
        which = rows(self._each, indices)
        sizes = self.sizes[indices]
        moved = np.cumsum(sizes) - sizes - self._first[indices]
        return self.pairs[:, which] + np.repeat(moved, self._each[indices]), which
