"""SO3 and O3 in e3nn's basis: `1o` is (x, y, z), higher l run m = -l ... l about the polar axis y."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count
from math import factorial, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eqlib import doors
from eqlib.groups.element import Array, Element
from eqlib.groups.group import Group
from eqlib.groups.irrep import Irrep
from eqlib.groups.planar import check_orthogonal

MOST_ENTRIES = 2**24  # of a Clebsch-Gordan tensor; its integers would take minutes


def spin_matrices(twice_j: int) -> NDArray[np.complex128]:
    """(3, d, d) hermitian J_x, J_y, J_z of spin twice_j / 2, in the basis m = j ... -j (Condon and Shortley)."""
    j = twice_j / 2
    m = j - np.arange(twice_j + 1)
    plus = np.diag(np.sqrt(j * (j + 1) - m[1:] * (m[1:] + 1)), 1).astype(complex)
    return np.array([(plus + plus.T) / 2, (plus - plus.T) / 2j, np.diag(m)])


@lru_cache(maxsize=4096)
def su2_clebsch_gordan(j1: int, j2: int, j3: int) -> Array:
    """<j1 m1 j2 m2 | j3 m3> for twice the spins, (j1+1, j2+1, j3+1), m falling; Racah's formula in exact integers.

    Racah, Phys. Rev. 62, 438 (1942), Eq. 16.
    """
    doors.affordable("Clebsch-Gordan tensor", (j1 + 1) * (j2 + 1) * (j3 + 1), most=MOST_ENTRIES)
    out = np.zeros((j1 + 1, j2 + 1, j3 + 1))
    if (j1 + j2 + j3) % 2 or not abs(j1 - j2) <= j3 <= j1 + j2:
        return out
    if j1 < j2:
        return (-1) ** ((j1 + j2 - j3) // 2) * su2_clebsch_gordan(j2, j1, j3).swapaxes(0, 1)
    f = [factorial(n) for n in range((j1 + j2 + j3) // 2 + 2)].__getitem__
    a, b, c = (j1 + j2 - j3) // 2, (j1 - j2 + j3) // 2, (-j1 + j2 + j3) // 2
    front = (j3 + 1) * f(a) * f(b) * f(c)
    below = f((j1 + j2 + j3) // 2 + 1)
    for s in range(j1 + 1):
        for t in range(j2 + 1):
            p1, p2 = j1 - s, j2 - t  # j + m; s and t are j - m
            u = (j3 - (j1 - 2 * s) - (j2 - 2 * t)) // 2  # j3 - m3
            if not 0 <= u <= j3 or (s, t) > (j1 - s, j2 - t):  # the other half has m reversed
                continue
            total, common = 0, f(a) * f(s) * f(p2) * f(j1) * f(j2)  # a common denominator keeps the sum an integer
            lowest, highest = max(0, s - b, p2 - c), min(a, s, p2)
            for k in range(lowest, highest + 1):
                den = f(k) * f(a - k) * f(s - k) * f(p2 - k) * f(b - s + k) * f(c - p2 + k)
                total += (-1) ** k * (common * f(b) * f(c) // den)
            square = front * f(p1) * f(s) * f(p2) * f(t) * f(j3 - u) * f(u)
            # One quotient of integers: each of several could leave the range of floats.
            size = sqrt(total**2 * square / ((common * f(b) * f(c)) ** 2 * below))
            out[s, t, u] = size if total > 0 else -size
            out[j1 - s, j2 - t, j3 - u] = (-1) ** a * out[s, t, u]
    return out


@lru_cache(maxsize=256)
def real_basis(l: int) -> NDArray[np.complex128]:
    """Unitary (2l+1, 2l+1), real components (m = -l ... l) from a ket's (m = l ... -l), times (-i)^l.

    Kets move like conj(Y_lm), hence the sign of the imaginary rows. The phase makes Clebsch-Gordan tensors real for every l.
    """
    q = np.zeros((2 * l + 1, 2 * l + 1), dtype=complex)
    q[l, l] = 1.0
    for m in range(1, l + 1):
        sign = (-1) ** m
        q[l + m, l - m], q[l + m, l + m] = sign / sqrt(2), 1 / sqrt(2)
        q[l - m, l - m], q[l - m, l + m] = 1j * sign / sqrt(2), -1j / sqrt(2)
    return (-1j) ** l * q


def rotation_generators(l: int) -> Array:
    """(3, 2l+1, 2l+1) generators about x, y, z in the real basis."""
    q = real_basis(l)
    about = (q @ (-1j * spin_matrices(2 * l)) @ q.conj().T).real
    # The harmonics' usual axes (x, y, z) are called (z, x, y) here, so that l = 1 reads (x, y, z).
    return about[[1, 2, 0]]


@lru_cache(maxsize=4096)
def real_clebsch_gordan(l1: int, l2: int, l3: int) -> Array:
    """sqrt(2 l3 + 1) * wigner_3j in the real basis, sign included, (2 l1 + 1, 2 l2 + 1, 2 l3 + 1)."""
    c = su2_clebsch_gordan(2 * l1, 2 * l2, 2 * l3)
    half = np.tensordot(real_basis(l1), c, 1) @ real_basis(l3).conj().T  # (i, b, k)
    return np.matmul(real_basis(l2), half).real


class SO3(Group):
    """Rotations of space. Irreps 0 1 2 ... of dimension 2l + 1, all of real type.

    >>> from eqlib import groups
    >>> group = groups.SO3()
    >>> group.tensor_product("1", "2")
    {SO3:1: 1, SO3:2: 1, SO3:3: 1}
    >>> quarter = group.element([0, 0, np.pi / 2])  # about z, in radians
    >>> np.round(group.irrep("1")(quarter) @ [1.0, 0.0, 0.0]) + 0.0
    array([[0., 1., 0.]])
    """

    name, dim = "SO3", 3
    axis = np.array([0.0, 1.0, 0.0])
    alignment = (1, 0)  # away from the polar axis about x, then about it
    fixes_signs = True

    def parse(self, label: str) -> str:
        if not label.isdecimal():
            raise self.bad_label(label, "0, 1, 2, ...")
        return str(int(label))

    def labels(self) -> Iterator[str]:
        return (str(l) for l in count())

    def matrices(self, label: str) -> tuple[Array, Array]:
        generators = rotation_generators(int(label))
        return generators, np.eye(generators.shape[-1])[None]

    def dimension_of(self, label: str) -> int:
        return 2 * int(label.rstrip("eo")) + 1

    def endo_of(self, label: str) -> int:
        return 1

    @property
    def generating(self) -> Sequence[int]:
        return 0, 1  # turns about two axes

    def vector_rep(self) -> str:
        return "1"

    def harmonic(self, degree: int) -> str:
        return str(degree)

    def endomorphism_basis(self, a: Irrep) -> Array:
        return np.eye(a.dim)[None]

    def product_multiplicities(self, a: Irrep, b: Irrep) -> dict[str, int]:
        m, n = int(a.label), int(b.label)
        return {str(l): 1 for l in range(abs(m - n), m + n + 1)}

    def clebsch_gordan_span(self, a: Irrep, b: Irrep, c: Irrep) -> Array:
        return real_clebsch_gordan(*(x.dim // 2 for x in (a, b, c)))[None]

    def element_of(self, matrices: Array) -> Element:
        check_orthogonal(self, matrices, proper=True)
        return self.element(Rotation.from_matrix(matrices).as_rotvec())


class O3(SO3):
    """Rotations and reflections of space. Irreps 0e 0o 1e 1o ...; component 1 is x -> -x, odd irreps change sign.

    >>> from eqlib import groups
    >>> group = groups.O3()
    >>> rep = group.rep("8x0e + 4x1o + 2e")  # eight scalars, four vectors, a traceless symmetric tensor
    >>> rep.dim
    25
    >>> group.tensor_product("1o", "1e")
    {O3:0o: 1, O3:1o: 1, O3:2o: 1}
    """

    name, dim, components = "O3", 3, 2

    def parse(self, label: str) -> str:
        match = re.fullmatch(r"(\d+)([eo])", label)
        if match is None:
            raise self.bad_label(label, "0e, 0o, 1e, 1o, ... (l and the parity)")
        return f"{int(match[1])}{match[2]}"

    def labels(self) -> Iterator[str]:
        return (f"{l}{p}" for l in count() for p in "eo")

    def matrices(self, label: str) -> tuple[Array, Array]:
        generators = rotation_generators(int(label[:-1]))
        one = np.eye(generators.shape[-1])
        return generators, np.array([one, one if label[-1] == "e" else -one])

    def vector_rep(self) -> str:
        return "1o"

    def harmonic(self, degree: int) -> str:
        return f"{degree}{'eo'[degree % 2]}"

    def product_multiplicities(self, a: Irrep, b: Irrep) -> dict[str, int]:
        m, n = a.dim // 2, b.dim // 2
        parity = "e" if a.label[-1] == b.label[-1] else "o"
        return {f"{l}{parity}": 1 for l in range(abs(m - n), m + n + 1)}

    def element_of(self, matrices: Array) -> Element:
        check_orthogonal(self, matrices)
        sign = np.sign(np.linalg.det(matrices))
        rotvec = Rotation.from_matrix(sign[:, None, None] * matrices).as_rotvec()
        return self.element(rotvec, (sign < 0).astype(np.int64))
