"""The connected components of a group, through the matrices of their representatives in some irreps."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from eqlib.groups.element import Array
from eqlib.groups.irrep import Irrep


def separating(irreps: Iterable[Irrep], components: int, dim: int) -> list[Irrep] | None:
    """The first irreps that together tell all components apart and have `dim` independent generators; None: they do not."""
    found: list[Irrep] = []
    for a in irreps:
        found.append(a)
        flat = np.concatenate([b.discrete.reshape(components, -1) for b in found], axis=1)
        algebra = np.concatenate([b.generators.reshape(dim, b.dim**2) for b in found], axis=1)
        apart = len(np.unique(flat.round(6), axis=0)) == components
        if apart and (dim == 0 or np.linalg.matrix_rank(algebra) == dim):
            return found
    return None


def inverses(irreps: Iterable[Irrep], components: int) -> NDArray[np.int64]:
    """(components,) index of the inverse of each representative; irreps are asked for until it is the only one left."""
    remaining = np.ones((components, components), dtype=bool)
    for a in irreps:
        products = np.einsum("iab,jbc->ijac", a.discrete, a.discrete)
        remaining &= np.abs(products - np.eye(a.dim)).max(axis=(-2, -1)) < 1e-9
        if (remaining.sum(axis=1) == 1).all():
            break
    return remaining.argmax(axis=1)


def table(irreps: list[Irrep]) -> NDArray[np.int64] | None:
    """(components, components) index of the product of two representatives; None where that is no representative."""
    own: Array = np.concatenate([a.discrete.reshape(len(a.discrete), -1) for a in irreps], axis=1)
    found = []
    for i in range(len(own)):
        moved = np.concatenate([(a.discrete[i] @ a.discrete).reshape(len(own), -1) for a in irreps], axis=1)
        distance = np.abs(moved[:, None] - own).max(axis=2)
        if distance.min(axis=1).max() > 1e-9:
            return None
        found.append(distance.argmin(axis=1))
    return np.array(found)
