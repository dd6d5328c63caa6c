"""Every compact simple Lie group, from its type: Simple("E8"), and the names SU, Spin, Sp, G2, F4, E6, E7, E8.

Labels are Dynkin labels in Bourbaki's order. Generators are (e - f)/s and i(e + f)/s for each positive root, then ih for an
orthonormal basis of the Cartan subalgebra, scaled so that the longest roots have length 1: for SU(n) these are i T_a with
tr(T_a T_b) = delta_ab / 2.
A complex or quaternionic irrep V stands as (Re v, Im v).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from heapq import heappop, heappush
from typing import TypeAlias

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from eqlib import doors
from eqlib.doors import typed
from eqlib.groups.clebsch_gordan import Compressed, compressed
from eqlib.groups.element import Array
from eqlib.groups.group import Group
from eqlib.groups.highest import beside, mirror, module_product
from eqlib.groups.irrep import Irrep
from eqlib.groups.modules import Sparse, clean, compact_generators, module
from eqlib.groups.null_spaces import canonical
from eqlib.groups.roots import Weight, root_system, text

Constituent: TypeAlias = tuple[Weight, Sparse]


class Simple(Group):
    """The simply connected compact simple group of a type A1.., B2.., C2.., D3.., E6, E7, E8, F4 or G2.

    >>> from eqlib import groups
    >>> group = groups.Simple("A2")
    >>> group.dim, [(a.label, a.dim, a.endo) for a, _ in zip(group.irreps(), range(3))]
    (8, [('(0,0)', 1, 1), ('(1,0)', 6, 2), ('(1,1)', 8, 1)])
    >>> group == groups.SU(3)
    True
    """

    def __init__(self, type_: str) -> None:
        super().__init__()
        self.system = root_system(type_ if isinstance(type_, str) else repr(type_))
        self.name = type_
        self.dim = 2 * len(self.system.roots) + self.system.rank
        if (vector := self._vector()) is not None:
            self.axis = np.eye(self.dimension_of(vector))[-1]

    def parse(self, label: str) -> str:
        weight = self.system.check(label)
        return text(max(weight, self.system.dual(weight)))

    def labels(self) -> Iterator[str]:
        waiting: list[tuple[int, int, Weight]] = []
        for order, weight in enumerate(self.system.labels()):
            complex_dim = self.system.dimension(weight)
            while waiting and waiting[0][0] < complex_dim:
                yield text(heappop(waiting)[2])
            if weight >= self.system.dual(weight):
                heappush(waiting, (self.dimension_of(text(weight)), order, weight))

    def dimension_of(self, label: str) -> int:
        weight = self.system.check(label)
        return self.system.dimension(weight) * (1 if self.system.indicator(weight) == 1 else 2)

    @cached_property
    def noncompact_directions(self) -> NDArray[np.bool_]:
        return np.zeros(self.dim, dtype=bool)

    @property
    def generating(self) -> Sequence[int]:
        """The real and imaginary parts of the simple root vectors generate the algebra."""
        rank, count = self.system.rank, len(self.system.roots)
        return [*range(rank), *range(count, count + rank)]

    # Coordinates, where the sphere has one harmonic a degree: the vector of Spin(n), the 7 of G2 -------------------

    def _vector(self) -> str | None:
        letter, rank = self.system.type[0], self.system.rank
        if self.system.type == "A1":
            return "(2)"
        return text((1, *[0] * (rank - 1))) if letter in "BDG" else None

    def vector_rep(self) -> str:
        return self._vector() or super().vector_rep()

    def harmonic(self, degree: int) -> str:
        if (vector := self._vector()) is None:
            return super().harmonic(degree)
        return text(tuple(degree * x for x in self.system.check(vector)))

    # Matrices ------------------------------------------------------------------------------------------------------

    def sparse(self, label: str, which: Sequence[int] | None = None) -> list[Sparse]:
        weight = self.system.check(label)
        v, rank = module(self.system.type, weight), self.system.rank
        basis = self._constituents(label)[0][1] if self.system.indicator(weight) == 1 else None
        values = np.repeat(v.weights * self.system.halves, v.counts, axis=0).astype(np.float64)
        diagonal = [scipy.sparse.diags_array(column) for column in values.T]
        which = range(self.dim) if which is None else which
        simple = all(n % len(self.system.roots) < rank and n < 2 * len(self.system.roots) for n in which)
        found = compact_generators(self.system, v.simple if simple else v.lower, diagonal, which)
        return [_antisymmetric(_realified(x) if basis is None else basis.conj().T @ x @ basis) for x in found]

    def matrices(self, label: str) -> tuple[Array, Array]:
        generators = self.sparse(label)
        dense = np.zeros((self.dim, *generators[0].shape))
        for x, out in zip(generators, dense, strict=True):
            out[:] = x.toarray()
        return dense, np.eye(dense.shape[-1])[None]

    def endo_of(self, label: str) -> int:
        return {1: 1, 0: 2, -1: 4}[self.system.indicator(self.system.check(label))]

    def endomorphism_basis(self, a: Irrep) -> Array:
        endo, half = self.endo_of(a.label), a.dim // 2
        if endo == 1:
            return np.eye(a.dim)[None]
        i = np.kron([[0.0, -1.0], [1.0, 0.0]], np.eye(half))
        if endo == 2:
            return np.array([np.eye(a.dim), i])
        j = np.kron(np.diag([1.0, -1.0]), mirror_of(self.system.type, self.system.check(a.label)).toarray())
        return np.array([np.eye(a.dim), i, j, i @ j])

    @cache  # noqa: B019  equal groups share it
    def _constituents(self, label: str) -> list[Constituent]:
        """Irreps of the complexification: (highest weight, map from real components to its weight basis)."""
        weight = self.system.check(label)
        type_, indicator = self.system.type, self.system.indicator(weight)
        if indicator == 1:
            return [(weight, _real_basis(type_, weight))]
        one = scipy.sparse.eye_array(self.system.dimension(weight), format="csr")
        basis = Sparse(scipy.sparse.hstack([one, 1j * one]))
        if indicator == -1:
            return [(weight, basis), (weight, Sparse(mirror_of(type_, weight) @ basis.conj()))]
        other = module(type_, self.system.dual(weight))
        return [(weight, basis), (other.label, Sparse(other.turned(module(type_, weight)) @ basis.conj()))]

    # Products ------------------------------------------------------------------------------------------------------

    def product_multiplicities(self, a: Irrep, b: Irrep) -> dict[str, int]:
        found: dict[Weight, int] = {}
        for left in self._weights(a.label):
            for right in self._weights(b.label):
                for c, n in self.system.tensor_product(left, right).items():
                    found[c] = found.get(c, 0) + n
        primary = {c: n for c, n in found.items() if c >= self.system.dual(c)}
        return {text(c): n // 2 if self.system.indicator(c) == -1 else n for c, n in primary.items()}

    def _weights(self, label: str) -> list[Weight]:
        weight = self.system.check(label)
        return [weight] if self.system.indicator(weight) == 1 else [weight, self.system.dual(weight)]

    def clebsch_gordan_span(self, a: Irrep, b: Irrep, c: Irrep) -> Compressed:
        """Maps from the constituents of a and b to c's first one; c's reality takes their real and imaginary parts."""
        if (b.dim, b.label) < (a.dim, a.label):  # one product serves both orders
            other = self.clebsch_gordan(b, a, c)
            k, j, i, m = other.indices.T
            flat = np.ravel_multi_index((i, j, m), (a.dim, b.dim, c.dim))
            where = np.unique(flat)
            rows = np.zeros((other.shape[0], len(where)))
            rows[k, np.searchsorted(where, flat)] = other.values
            return where, rows
        weight, basis = self._constituents(c.label)[0]
        target = module(self.system.type, weight)
        real = self.endo_of(c.label) == 1
        lefts, rights = self._constituents(a.label), self._constituents(b.label)
        if real and len(lefts) > 1:
            lefts = lefts[:1]  # the other half is the complex conjugate
        elif real and len(rights) > 1:
            rights = rights[:1]
        found = []
        for left, p in lefts:
            for right, q in rights:
                both = module_product(self.system.type, left, right)
                for t in both.intertwiners(target):
                    tau = both.change(p, q, t)
                    parts = [tau @ basis.conj()] if real else [beside([tau, -1j * tau])]
                    found += [x for y in parts for x in (y.real, y.imag)]
                both.release()
        return compressed(found)


@typed
def SU(n: int) -> Simple:
    """Special unitary group, type A_(n-1).

    >>> SU(3).tensor_product("(1,0)", "(1,0)")  # (3 + conjugate) x (3 + conjugate), over R
    {A2:(0,0): 2, A2:(1,0): 1, A2:(1,1): 2, A2:(2,0): 1}
    """
    return Simple(f"A{_size('SU', n, 2) - 1}")


@typed
def Spin(n: int) -> Simple:
    """The double cover of SO(n): A1, A1 x A1 (not simple), B_((n-1)/2), D_(n/2). Spin(6) has D3's labels.

    >>> Spin(7), Spin(7).vector.dim, Spin(7).irrep("(0,0,1)").dim  # a vector and a spinor
    (B3, 7, 8)
    """
    if n == 4:
        raise ValueError("Spin(4) is not simple: it is SU(2) x SU(2), groups.Product(groups.SU(2), groups.SU(2))")
    n = _size("Spin", n, 3)
    return Simple("A1" if n == 3 else f"{'B' if n % 2 else 'D'}{n // 2}")


@typed
def Sp(n: int) -> Simple:
    """The compact symplectic group of quaternionic n/2 x n/2 matrices, n even, type C_(n/2).

    >>> Sp(4).dim, Sp(4).irrep("(1,0)").endo
    (10, 4)
    """
    if _size("Sp", n, 2) % 2:
        raise ValueError(f"n of Sp(n): got {n}, expected an even one")
    return Simple("A1" if n == 2 else f"C{n // 2}")


def G2() -> Simple:
    """Automorphisms of the octonions, dimension 14; (1,0) is the 7.

    >>> G2().tensor_product("(1,0)", "(1,0)")  # 7 x 7 = 1 + 7 + 14 + 27
    {G2:(0,0): 1, G2:(1,0): 1, G2:(0,1): 1, G2:(2,0): 1}
    """
    return Simple("G2")


def F4() -> Simple:
    """Dimension 52; (0,0,0,1) is the 26.

    >>> F4().dim, F4().irrep("(0,0,0,1)").dim
    (52, 26)
    """
    return Simple("F4")


def E6() -> Simple:
    """Dimension 78; (1,0,0,0,0,0) is the 27, of complex type.

    >>> E6().irrep("(1,0,0,0,0,0)").dim, E6().irrep("(1,0,0,0,0,0)").endo  # 27 complex components
    (54, 2)
    """
    return Simple("E6")


def E7() -> Simple:
    """Dimension 133; (0,0,0,0,0,0,1) is the 56, of quaternionic type.

    >>> E7().irrep("(0,0,0,0,0,0,1)").dim, E7().irrep("(0,0,0,0,0,0,1)").endo  # 28 quaternions
    (112, 4)
    """
    return Simple("E7")


def E8() -> Simple:
    """Dimension 248; (0,0,0,0,0,0,0,1) is the adjoint irrep, the smallest.

    >>> adjoint = E8().irrep("(0,0,0,0,0,0,0,1)")
    >>> [a.dim for a in E8().tensor_product(adjoint, adjoint)]
    [1, 248, 3875, 27000, 30380]
    """
    return Simple("E8")


@cache
def mirror_of(type_: str, weight: Weight) -> Sparse:
    """`highest.mirror` of a module, made once a process."""
    return mirror(module(type_, weight))


@cache
def _real_basis(type_: str, weight: Weight) -> Sparse:
    """Unitary P with v = P x for real components x: (u + Tu) / sqrt 2 and i(u - Tu) / sqrt 2 for u of weight mu, Tu of -mu."""
    v, t = module(type_, weight), mirror_of(type_, weight)
    opposite = np.array([v.index[tuple(-w)] for w in v.weights])
    places = [np.arange(i, j) for i, j in zip(v.offsets[:-1], v.offsets[1:], strict=True)]
    upper = [places[i] for i in np.flatnonzero(np.arange(len(opposite)) < opposite)]
    columns = []
    if upper:
        take = np.concatenate(upper)
        one = scipy.sparse.eye_array(v.dim, format="csr")[:, take]
        both = scipy.sparse.hstack(
            [(one + t[:, take]) / np.sqrt(2), 1j * (one - t[:, take]) / np.sqrt(2)], format="csc"
        )
        columns.append(both[:, np.arange(2 * len(take)).reshape(2, -1).T.ravel()])
    for i in np.flatnonzero(np.arange(len(opposite)) == opposite):
        block = t[places[i]][:, places[i]].toarray()
        for sign, factor in ((1, 1.0), (-1, 1j)):
            values, vectors = np.linalg.eigh((block + block.T) / 2)
            basis = (
                canonical(vectors[:, values * sign > 0].T).T if (values * sign > 0).any() else np.zeros((len(block), 0))
            )
            full = scipy.sparse.csc_array((v.dim, basis.shape[1]), dtype=complex).tolil()
            full[places[i]] = factor * basis
            columns.append(full.tocsc())
    return clean(Sparse(scipy.sparse.hstack(columns)))


def _realified(x: Sparse) -> Sparse:
    return Sparse(scipy.sparse.block_array([[x.real, -x.imag], [x.imag, x.real]]))


def _antisymmetric(x: Sparse) -> Sparse:
    """Exactly so, without the entries that are zero but for rounding."""
    x = clean(Sparse(x.real))
    return Sparse((x - x.T) / 2)


def _size(name: str, n: int, least: int) -> int:
    return doors.count(f"n of {name}(n)", n, least)
