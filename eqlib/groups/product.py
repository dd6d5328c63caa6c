"""The direct product of two groups of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from eqlib import doors
from eqlib.groups.closure import tidy
from eqlib.groups.content import digest, title
from eqlib.groups.element import Array, Element
from eqlib.groups.group import Group
from eqlib.groups.irrep import Irrep
from eqlib.groups.null_spaces import canonical, span


class Product(Group):
    """G x H. Generators are G's, then H's; component i * H.components + j is the pair (i, j).

    An irrep lies in a (x) b for irreps a of G and b of H, whose commuting algebra is that of a times that of b:

        one of them real (endo 1)    a (x) b is an irrep, of the other's type          (a)*(b)
        both complex                 two irreps, complex: i on a is i on b, or -i      (a)*(b) and (a)*(b)'
        complex and quaternionic     one irrep, complex, twice                         (a)*(b)
        both quaternionic            one irrep, real, four times                       (a)*(b)

    (C (x) C = C + C, C (x) H = 2 x 2 matrices over C, H (x) H = 4 x 4 matrices over R.) Products nest: ((a)*(b))*(c).

    `labels` ascend in dimension if both groups are finite. For an infinite group an ascending list could stay with one dimension
    for ever (SO2 x SO2 has no end of two-dimensional irreps), so it goes out from the trivial irrep in shells, pairs of the n-th
    irrep of one with the first n of the other, each ascending.

    Coordinates are those of both groups, one after the other, or those of the only one that acts on any; then the other acts
    trivially, and harmonics and kernels are those of the first.

    >>> from eqlib import groups
    >>> group = groups.Product(groups.O3(), groups.Symmetric(3))  # of a molecule with three equal atoms
    >>> a = group.irrep("(1o)*(2a)")
    >>> a.dim, group.vector
    (6, Product(O3, Symmetric(3)): 1x(1o)*(1a))
    >>> [b.label for b in groups.Product(groups.Cyclic(3), groups.Cyclic(4)).irreps() if b.label.startswith("(1)")]
    ['(1)*(0)', '(1)*(2)', '(1)*(1)', "(1)*(1)'"]
    """

    def __init__(self, first: Group, second: Group) -> None:
        if not isinstance(first, Group) or not isinstance(second, Group):
            raise ValueError(f"factors of Product(G, H): got {first!r} and {second!r}, expected two groups")
        super().__init__()
        self.factors = (first, second)
        self.name = f"Product({first}, {second})"
        self.dim = first.dim + second.dim
        self.components = first.components * second.components

    @cached_property
    def fingerprint(self) -> str:
        """See `Group.fingerprint`; of both groups, where one of them has one."""
        return digest(*texts) if any(texts := [g.fingerprint for g in self.factors]) else ""

    def _holds_what(self, other: Product) -> bool:
        return self.factors == other.factors

    # Labels ----------------------------------------------------------------------------------------------------------

    def _pair(self, label: str) -> tuple[Irrep, Irrep, bool]:
        """Irreps (a, b) that a label names, and whether it is the primed one."""
        primed = label.endswith("'")
        text = label[:-1] if primed else label
        depth, cut = 0, -1
        for i, letter in enumerate(text):
            depth += (letter == "(") - (letter == ")")
            if depth == 0 and letter == "*":
                cut = i
                break
        left, right = text[:cut].strip(), text[cut + 1 :].strip()
        if cut < 0 or not all(x.startswith("(") and x.endswith(")") for x in (left, right)):
            first, second = (g.trivial.label for g in self.factors)
            raise self.bad_label(
                label, f"(a)*(b) for a of {self.factors[0]} and b of {self.factors[1]}, such as ({first})*({second})"
            )
        a, b = (g.irrep(x[1:-1]) for g, x in zip(self.factors, (left, right), strict=True))
        if primed and not a.endo == b.endo == 2:
            raise self.bad_label(
                label, f"primed only where both are of complex type, {a} and {b} have endo {a.endo} and {b.endo}"
            )
        return a, b, primed

    def parse(self, label: str) -> str:
        a, b, primed = self._pair(label)
        return f"({a.label})*({b.label})" + ("'" if primed else "")

    def _labels_of(self, a: Irrep, b: Irrep) -> list[str]:
        label = f"({a.label})*({b.label})"
        return [label, f"{label}'"] if a.endo == b.endo == 2 else [label]

    def labels(self) -> Iterator[str]:
        first, second = self.factors
        if self.dim == 0:
            pairs = [(a, b) for a in first.irreps() for b in second.irreps()]
            yield from self._ascending(pairs)
            return
        left, right = first.irreps(), second.irreps()
        seen: tuple[list[Irrep], list[Irrep]] = ([], [])
        while True:
            new = list(islice(left, 1)), list(islice(right, 1))
            if not new[0] and not new[1]:
                return
            pairs = [(a, b) for a in new[0] for b in seen[1] + new[1]] + [(a, b) for a in seen[0] for b in new[1]]
            seen[0].extend(new[0])
            seen[1].extend(new[1])
            yield from self._ascending(pairs)

    def _ascending(self, pairs: list[tuple[Irrep, Irrep]]) -> list[str]:
        sizes = {label: self.dimension_of(label) for a, b in pairs for label in self._labels_of(a, b)}
        return sorted(sizes, key=lambda label: sizes[label])

    # Matrices --------------------------------------------------------------------------------------------------------

    def _inclusion(self, a: Irrep, b: Irrep, primed: bool) -> Array:
        """Isometry (a.dim * b.dim, d) of the irrep into a (x) b: a joint eigenspace of commuting maps J (x) J, squares 1."""
        key = ("inclusion", a.label, b.label, str(primed))
        if key not in self._products:
            projector = np.eye(a.dim * b.dim)
            for j, k in list(zip(a.endomorphisms[1:], b.endomorphisms[1:], strict=False))[:2]:
                # i on a is i on b where the product of the two is -1.
                projector = projector @ (np.eye(len(projector)) + (1 if primed else -1) * np.kron(j, k)) / 2
            self._products[key] = canonical(span(projector)).T if a.endo > 1 and b.endo > 1 else projector
        return self._products[key]

    def matrices(self, label: str) -> tuple[Array, Array]:
        a, b, primed = self._pair(label)
        e = self._inclusion(a, b, primed)
        first = [np.kron(x, np.eye(b.dim)) for x in a.generators]
        second = [np.kron(np.eye(a.dim), x) for x in b.generators]
        generators = np.array(first + second).reshape(self.dim, len(e), len(e))
        discrete = np.array([np.kron(x, y) for x in a.discrete for y in b.discrete])
        return tidy(e.T @ generators @ e), tidy(e.T @ discrete @ e)

    def dimension_of(self, label: str) -> int:
        a, b, _ = self._pair(label)
        return a.dim * b.dim // min(a.endo, b.endo)

    def endomorphism_basis(self, a: Irrep) -> Array:
        left, right, primed = self._pair(a.label)
        e = self._inclusion(left, right, primed)
        if left.endo == right.endo == 4:
            return np.eye(a.dim)[None]
        # The complex one's i where there is one, else what the one that is not real has.
        if left.endo == 2 or right.endo == 1:
            maps = [np.kron(x, np.eye(right.dim)) for x in left.endomorphisms]
        else:
            maps = [np.kron(np.eye(left.dim), x) for x in right.endomorphisms]
        return tidy(e.T @ np.array(maps) @ e)

    # Products --------------------------------------------------------------------------------------------------------

    def clebsch_gordan_span(self, a: Irrep, b: Irrep, c: Irrep) -> Array:
        """Products of the factors' tensors, seen between the irreps: invariants of G x H are products of invariants."""
        doors.affordable("Clebsch-Gordan tensor", a.dim * b.dim * c.dim * max(a.endo, b.endo))
        pairs = [self._pair(x.label) for x in (a, b, c)]
        inner = [self._inclusion(*pair).reshape(pair[0].dim, pair[1].dim, -1) for pair in pairs]
        left = self.factors[0].clebsch_gordan(*(first for first, _, _ in pairs)).dense()
        right = self.factors[1].clebsch_gordan(*(second for _, second, _ in pairs)).dense()
        x, y, z = inner
        half = np.einsum("kpqr,pui->kiuqr", left, x, optimize=True)
        half = np.einsum("kiuqr,luvw->kliqrvw", half, right, optimize=True)
        rows = np.einsum("kliqrvw,qvj,rwm->klijm", half, y, z, optimize=True)
        return rows.reshape(-1, a.dim, b.dim, c.dim)

    def product_multiplicities(self, a: Irrep, b: Irrep) -> dict[str, int]:
        (a1, b1, _), (a2, b2, _) = self._pair(a.label), self._pair(b.label)
        found = {}
        for a3 in self.factors[0].tensor_product(a1, a2):
            for b3 in self.factors[1].tensor_product(b1, b2):
                for label in self._labels_of(a3, b3):
                    c = self.irrep(label)
                    rows = self.clebsch_gordan_span(a, b, c)
                    if n := len(span(rows.reshape(len(rows), -1))):
                        found[label] = n // c.endo
        return found

    # Elements and coordinates ----------------------------------------------------------------------------------------

    @cached_property
    def table(self) -> NDArray[np.int64]:
        first, second = (g.table for g in self.factors)
        both = first[:, None, :, None] * len(second) + second[None, :, None, :]
        return both.reshape(self.components, self.components)

    @cached_property
    def component_inverses(self) -> NDArray[np.int64]:
        first, second = (g.component_inverses for g in self.factors)
        return np.asarray(first[:, None] * len(second) + second).ravel()

    @property
    def generating_components(self) -> list[int]:
        first, second = self.factors
        return [i * second.components for i in first.generating_components] + list(second.generating_components)

    @cached_property
    def noncompact_directions(self) -> NDArray[np.bool_]:
        return np.concatenate([g.noncompact_directions for g in self.factors])

    @cached_property
    def _acting(self) -> list[int]:
        """Which of the two factors act on coordinates."""
        found = []
        for i, g in enumerate(self.factors):
            try:
                g.vector_rep()
            except ValueError:
                continue
            found.append(i)
        return found

    def vector_rep(self) -> str:
        if not self._acting:
            return super().vector_rep()
        first, second = (g.trivial.label for g in self.factors)
        terms = [
            f"{n}x({a.label})*({second})" if i == 0 else f"{n}x({first})*({a.label})"
            for i in self._acting
            for n, a in self.factors[i].vector.blocks
        ]
        return "+".join(terms)

    def coordinate_map(self) -> Array:
        return scipy.linalg.block_diag(*(self.factors[i].coordinates for i in self._acting))

    @property
    def ambient(self) -> Group:
        return self.factors[self._acting[0]].ambient if len(self._acting) == 1 else self

    def element_of(self, matrices: Array) -> Element:
        """See `Group.element_of`; where one factor acts on no coordinates, the element with its identity."""
        ends = np.cumsum([0, *(self.factors[i].vector.dim for i in self._acting)]).tolist()
        places = [slice(*pair) for pair in zip(ends[:-1], ends[1:], strict=True)]
        outside = np.ones(matrices.shape[1:], dtype=bool)
        for here in places:
            outside[here, here] = False
        if (worst := np.abs(matrices[:, outside]).max(initial=0.0)) > 1e-6:
            raise ValueError(f"matrix is no element of {self}: it mixes the two factors' coordinates, by {worst:.2g}")
        result = self.identity(len(matrices))
        for i, here in zip(self._acting, places, strict=True):
            result = result * self.lift(i, self.factors[i].from_matrix(matrices[:, here, here]))
        return result

    def lift(self, factor: int, g: Element) -> Element:
        """The element (g, 1) for factor 0, (1, g) for factor 1.

        >>> from eqlib import groups
        >>> group = groups.Product(groups.O3(), groups.Cyclic(4))
        >>> g = group.lift(0, groups.O3().sample(2))
        >>> np.allclose(group.irrep("(1o)*(0)")(g), groups.O3().irrep("1o")(groups.O3().sample(2)))
        True
        """
        first, second = self.factors
        if g.group != (expected := self.factors[factor]):
            raise ValueError(
                f"g of lift({factor}, g): got an element of {title(g.group, expected)}, expected one of {expected}"
            )
        before, after = (0, second.dim) if factor == 0 else (first.dim, 0)
        step = second.components if factor == 0 else 1
        return Element(self, tuple((c * step, np.pad(t, ((0, 0), (before, after)))) for c, t in g.factors))
