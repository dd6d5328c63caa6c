"""Groups of the plane in closed form: Cyclic, Dihedral, SO2, O2.

An irrep m >= 1 is (cos m phi, sin m phi); the reflection is y -> -y. C_n and D_n fold the frequencies of SO(2) and O(2).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np

from eqlib import doors
from eqlib.doors import typed
from eqlib.groups.element import Array, Element
from eqlib.groups.group import Group
from eqlib.groups.irrep import Irrep

MOST = 100_000  # turns of a cyclic group
FLIP = np.diag([1.0, -1.0])


def turn(angle: float | Array) -> Array:
    """(..., 2, 2) rotation by an angle in radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)


def _exact(angle_fraction: Array, frequency: int) -> Array:
    """Rotations by 2 pi * frequency * fraction, with exact zeros and ones at quarter turns."""
    matrices = turn(2 * np.pi * (frequency * angle_fraction % 1.0))
    return np.where(np.abs(matrices - np.round(matrices)) < 1e-14, np.round(matrices), matrices)


class _Planar(Group):
    """What the four have in common: frequencies."""

    grammar: str

    def _number(self, label: str, top: float) -> int:
        if not label.isdecimal() or int(label) > top:
            raise self.bad_label(label, self.grammar)
        return int(label)

    def endomorphism_basis(self, a: Irrep) -> Array:
        matrices = np.array([np.eye(a.dim), turn(np.pi / 2).round()]) if a.dim == 2 else np.ones((1, 1, 1))
        reflected = a.dim == 2 and (np.linalg.det(a.discrete) < 0).any()
        return matrices[: 1 if reflected or a.dim == 1 else 2]

    @property
    def ambient(self) -> Group:
        return O2()


