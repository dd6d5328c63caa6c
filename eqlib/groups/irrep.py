"""Irrep: an irreducible real representation, a name for arrays that are computed when first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

from eqlib.groups.content import title
from eqlib.groups.element import Array, Element, exponential, no_element

DENSE = 1_000_000  # entries of all generators above which sparse ones are combined


class Irrep:
    """An irreducible real representation: a name for arrays that are computed when first asked for.

    Calling it with an Element gives the matrices (n, d, d).

    >>> from eqlib import groups
    >>> group = groups.O3()
    >>> a = group.irrep("2e")
    >>> a, a.dim, a.generators.shape, a.discrete.shape
    (O3:2e, 5, (3, 5, 5), (2, 5, 5))
    >>> g, h = group.sample(2, seed=0), group.sample(2, seed=1)
    >>> wigner = a(g)  # Wigner's D of two elements
    >>> wigner.shape, np.allclose(a(g) @ a(h), a(g * h))
    ((2, 5, 5), True)
    """

    def __init__(self, group: Any, label: str) -> None:
        self.group, self.label = group, label

    def __repr__(self) -> str:
        return f"{self.group}:{self.label}"

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Irrep) and self.label == other.label and bool(self.group == other.group)
        )

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.group, self.label))

    def __reduce__(self) -> tuple[Any, ...]:
        return Irrep, (self.group, self.label)

    def __deepcopy__(self, memo: dict[int, Any]) -> Irrep:
        return self

    @cached_property
    def _matrices(self) -> tuple[Array, Array]:
        generators, discrete = self.group.dense_matrices(self.label)
        return np.asarray(generators, dtype=np.float64), np.asarray(discrete, dtype=np.float64)

    @property
    def generators(self) -> Array:
        """(group.dim, d, d) d rho(X_a).

        >>> from eqlib import groups
        >>> x, y, z = groups.SO3().irrep("2").generators
        >>> np.allclose(x @ y - y @ x, z)
        True
        """
        return self._matrices[0]

    @cached_property
    def discrete(self) -> Array:
        """(components, d, d) one matrix for each component, identity first.

        >>> from eqlib import groups
        >>> groups.O3().irrep("1o").discrete[1].diagonal()  # the inversion
        array([-1., -1., -1.])
        """
        return np.eye(self.dim)[None] if self.group.components == 1 else self._matrices[1]

    @property
    def constraints(self) -> tuple[Array, Array]:
        """The generators and the discrete matrices that generate all others: what commutes with these commutes with all."""
        return self.generators[list(self.group.generating)], self.discrete[list(self.group.generating_components)]

    @cached_property
    def dim(self) -> int:
        """Real dimension."""
        return self.group.dimension_of(self.label)

    @cached_property
    def endomorphisms(self) -> Array:
        """(endo, d, d) basis of the commuting algebra R, C or H, identity first.

        >>> from eqlib import groups
        >>> groups.SO2().irrep("1").endomorphisms[1]  # i, for (x, y) as x + iy
        array([[ 0., -1.],
               [ 1.,  0.]])
        """
        return self.group.endomorphism_basis(self)

    @cached_property
    def endo(self) -> int:
        """Real dimension of the endomorphism algebra: 1, 2 or 4 (real, complex, quaternionic: Frobenius-Schur's types).

        >>> from eqlib import groups
        >>> groups.SO3().irrep("1").endo, groups.SU(3).irrep("(1,0)").endo, groups.SU(2).irrep("(1)").endo
        (1, 2, 4)
        """
        return self.group.endo_of(self.label)

    @property
    def is_trivial(self) -> bool:
        """Whether every element acts as 1.

        >>> from eqlib import groups
        >>> groups.O3().irrep("0e").is_trivial, groups.O3().irrep("0o").is_trivial
        (True, False)
        """
        return self == self.group.trivial

    def sparse_generators(self) -> list[scipy.sparse.csr_array]:
        """The generators as scipy.sparse arrays, for irreps whose dense ones would not fit.

        >>> from eqlib import groups
        >>> adjoint = groups.E8().irrep("(0,0,0,0,0,0,0,1)")
        >>> len(adjoint.sparse_generators()), adjoint.sparse_generators()[0].shape
        (248, (248, 248))
        """
        return self._sparse

    @cached_property
    def _sparse(self) -> list[scipy.sparse.csr_array]:
        return self.group.sparse(self.label)

    @cached_property
    def generating(self) -> list[scipy.sparse.csr_array]:
        """The generators numbered `group.generating`, sparse."""
        return self.group.sparse(self.label, self.group.generating)

    def _combined(self, theta: Array) -> Array:
        """theta . X for coordinates (n, dim): (n, d, d)."""
        if self.group.dim * self.dim**2 < DENSE:
            return np.einsum("na,aij->nij", theta, self.generators)
        return (theta @ self._flat).reshape(-1, self.dim, self.dim)

    @cached_property
    def _flat(self) -> scipy.sparse.csr_array:
        return scipy.sparse.vstack([x.reshape(1, -1) for x in self._sparse], format="csr")

    def __call__(self, g: Element) -> Array:
        """Matrices of the elements, (n, d, d): Wigner's D for SO3 and O3."""
        if not isinstance(g, Element):
            raise no_element(g)
        if g.group != self.group:
            raise ValueError(f"an element of {title(g.group, self.group)} was given to an irrep of {self.group}")
        result = np.eye(self.dim)
        for component, theta in g.factors:
            factor = self.discrete[component]
            if self.group.dim:
                factor = factor @ exponential(self._combined(theta))
            result = result @ factor
        return result
