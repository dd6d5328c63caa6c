"""Elements of a group: products of factors h * exp(theta . X)."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from eqlib.groups.content import title

Array = NDArray[np.float64]
ENTRIES = 200_000  # of the matrices that are exponentiated at a time


class Element:
    """n group elements, each a product of factors h * exp(theta . X): `factors` is ((component (n,), theta (n, dim)), ...).

    >>> from eqlib import groups
    >>> group = groups.SO3()
    >>> g = group.element([[0, 0, 0.3], [0, 0, 0.4]])  # two turns about z, in radians
    >>> g
    2 element(s) of SO3, 1 factor(s)
    >>> np.allclose(group.matrix(g[0] * g[1]), group.matrix(group.element([0, 0, 0.7])))
    True
    >>> np.allclose(group.matrix(g * g.inverse()), np.eye(3))
    True
    """

    def __init__(self, group: Any, factors: tuple[tuple[NDArray[np.int64], Array], ...]) -> None:
        self.group, self.factors = group, factors

    def __len__(self) -> int:
        return len(self.factors[0][0])

    def __repr__(self) -> str:
        return f"{len(self)} element(s) of {self.group}, {len(self.factors)} factor(s)"

    def __getitem__(self, index: Any) -> Element:
        index = [index] if isinstance(index, int | np.integer) else index
        return Element(self.group, tuple((c[index], t[index]) for c, t in self.factors))

    def __mul__(self, other: Element) -> Element:
        """Group product, first `other` then `self`; lengths must agree or one of them be 1."""
        if not isinstance(other, Element):
            return NotImplemented
        if other.group != self.group:
            raise ValueError(f"cannot multiply an element of {self.group} by one of {title(other.group, self.group)}")
        n, m = len(self), len(other)
        if n != m and 1 not in (n, m):
            raise ValueError(f"cannot multiply {n} elements by {m}")
        size = m if n == 1 else n
        spread = [
            (np.broadcast_to(c, size), np.broadcast_to(t, (size, self.group.dim)))
            for c, t in self.factors + other.factors
        ]
        return Element(self.group, tuple(spread))

    def inverse(self) -> Element:
        """The inverse: (h e^X)^-1 = e^-X h^-1, factor by factor."""
        factors: list[tuple[NDArray[np.int64], Array]] = []
        for component, theta in reversed(self.factors):
            if self.group.dim:
                factors.append((np.zeros_like(component), -theta))
            factors.append((self.group.component_inverses[component], np.zeros_like(theta)))
        return Element(self.group, tuple(factors))


def no_element(g: object) -> ValueError:
    """The error of a rep that is called with a matrix, as others take it, in place of an element."""
    what = "an array" if isinstance(g, np.ndarray) else type(g).__name__
    return ValueError(f"g: got {what}, expected an Element: G.from_matrix(R)")


def exponential(x: Array) -> Array:
    """exp of real matrices (n, d, d); to the last digits where all are symmetric or all antisymmetric.

    Pade's approximation loses a digit for each squaring, so large turns would drift off the group.
    """
    way = scipy.linalg.expm
    if np.array_equal(x, x.swapaxes(1, 2)):
        way = _of_symmetric
    elif np.array_equal(x, -x.swapaxes(1, 2)):
        way = _of_antisymmetric
    # A few at a time: on the way some ten complex arrays are as large as those given.
    return np.concatenate([way(piece) for piece in np.array_split(x, max(1, x.size // ENTRIES))])


def _of_symmetric(x: Array) -> Array:
    values, vectors = np.linalg.eigh(x)
    return (vectors * np.exp(values)[:, None, :]) @ vectors.swapaxes(1, 2)


def _of_antisymmetric(x: Array) -> Array:
    values, vectors = np.linalg.eigh(1j * x)
    return ((vectors * np.exp(-1j * values)[:, None, :]) @ vectors.conj().swapaxes(1, 2)).real