@typed
class Cyclic(_Planar):
    """C_n: rotations of the plane by multiples of 2 pi / n. Irreps 0 ... n//2; component k is k turns.

    >>> from eqlib import groups
    >>> group = groups.Cyclic(4)
    >>> [(a.label, a.dim) for a in group.irreps()]
    [('0', 1), ('2', 1), ('1', 2)]
    >>> group.irrep("1").discrete[1]  # a quarter turn
    array([[ 0., -1.],
           [ 1.,  0.]])
    """

    def __init__(self, n: int) -> None:
        n = doors.count("n of Cyclic(n)", n, 1, MOST)
        super().__init__()
        self.n, self.name, self.dim, self.components = n, f"Cyclic({n})", 0, n
        self.grammar = f"the frequencies 0 ... {n // 2}"

    def parse(self, label: str) -> str:
        return str(self._number(label, self.n // 2))

    def labels(self) -> Iterator[str]:
        one = ["0"] + ([str(self.n // 2)] if self.n % 2 == 0 else [])
        yield from one
        yield from (str(m) for m in range(1, (self.n + 1) // 2))

    def matrices(self, label: str) -> tuple[Array, Array]:
        m = int(label)
        rotations = _exact(np.arange(self.n) / self.n, m)
        d = 1 if 2 * m in (0, self.n) else 2
        return np.zeros((0, d, d)), rotations[:, :d, :d]

    def vector_rep(self) -> str:
        return {1: "2x0", 2: "2x1"}.get(self.n, "1")


@typed
class Dihedral(_Planar):
    """D_n: C_n and n reflections. Irreps 0e 0o 1 ..., for even n also {n/2}e {n/2}o; component k + n s is r^k f^s.

    >>> from eqlib import groups
    >>> list(groups.Dihedral(4).labels())
    ['0e', '0o', '2e', '2o', '1']
    >>> groups.restrict(groups.O2().rep("2"), groups.Dihedral(4))[0]  # a frequency that splits
    Dihedral(4): 1x2e+1x2o
    """

    def __init__(self, n: int) -> None:
        n = doors.count("n of Dihedral(n)", n, 1, MOST)
        super().__init__()
        self.n, self.name, self.dim, self.components = n, f"Dihedral({n})", 0, 2 * n
        half = f", {n // 2}e, {n // 2}o" if n % 2 == 0 else ""
        self.grammar = f"0e, 0o{half} and the frequencies m with 1 <= m < {n}/2"

    def parse(self, label: str) -> str:
        if label in self._one_dimensional():
            return label
        m = self._number(label, (self.n - 1) // 2)
        if m == 0:
            raise self.bad_label(label, self.grammar)
        return str(m)

    def _one_dimensional(self) -> list[str]:
        return ["0e", "0o"] + ([f"{self.n // 2}e", f"{self.n // 2}o"] if self.n % 2 == 0 else [])

    def labels(self) -> Iterator[str]:
        yield from self._one_dimensional()
        yield from (str(m) for m in range(1, (self.n + 1) // 2))

    def matrices(self, label: str) -> tuple[Array, Array]:
        rotations = _exact(np.arange(self.n) / self.n, int(label.rstrip("eo")))
        reflection = FLIP
        if label[-1] in "eo":
            rotations = rotations[:, :1, :1]
            reflection = np.array([[1.0 if label[-1] == "e" else -1.0]])
        d = len(reflection)
        return np.zeros((0, d, d)), np.concatenate([rotations, rotations @ reflection])

    def vector_rep(self) -> str:
        return {1: "0e+0o", 2: "1e+1o"}.get(self.n, "1")


class SO2(_Planar):
    """Rotations of the plane. Irreps 0 1 2 ...; m >= 1 is of complex type.

    >>> from eqlib import groups
    >>> group = groups.SO2()
    >>> group.tensor_product("1", "2")
    {SO2:1: 1, SO2:3: 1}
    >>> group.irrep("2").generators
    array([[[ 0., -2.],
            [ 2.,  0.]]])
    """

    name, dim = "SO2", 1
    alignment = (0,)
    grammar = "the frequencies 0, 1, 2, ..."

    def parse(self, label: str) -> str:
        return str(self._number(label, np.inf))

    def labels(self) -> Iterator[str]:
        return (str(m) for m in count())

    def matrices(self, label: str) -> tuple[Array, Array]:
        m = int(label)
        d = 2 if m else 1
        return m * turn(np.pi / 2).round()[None, :d, :d], np.eye(d)[None]

    def vector_rep(self) -> str:
        return "1"

    def product_multiplicities(self, a: Irrep, b: Irrep) -> dict[str, int]:
        m, n = int(a.label), int(b.label)
        if 0 in (m, n):
            return {str(m + n): 1}
        return {"0": 2, str(m + n): 1} if m == n else {str(abs(m - n)): 1, str(m + n): 1}

    def element_of(self, matrices: Array) -> Element:
        check_orthogonal(self, matrices, proper=True)
        return self.element(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])[:, None])


class O2(_Planar):
    """Rotations and reflections of the plane. Irreps 0e 0o 1 2 ...; component 1 is y -> -y.

    >>> from eqlib import groups
    >>> groups.O2().tensor_product("1", "1")
    {O2:0e: 1, O2:0o: 1, O2:2: 1}
    >>> groups.restrict(groups.O2().rep("0o + 1"), groups.SO2())[0]
    SO2: 1x0+1x1
    """

    name, dim, components = "O2", 1, 2
    grammar = "0e, 0o and the frequencies 1, 2, ..."
    axis = np.array([1.0, 0.0])
    alignment = (0,)

    def parse(self, label: str) -> str:
        if label in ("0e", "0o"):
            return label
        if self._number(label, np.inf) == 0:
            raise self.bad_label(label, self.grammar)
        return str(int(label))

    def labels(self) -> Iterator[str]:
        yield from ("0e", "0o")
        yield from (str(m) for m in count(1))

    def matrices(self, label: str) -> tuple[Array, Array]:
        if label[-1] in "eo":
            return np.zeros((1, 1, 1)), np.array([[[1.0]], [[1.0 if label == "0e" else -1.0]]])
        return int(label) * turn(np.pi / 2).round()[None], np.array([np.eye(2), FLIP])

    def vector_rep(self) -> str:
        return "1"

    def harmonic(self, degree: int) -> str:
        return str(degree) if degree else "0e"

    def product_multiplicities(self, a: Irrep, b: Irrep) -> dict[str, int]:
        m, n = (int(x.label.rstrip("eo")) for x in (a, b))
        if m == n == 0:
            return {"0e" if a == b else "0o": 1}
        if 0 in (m, n):
            return {str(m + n): 1}
        return {"0e": 1, "0o": 1, str(m + n): 1} if m == n else {str(abs(m - n)): 1, str(m + n): 1}

    def element_of(self, matrices: Array) -> Element:
        check_orthogonal(self, matrices)
        flipped = np.linalg.det(matrices) < 0
        # h e^X: the reflection comes first in the product, so it is taken off before the angle is read.
        rotation = np.where(flipped[:, None, None], FLIP @ matrices, matrices)
        return self.element(np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0])[:, None], flipped.astype(np.int64))


def check_orthogonal(group: Group, matrices: Array, proper: bool = False) -> None:
    """ValueError unless the matrices are orthogonal, with determinant +1 where asked."""
    size = matrices.shape[-1]
    if (worst := np.abs(np.swapaxes(matrices, 1, 2) @ matrices - np.eye(size)).max(initial=0.0)) > 1e-5:
        raise ValueError(f"matrix of {group} must be orthogonal: R^T R differs from 1 by {worst:.2g}")
    if proper and (np.linalg.det(matrices) < 0).any():
        raise ValueError(f"matrix of {group} must have determinant +1, got -1: a reflection is not in {group}")
