"""What a group has to say about itself. Everything else in eqlib is derived from this.

A new group is a subclass of `Group` that sets `name`, `dim` and `components` and answers `parse`, `labels` and `matrices`;
with `vector_rep` (and `element_of`) it also acts on coordinates and gets harmonics and steerable kernels.
`eqlib/groups/planar.py` holds four examples of about fifteen lines each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from eqlib.groups.clebsch_gordan import CG, Compressed, clebsch_gordan
from eqlib.groups.components import inverses, separating, table
from eqlib.groups.content import content, digest, ours, title, written
from eqlib.groups.element import Array, Element
from eqlib.groups.embedding import Embedding, embed
from eqlib.groups.irrep import Irrep
from eqlib.groups.null_spaces import endomorphisms
from eqlib.groups.rep import Rep
from eqlib.groups.sampling import circle, random_factors


class Group(ABC):
    """A Lie or finite group, given by its Lie algebra and one element for each connected component.

    Attributes:
        name: what is printed.
        dim: dimension of the Lie algebra, 0 for a finite group.
        components: number of connected components (for a finite group: its order); component 0 holds the identity.
        axis: reference point of an ambient group, in components of `vector`; harmonics are normalised there.
        fixes_signs: whether `clebsch_gordan_span` already carries the sign of a convention where K = 1.
    """

    name: str
    dim: int
    components: int = 1
    axis: Array | None = None
    fixes_signs: bool = False
    _searching = False

    # What a group supplies -------------------------------------------------------------------------------------------

    @abstractmethod
    def parse(self, label: str) -> str:
        """The canonical form of `label`; ValueError (see `bad_label`) if there is no such irrep."""

    @abstractmethod
    def labels(self) -> Iterator[str]:
        """Labels of all real irreps, ascending dimension, trivial first; endless for an infinite group."""

    @abstractmethod
    def matrices(self, label: str) -> tuple[Array, Array]:
        """Generators (dim, d, d) and one matrix for each component (components, d, d), identity first."""

    def vector_rep(self) -> str:
        """The rep string of coordinates. ValueError for a group that acts on no coordinates."""
        raise ValueError(f"{self.name} acts on no coordinates: it has no vector and no harmonics")

    def element_of(self, matrices: Array) -> Element:
        """Element for matrices (n, v, v) on raw coordinates, already known to be finite. Default: a finite group's."""
        if self.dim:
            raise ValueError(f"{self.name} cannot turn matrices into elements")
        own = self.matrix(self.element(np.zeros((self.components, 0)), np.arange(self.components)))
        distance = np.abs(matrices[:, None] - own).max(axis=(-2, -1))
        index = distance.argmin(axis=1)
        if (worst := distance[np.arange(len(index)), index].max(initial=0.0)) > 1e-6:
            raise ValueError(f"matrix is no element of {self.name}: the nearest one differs by {worst:.2g}")
        return self.element(np.zeros((len(index), 0)), index)

    @property
    def ambient(self) -> Group:
        """The group whose harmonics are used; its own where C(J-1, 1 -> J) is unique."""
        return self

    def harmonic(self, degree: int) -> str:
        """Label of the harmonic of this degree: the top irrep in the degree-th symmetric power of the vector."""
        raise ValueError(f"{self.name} has no harmonics of its own")

    # What may be supplied for speed; the defaults are derived --------------------------------------------------------

    def clebsch_gordan_span(self, a: Irrep, b: Irrep, c: Irrep) -> Array | Compressed | None:
        """A spanning set of Hom(a (x) b, c), (N, a.dim, b.dim, c.dim), or (flat positions, (N, values there)); None: solve."""
        return None

    def product_multiplicities(self, a: Irrep, b: Irrep) -> dict[str, int]:
        """{label: multiplicity over R} of a (x) b. Default: a finite group's, by characters."""
        if self.dim:
            raise ValueError(f"{self.name} supplies no tensor product rule")
        product = np.trace(a.discrete, axis1=1, axis2=2) * np.trace(b.discrete, axis1=1, axis2=2)
        found = {}
        for c in self.irreps():
            mean = np.mean(product * np.trace(c.discrete, axis1=1, axis2=2))
            if count := round(mean / c.endo):
                found[c.label] = count
        return found

    def endomorphism_basis(self, a: Irrep) -> Array:
        """Basis of End(a), (endo, d, d): the identity, then complex structures (squares -1). Default: solved."""
        return endomorphisms(*a.constraints)

    def coordinate_map(self) -> Array:
        """Orthogonal Q with: irrep components = Q x."""
        return np.eye(self.vector.dim)

    def dimension_of(self, label: str) -> int:
        """Real dimension of an irrep, for those whose matrices would take long."""
        return self.irrep(label)._matrices[1].shape[-1]

    def endo_of(self, label: str) -> int:
        """Real dimension of an irrep's commuting algebra."""
        return len(self.irrep(label).endomorphisms)

    def sparse(self, label: str, which: Sequence[int] | None = None) -> list[scipy.sparse.csr_array]:
        """The generators of an irrep as sparse arrays, all or these."""
        generators = self.irrep(label).generators
        return [scipy.sparse.csr_array(x) for x in (generators if which is None else generators[list(which)])]

    @property
    def generating(self) -> Sequence[int]:
        """Generators whose brackets give all others: what commutes with these commutes with the algebra."""
        return range(self.dim)

    # Derived ---------------------------------------------------------------------------------------------------------

    def __init__(self) -> None:
        self._irreps: dict[str, Irrep] = {}
        self._products: dict[tuple[str, ...], Any] = {}

    def __repr__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Group) or self.name != other.name:
            return False
        return (type(self) is type(other) or self._written == other._written) and self._holds_what(other)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Content is left to __eq__: a group is a key while it finds out what it holds.
        return hash((type(self).__qualname__, self.name))

    @cached_property
    def _written(self) -> tuple[Any, ...]:
        return written(type(self))

    def _holds_what(self, other: Any) -> bool:
        """Whether a group of the same name and class holds the same; not yet, while one of them finds that out."""
        return not self._searching and not other._searching and self.fingerprint == other.fingerprint

    @cached_property
    def fingerprint(self) -> str:
        """A text that changes with what the group holds; "" where the class and the name say it all.

        It is the same in every process and on every machine, so a file of weights can name the group that they belong to.
        """
        if ours(type(self)):
            return ""
        self._searching = True
        try:
            return digest(*content(self))
        finally:
            self._searching = False

    def __getstate__(self) -> dict[str, Any]:
        """Caches stay behind: they point back to the group and are found again."""
        derived = {
            name for kind in type(self).__mro__ for name, x in vars(kind).items() if isinstance(x, cached_property)
        }
        kept = {k: v for k, v in self.__dict__.items() if k not in derived}
        return {**kept, "_irreps": {}, "_products": {}}

    def __deepcopy__(self, memo: dict[int, Any]) -> Group:
        return self  # immutable but for its caches

    @cached_property
    def trivial(self) -> Irrep:
        """The one-dimensional irrep on which every element is 1."""
        return next(self.irreps())

    @cached_property
    def compact(self) -> bool:
        """Whether every generator is antisymmetric in a faithful rep; boosts are symmetric."""
        return not self.noncompact_directions.any()

    @cached_property
    def noncompact_directions(self) -> NDArray[np.bool_]:
        """(dim,) which generators are symmetric (boosts) rather than antisymmetric (rotations)."""
        boosts = np.zeros(self.dim, dtype=bool)
        if self.dim:
            faithful = next(a for a in self.irreps() if np.abs(a.generators).max(axis=(1, 2)).all())
            boosts = np.abs(faithful.generators + faithful.generators.swapaxes(1, 2)).max(axis=(1, 2)) > 1e-9
        return boosts

    @property
    def generating_components(self) -> Sequence[int]:
        """Components whose representatives generate those of all. Default: all but the identity's."""
        return range(1, self.components)

    @cached_property
    def component_inverses(self) -> NDArray[np.int64]:
        """(components,) index of the inverse of each component's representative."""
        return inverses(islice(self.irreps(), 2 * self.components + 2), self.components)

    @cached_property
    def faithful(self) -> list[Irrep]:
        """The first irreps that together tell all components apart and on which no generator is zero."""
        found = separating(islice(self.irreps(), 500), self.components, self.dim)
        if found is None:
            raise ValueError(f"the first irreps of {self}, up to 500, do not tell its elements apart")
        return found

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """(components, components) index of the product of two components' representatives, which must be a group."""
        found = table(self.faithful)
        if found is None:
            raise ValueError(f"the representatives of {self}'s components are not closed under products")
        return found

    def irrep(self, label: str | Irrep) -> Irrep:
        """The irrep with this label; ValueError names a bad label and shows the grammar."""
        if isinstance(label, Irrep):
            if label.group != self:
                raise ValueError(f"irrep {label.label} belongs to {title(label.group, self)}, not to {self}")
            return label
        if not isinstance(label, str):
            raise ValueError(f"label of an irrep of {self} must be a string, got {label!r}")
        canonical = self.parse(label.strip())
        if canonical not in self._irreps:
            self._irreps[canonical] = Irrep(self, canonical)
        return self._irreps[canonical]

    def irreps(self) -> Iterator[Irrep]:
        """All real irreps, ascending dimension, trivial first; endless for an infinite group."""
        return (self.irrep(label) for label in self.labels())

    def bad_label(self, label: str, grammar: str) -> ValueError:
        """The error that `parse` raises."""
        return ValueError(f"{self.name} has no irrep {label!r}: labels are {grammar}")

    def rep(self, blocks: str | Rep | Irrep | Sequence[tuple[int, str | Irrep]]) -> Rep:
        """A direct sum of irreps, from a string such as "8x0e + 4x1o" or from [(multiplicity, irrep), ...]."""
        return Rep.of(self, blocks)

    @cached_property
    def vector(self) -> Rep:
        """The rep of coordinates: x, r and positions are given in its components."""
        return self.rep(self.vector_rep())

    @cached_property
    def coordinates(self) -> Array:
        """Orthogonal Q (v, v) with: components of `vector` = Q x for raw coordinates x."""
        return self.coordinate_map()

    @cached_property
    def metric(self) -> Array:
        """The invariant form of the ambient group's vector, (v, v), scaled so that axis.axis = 1."""
        if self.axis is None:
            return self.ambient.metric if self.ambient != self else np.eye(self.vector.dim)
        vector = self.vector.blocks[0][1]
        form = self.clebsch_gordan(vector, vector, self.trivial).dense()[0, :, :, 0]
        return form / (self.axis @ form @ self.axis)

    @cached_property
    def embedding(self) -> Embedding:
        """How this group sits in its ambient group."""
        return embed(self, self.ambient)

    def tensor_product(self, a: str | Irrep, b: str | Irrep) -> dict[Irrep, int]:
        """{irrep: multiplicity over R} of a (x) b, ascending dimension."""
        a, b = self.irrep(a), self.irrep(b)
        key = (a.label, b.label)
        if key not in self._products:
            counts = {self.irrep(c): n for c, n in self.product_multiplicities(a, b).items()}
            self._products[key] = dict(sorted(counts.items(), key=lambda item: item[0].dim))
        return dict(self._products[key])

    def clebsch_gordan(self, a: str | Irrep, b: str | Irrep, c: str | Irrep) -> CG:
        """Basis of Hom(a (x) b, c); shape (K, a.dim, b.dim, c.dim) with sum C_k C_k' = delta_kk' c.dim.

        K counts over R: multiplicity * endo(c). Where K > 1 the basis is canonical (see `null_spaces.canonical`).
        Raises ValueError if the solved tensor's residual is above 1e-10.
        """
        a, b, c = self.irrep(a), self.irrep(b), self.irrep(c)
        key = (a.label, b.label, c.label)
        if key not in self._products:
            self._products[key] = clebsch_gordan(a, b, c)
        return self._products[key]

    def element(self, coordinates: ArrayLike, component: ArrayLike = 0) -> Element:
        """h * exp(theta . X) for Lie algebra coordinates theta (n, dim) or (dim,) and component index (n,) or int."""
        theta = np.asarray(coordinates, dtype=np.float64)
        if theta.shape[-1:] != (self.dim,) or theta.ndim > 2:
            raise ValueError(
                f"coordinates of an element of {self} have shape (n, {self.dim}) or ({self.dim},), got {theta.shape}"
            )
        if not np.isfinite(theta).all():
            raise ValueError(f"coordinates of an element of {self} must be finite")
        index = np.asarray(component, dtype=np.int64)
        if index.ndim > 1 or ((index < 0) | (index >= self.components)).any():
            raise ValueError(f"component of {self} must lie in 0..{self.components - 1}, got {component!r}")
        theta = np.atleast_2d(theta)
        n = max(len(theta), index.size if index.ndim else 1)
        return Element(self, ((np.broadcast_to(index, n), np.broadcast_to(theta, (n, self.dim))),))

    def identity(self, n: int = 1) -> Element:
        """The identity, n times."""
        return self.element(np.zeros((n, self.dim)))

    def sample(self, n: int, seed: int = 0, scale: float = 1.0) -> Element:
        """n random elements over all components; `scale` bounds the rapidity of boosts.

        A rotation part is a product of two factors with wide normal coordinates, near to Haar's measure but not exactly it.
        """
        return Element(self, tuple(random_factors(self.noncompact_directions, self.components, n, seed, scale)))

    def spread(self, n: int) -> Element:
        """About n elements (at least one of each component) spread over a compact group, as points to sample functions at.

        Finite groups give all elements. A circle gives evenly spaced turns, a multiple of four in each component, so that
        quarter turns and reflections map the points to each other; other groups random points, the same ones every time.
        ValueError for a group that is not compact.
        """
        if not self.compact:
            raise ValueError(f"{self} is not compact: no finite set of points is spread over it")
        if self.dim == 0:
            return self.element(np.zeros((self.components, 0)), np.arange(self.components))
        if self.dim == 1:
            component, angles = circle(self.faithful[-1].generators[0], self.components, n)
            return self.element(angles, component)
        return self.sample(max(n, self.components))

    def matrix(self, g: Element) -> Array:
        """How g acts on raw coordinates, (n, v, v): R, or Lambda on (E, px, py, pz)."""
        return self.coordinates.T @ self.vector(g) @ self.coordinates

    def from_matrix(self, matrices: ArrayLike) -> Element:
        """The element that acts on raw coordinates by these matrices, (n, v, v) or (v, v); inverse of `matrix`.

        Raises ValueError where a matrix is not in the group. For a covering group one of the two preimages is given.
        """
        m = np.asarray(matrices, dtype=np.float64)
        v = self.vector.dim
        if m.shape[-2:] != (v, v) or m.ndim not in (2, 3):
            raise ValueError(f"matrix of {self} has shape (n, {v}, {v}) or ({v}, {v}), got {m.shape}")
        if not np.isfinite(m).all():
            raise ValueError(f"matrix of {self} must be finite")
        return self.element_of(m.reshape(-1, v, v))
