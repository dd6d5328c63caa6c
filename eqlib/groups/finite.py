"""Any finite group from permutations or matrices, and three families that come from it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eqlib import doors
from eqlib.doors import typed
from eqlib.groups.closure import Index, close, tidy
from eqlib.groups.content import digest, ours
from eqlib.groups.element import Array, Element
from eqlib.groups.group import Group
from eqlib.groups.irrep import Irrep
from eqlib.groups.null_spaces import endomorphisms, intertwiners
from eqlib.groups.planar import O2
from eqlib.groups.regular_algebra import Space, canonical_matrices, conjugacy_classes, inverses, irreducible_spaces
from eqlib.groups.spatial import O3
from eqlib.groups.subgroups import decompose

LETTERS = "abcdefghijklmnopqrstuvwyz"  # no x, which stands for "times" in a rep string


@typed
class Finite(Group):
    """The finite group that permutations or matrices generate.

    An irrep's label is its real dimension and a letter: 1a is trivial, then 1b, 1c ..., 2a, 2b ... (25 letters without x, then
    aa, ab ...). Irreps of one dimension are ordered by their characters, the larger first, on the first class where they differ;
    classes are ordered by their first element, elements as they are found (see `Closure`): component k is element k.

    Real orthogonal matrices are also how the group acts on coordinates, with the harmonics of O2 (2 x 2) or O3 (3 x 3). If they
    are irreducible, they are that irrep's own matrices, and `coordinates` is the identity. Other matrices and permutations
    give no coordinates.

    Args:
        generators: permutations, each the images of 0, 1, ..., or invertible real or complex matrices, all of one size.
        name: what is printed. Default: the order and a digest of the elements.
        limit: largest order; the time goes with its cube (all irreps of order 720 take 0.2 s, of 1,920 3 s).

    Attributes:
        elements: (components, n) permutations or (components, v, v) matrices.

    Raises ValueError for generators that are no permutations or matrices, that do not close or make more than `limit` elements.

    >>> from eqlib import groups
    >>> group = groups.Finite([[1, 2, 0, 3], [1, 0, 3, 2]], name="A4")  # even permutations of four points
    >>> group.components, [(a.label, a.dim, a.endo) for a in group.irreps()]
    (12, [('1a', 1, 1), ('2a', 2, 2), ('3a', 3, 1)])
    >>> mirror = groups.Finite([[[0, 1], [1, 0]]], name="the mirror x = y")
    >>> mirror.vector, mirror.ambient
    (the mirror x = y: 1x1a+1x1b, O2)
    """

    dim = 0

    def __init__(self, generators: Sequence[Any] | NDArray[Any], name: str | None = None, limit: int = 2000) -> None:
        super().__init__()
        if not isinstance(generators, Iterable) or getattr(generators, "ndim", 1) == 0:
            raise ValueError(f"generators: got {generators!r}, expected a list of permutations or matrices")
        self._closure = close(generators, limit)
        self.elements = self._closure.elements
        self.components = len(self.elements)
        # Rounded, so that the last bit of a cosine does not make another group.
        short = hashlib.sha256(np.round(self.elements, 9).tobytes()).hexdigest()[:8]
        self.name = name or f"Finite(order {self.components}, {short})"
        self._named = name is not None

    @cached_property
    def fingerprint(self) -> str:
        """See `Group.fingerprint`; of the elements in their order, which settle the rest, where a name was chosen for them."""
        if self._named and (type(self) is Finite or not ours(type(self))):
            return digest(self.elements)
        return ""

    def find(self, elements: ArrayLike) -> Element:
        """The elements given by permutations (n, k) or matrices (n, v, v), or by one of them. ValueError for others.

        >>> from eqlib import groups
        >>> group = groups.Symmetric(3)
        >>> swap, cycle = group.find([1, 0, 2]), group.find([1, 2, 0])
        >>> np.round(group.irrep("1b")(swap * cycle))  # the sign
        array([[[-1.]]])
        """
        given = np.asarray(elements)
        if given.ndim == self.elements.ndim - 1:
            given = given[None]
        if given.shape[1:] != self.elements.shape[1:]:
            raise ValueError(f"elements: got shape {given.shape[1:]}, expected {self.elements.shape[1:]} for {self}")
        index = []
        for x in given:
            distance = np.abs(self.elements - x).reshape(self.components, -1).max(axis=1)
            index.append(int(distance.argmin()))
            if not distance[index[-1]] <= 1e-6:  # NaN is not either
                raise ValueError(f"elements: got {x.tolist()}, expected elements of {self}")
        return self.element(np.zeros((len(index), 0)), index)

    @cached_property
    def table(self) -> Index:
        """(components, components) index of element i times element j, first j, then i."""
        return self._closure.table()

    @cached_property
    def component_inverses(self) -> Index:
        return inverses(self.table)

    @property
    def generating_components(self) -> Sequence[int]:
        return [int(s) for s in dict.fromkeys(self._closure.step[0])]

    @cached_property
    def classes(self) -> list[Index]:
        """Conjugacy classes, each an ascending array of components, ordered by their first element.

        >>> from eqlib import groups
        >>> [c.tolist() for c in groups.Symmetric(3).classes]  # the identity, three exchanges, two cycles
        [[0], [1, 2, 5], [3, 4]]
        """
        return conjugacy_classes(self.table)

    @cached_property
    def character_table(self) -> NDArray[np.complex128]:
        """(n, n) characters over C of the n complex irreps on the n `classes`.

        Rows follow the labels; a real irrep of complex type gives two, conjugate to one another.

        >>> from eqlib import groups
        >>> np.round(groups.Symmetric(3).character_table.real) + 0.0
        array([[ 1.,  1.,  1.],
               [ 1., -1.,  1.],
               [ 2.,  0., -1.]])
        """
        rows: list[NDArray[Any]] = []
        first = [c[0] for c in self.classes]
        for a in self.irreps():
            trace = np.trace(a.discrete[first], axis1=1, axis2=2)
            if a.endo == 2:
                psi = (trace - 1j * np.trace(a.endomorphisms[1] @ a.discrete[first], axis1=1, axis2=2)) / 2
                rows += [psi, psi.conj()]
            else:
                rows.append(trace / (2 if a.endo == 4 else 1))
        return np.array(rows, dtype=np.complex128)

    @cached_property
    def _spaces(self) -> dict[str, Space]:
        found: dict[str, Space] = {}
        used: Counter[int] = Counter()
        for space in irreducible_spaces(self.table):
            d = space.basis.shape[1]
            used[d] += 1
            found[f"{d}{letters(used[d])}"] = space
        return found

    @cached_property
    def _solved(self) -> dict[str, tuple[Array, Array]]:
        """Matrices and endomorphisms, as far as they have been asked for."""
        return {}

    def _solve(self, label: str) -> tuple[Array, Array]:
        if label not in self._solved:
            found = canonical_matrices(self._spaces[label], self.table, self._closure)
            own = self._coordinate_matrices
            if own is not None and own.shape == found[0].shape:
                theirs = _of_generators(self, own)
                if len(intertwiners(_of_generators(self, found[0]), theirs)) == len(found[1]):
                    found = own, tidy(endomorphisms(*theirs))
            self._solved[label] = found
        return self._solved[label]

    def parse(self, label: str) -> str:
        if label not in self._spaces:
            known = list(self._spaces)
            listed = ", ".join(known if len(known) <= 12 else [*known[:5], "...", known[-1]])
            raise self.bad_label(label, f"the dimension and a letter, here {listed}")
        return label

    def labels(self) -> Iterator[str]:
        return iter(self._spaces)

    def matrices(self, label: str) -> tuple[Array, Array]:
        found = self._solve(label)[0]
        return np.zeros((0, *found.shape[1:])), found

    def endomorphism_basis(self, a: Irrep) -> Array:
        return self._solve(a.label)[1]

    def product_multiplicities(self, a: Irrep, b: Irrep) -> dict[str, int]:
        sizes = np.array([len(c) for c in self.classes])
        both = sizes * self._spaces[a.label].character * self._spaces[b.label].character
        counts = {c: round(float(both @ s.character) / (self.components * s.endo)) for c, s in self._spaces.items()}
        return {c: n for c, n in counts.items() if n}

    def clebsch_gordan_span(self, a: Irrep, b: Irrep, c: Irrep) -> Array:
        """Random tensors, averaged over the group: a few more than the space has dimensions, so they span it."""
        count = self.tensor_product(a, b).get(c, 0) * c.endo + 2
        seeds = np.random.default_rng(0).random((count * a.dim * b.dim, c.dim)) - 0.5
        total = np.zeros((count, a.dim, b.dim, c.dim))
        at_once = max(1, 4_000_000 // total.size)
        for start in range(0, self.components, at_once):
            x, y, z = (m.discrete[start : start + at_once] for m in (a, b, c))
            t = (seeds @ z.swapaxes(1, 2)).reshape(len(x), count, a.dim, b.dim * c.dim)
            t = (x[:, None] @ t).reshape(len(x), count, a.dim, b.dim, c.dim)
            total += (y[:, None, None] @ t).sum(axis=0)
        return total * np.sqrt(12) / self.components  # 1/12 is the variance of a seed: rows of order one

    @cached_property
    def _coordinate_matrices(self) -> Array | None:
        """(components, v, v) real orthogonal matrices, if the group was given by such."""
        m = self.elements
        if m.ndim != 3 or np.iscomplexobj(m) or np.abs(m @ m.swapaxes(1, 2) - np.eye(m.shape[1])).max() > 1e-10:
            return None
        return m

    @cached_property
    def _coordinate_irreps(self) -> tuple[str, Array]:
        """The rep string of the given matrices, and Q with: its components = Q x."""
        own = self._coordinate_matrices
        if own is None:
            return super().vector_rep(), np.eye(0)  # which refuses
        blocks, basis = decompose(_of_generators(self, own), self)
        text = "+".join(f"{n}x{a.label}" for n, a in blocks)
        return text, basis.T if len(blocks) > 1 else np.eye(len(basis))  # one irrep stands in these very matrices

    def vector_rep(self) -> str:
        return self._coordinate_irreps[0]

    def coordinate_map(self) -> Array:
        return self._coordinate_irreps[1]

    @property
    def ambient(self) -> Group:
        own = self._coordinate_matrices
        size = 0 if own is None else own.shape[1]
        return O2() if size == 2 else O3() if size == 3 else self


def letters(n: int) -> str:
    """The n-th of a, b, ... z, aa, ab ..., n >= 1."""
    name = ""
    while n:
        n, place = divmod(n - 1, len(LETTERS))
        name = LETTERS[place] + name
    return name


def _of_generators(group: Finite, matrices: Array) -> tuple[Array, Array]:
    """What an intertwiner of these matrices (components, d, d) has to commute with, as `Irrep.constraints`."""
    return np.zeros((0, *matrices.shape[1:])), matrices[list(group.generating_components)]


@typed
class Symmetric(Finite):
    """S_n, all permutations of n points, 1 <= n <= 6, by exchanges of neighbours; irreps in Young's orthogonal form.

    >>> [(a.label, a.dim) for a in Symmetric(4).irreps()]
    [('1a', 1), ('1b', 1), ('2a', 2), ('3a', 3), ('3b', 3)]
    """

    def __init__(self, n: int) -> None:
        n = doors.count("n of Symmetric(n)", n, 1, 6)
        swaps = [[*range(i), i + 1, i, *range(i + 2, n)] for i in range(n - 1)]
        super().__init__(swaps or [[0]], name=f"Symmetric({n})")


@typed
class Octahedral(Finite):
    """The 24 rotations of the cube with faces along x, y, z; with inversion its 48 symmetries, O_h.

    >>> Octahedral().components, Octahedral(inversion=True).components, Octahedral().vector
    (24, 48, Octahedral: 1x3a)
    """

    def __init__(self, inversion: bool = False) -> None:
        quarter_x = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
        quarter_z = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
        generators = [quarter_z, quarter_x]
        if inversion:
            generators.append(-np.eye(3))
        super().__init__(generators, name="Octahedral(inversion=True)" if inversion else "Octahedral")


@typed
class Icosahedral(Finite):
    """The 60 rotations of the icosahedron with corners (0, +-1, +-phi) and cyclic; with inversion its 120 symmetries, I_h.

    >>> Icosahedral().tensor_product("3a", "3a")
    {Icosahedral:1a: 1, Icosahedral:3a: 1, Icosahedral:5a: 1}
    """

    def __init__(self, inversion: bool = False) -> None:
        phi = (1 + np.sqrt(5)) / 2
        cycle = np.roll(np.eye(3), 1, axis=0)
        fifth = np.array([[phi - 1, -phi, 1], [phi, 1, phi - 1], [-1, phi - 1, phi]]) / 2  # about (0, 1, phi)
        generators = [fifth, cycle]
        if inversion:
            generators.append(-np.eye(3))
        super().__init__(generators, name="Icosahedral(inversion=True)" if inversion else "Icosahedral")
