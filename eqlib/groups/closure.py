"""All elements of the finite group that some permutations or matrices generate, and how they multiply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqlib import doors

Index = NDArray[np.int64]
SAME = 1e-10  # products closer than this are one element
APART = 1e-4  # elements of a group of some thousand elements are further apart than this


@dataclass(frozen=True)
class Closure:
    """Elements in the order in which they are found, breadth first, the identity first.

    Attributes:
        elements: (order, k) images of permutations, or (order, k, k) matrices.
        step: (order, generators), index of element * generator.
        parent, letter: (order,) element j is element parent[j] times generator letter[j]; 0 for the identity.
    """

    elements: NDArray[Any]
    step: Index
    parent: Index
    letter: Index

    def table(self) -> Index:
        """(order, order) index of element i times element j."""
        order = len(self.step)
        table = np.zeros((order, order), dtype=np.int64)
        table[:, 0] = np.arange(order)
        for j in range(1, order):
            table[:, j] = self.step[table[:, self.parent[j]], self.letter[j]]
        return table


def close(generators: Sequence[Any] | NDArray[Any], limit: int) -> Closure:
    """Close the group of permutations (sequences of images of 0, 1, ...) or of invertible square matrices.

    Raises ValueError for generators that are neither, and where they make more than `limit` elements or do not close.
    """
    limit = doors.count("limit", limit, 1)
    found = [np.asarray(g) for g in generators]
    if not found:
        raise ValueError("generators: got none, expected at least one permutation or matrix (the identity will do)")
    if len({g.shape for g in found}) > 1 or found[0].ndim not in (1, 2) or found[0].size == 0:
        raise ValueError(
            f"generators: got shapes {', '.join(str(g.shape) for g in found)}, "
            "expected permutations of one length or square matrices of one size"
        )
    if found[0].ndim == 1:
        return _search(_permutations(found), lambda x, s: x[s], _exactly(), limit)
    return _search(_matrices(found), lambda x, s: x @ s, _nearly(limit), limit)


def _permutations(found: list[NDArray[Any]]) -> list[NDArray[Any]]:
    size = len(found[0])
    for g in found:
        if g.dtype.kind not in "iu" or sorted(g.tolist()) != list(range(size)):
            raise ValueError(
                f"generators: got {g.tolist()}, expected a permutation of {size} points: each of 0 ... {size - 1} once"
            )
    return [g.astype(np.int64) for g in found]


def _matrices(found: list[NDArray[Any]]) -> list[NDArray[Any]]:
    shape = found[0].shape
    if shape[0] != shape[1] or any(g.dtype.kind not in "iufc" for g in found):
        raise ValueError(f"generators: got {found[0].dtype} {shape}, expected square matrices of numbers")
    dtype = np.complex128 if any(g.dtype.kind == "c" for g in found) else np.float64
    found = [g.astype(dtype) for g in found]
    for i, g in enumerate(found):
        if not np.isfinite(g).all():
            raise ValueError(f"generators: got NaN or infinite numbers in matrix {i}, expected finite ones")
        sizes = np.abs(np.linalg.eigvals(g))
        if sizes.min() < 1e-9:
            raise ValueError(f"matrix {i} of the generators is not invertible: it has eigenvalue {sizes.min():.2g}")
        if (off := np.abs(sizes - 1).max()) > 1e-6:
            raise ValueError(
                f"matrix {i} of the generators makes an infinite group, or is given to too few digits: the modulus of an "
                f"eigenvalue differs from 1 by {off:.2g}"
            )
    return [tidy(g) for g in found]


def tidy(x: NDArray[Any]) -> NDArray[Any]:
    """Numbers within 1e-13 of a multiple of 1/2 become that, so that zeros are exact."""
    if np.iscomplexobj(x):
        return tidy(x.real) + 1j * tidy(x.imag)
    near = np.round(2 * x) / 2
    return np.where(np.abs(x - near) < 1e-13, near, x) + 0.0  # + 0.0 turns -0.0 into 0.0


def _exactly() -> Callable[[NDArray[Any]], int]:
    """Gives an integer array its number: that of the equal one seen before, or the next."""
    known: dict[bytes, int] = {}
    return lambda x: known.setdefault(x.tobytes(), len(known))


def _nearly(limit: int) -> Callable[[NDArray[Any]], int]:
    """The same for matrices, equal up to rounding. ValueError for one that no finite group holds beside the others."""
    known = np.zeros((0, 0))
    count = 0

    def find(x: NDArray[Any]) -> int:
        nonlocal known, count
        if np.abs(np.trace(x)) > len(x) + 1e-6:
            raise ValueError(
                f"generators do not close: a product of them has trace {np.trace(x):.6g}, "
                f"above its size {len(x)}, which no matrix of a finite group has"
            )
        if count == 0:
            known = np.zeros((limit + 1, x.size), dtype=x.dtype)
        distance = np.abs(known[:count] - x.ravel()).max(axis=1)
        nearest = int(distance.argmin()) if count else -1
        if count and distance[nearest] < SAME:
            return nearest
        if count and distance[nearest] < APART:
            raise ValueError(
                f"generators do not close: two products of them differ by {distance[nearest]:.1g} only; "
                "they make an infinite group, or are given to too few digits"
            )
        known[count] = x.ravel()
        count += 1
        return count - 1

    return find


def _search(
    generators: list[NDArray[Any]],
    multiply: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]],
    find: Callable[[NDArray[Any]], int],
    limit: int,
) -> Closure:
    first = generators[0]
    identity = np.arange(len(first)) if first.ndim == 1 else np.eye(len(first), dtype=first.dtype)
    elements, origin, step = [identity], [(0, 0)], []
    find(identity)
    for i, element in enumerate(elements):  # it grows while it is walked through
        row = []
        for letter, s in enumerate(generators):
            product = multiply(element, s)
            place = find(product)
            if place == len(elements):
                if place == limit:
                    raise ValueError(
                        f"generators make more than limit={limit} elements: raise the limit if the group is meant to be "
                        "larger; if it is not, they do not close"
                    )
                elements.append(product if product.ndim == 1 else tidy(product))
                origin.append((i, letter))
            row.append(place)
        step.append(row)
    parent, letter_of = np.array(origin, dtype=np.int64).T
    return Closure(np.array(elements), np.array(step, dtype=np.int64), parent, letter_of)
