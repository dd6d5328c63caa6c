"""Baseline: nothing is learnt; the label of the nearest training example among all transformed copies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqlib.doors import typed


@typed
def nearest_neighbour(
    copies: Iterable[NDArray[Any]], labels: NDArray[np.int64], images: NDArray[Any]
) -> NDArray[np.int64]:
    """Labels (m,) of images (m, ...): each takes that of the nearest of all transformed training images.

    copies: each (n, ...), all n training images, transformed in one way. labels: (n,). Nearest by squared differences of pixels.

    >>> import numpy as np
    >>> from eqlib import models
    >>> train, labels = np.eye(4).reshape(4, 2, 2), np.array([5, 6, 7, 8])
    >>> models.nearest_neighbour([train], labels, train[2:] + 0.1).tolist()
    [7, 8]
    """
    flat = images.reshape(len(images), -1)
    best, found = np.full(len(flat), np.inf), np.zeros(len(flat), dtype=np.int64)
    for copy in copies:
        each = copy.reshape(len(copy), -1)
        half_squares = (each**2).sum(axis=1) / 2
        for start in range(0, len(flat), 1000):  # a thousand at a time, for memory
            some = slice(start, start + 1000)
            distances = half_squares - flat[some] @ each.T  # up to a number of the image's own
            closest = distances.argmin(axis=1)
            distance = distances[np.arange(len(closest)), closest]
            closer = distance < best[some]
            best[some][closer], found[some][closer] = distance[closer], labels[closest[closer]]
    return found
