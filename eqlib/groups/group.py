"""What a group has to say about itself. Everything else in eqlib is derived from this.

A new group is a subclass of `Group` that sets `name`, `dim` and `components` and answers `parse`, `labels` and `matrices`;
with `vector_rep` (and `element_of`) it also acts on coordinates and gets harmonics and steerable kernels.
`eqlib/groups/planar.py` holds four examples of about fifteen lines each.
"""

from __future__ import annotations

from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eqlib import doors
from eqlib.groups.components import inverses, separating, table
from eqlib.groups.element import Array, Element
from eqlib.groups.embedding import Embedding, embed
from eqlib.groups.irrep import Irrep
from eqlib.groups.rep import Rep
from eqlib.groups.representations import Representations
from eqlib.groups.sampling import circle, random_factors


class Group(Representations):
    """A Lie or finite group, given by its Lie algebra and one element for each connected component.

    Two groups are equal when their class is written alike and they have one name and one content (see `fingerprint`): O3() made
    twice, a pickle and what it was made of, a cell run twice as it stands; not two groups that only share a name.

    Attributes:
        name: what is printed.
        dim: dimension of the Lie algebra, 0 for a finite group.
        components: number of connected components (for a finite group: its order); component 0 holds the identity.
        axis: reference point of an ambient group, in components of `vector`; harmonics are normalised there.
        alignment: numbers of the generators that turn the axis to every direction, one after the other, outermost first; each
            turns one plane of the vector. Empty where the group has none.
        fixes_signs: whether `clebsch_gordan_span` already carries the sign of a convention where K = 1.

    >>> from eqlib import groups
    >>> class Parity(groups.Group):
    ...     '''1 and x -> -x.'''
    ...
    ...     name, dim, components = "Parity", 0, 2
    ...
    ...     def labels(self):
    ...         return iter(["even", "odd"])
    ...
    ...     def parse(self, label):
    ...         if label not in self.labels():
    ...             raise self.bad_label(label, "even and odd")
    ...         return label
    ...
    ...     def matrices(self, label):
    ...         return np.zeros((0, 1, 1)), np.reshape([1, 1 if label == "even" else -1], (2, 1, 1))
    >>> Parity().tensor_product("odd", "odd")
    {Parity:even: 1}
    >>> Parity().clebsch_gordan("odd", "odd", "even").dense().shape
    (1, 1, 1, 1)
    """

    axis: Array | None = None
    alignment: tuple[int, ...] = ()

    # What a group may supply besides its irreps -----------------------------------------------------------------------

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
        """The group whose harmonics are used; its own where C(J-1, 1 -> J) is unique.

        >>> from eqlib import groups
        >>> groups.Cyclic(4).ambient, groups.Octahedral().ambient, groups.O3().ambient
        (O2, O3, O3)
        """
        return self

    def harmonic(self, degree: int) -> str:
        """Label of the harmonic of this degree: the top irrep in the degree-th symmetric power of the vector.

        Spherical harmonics for SO3 and O3, circular ones for O2.

        >>> from eqlib import groups
        >>> groups.O3().harmonic(2), groups.Lorentz().harmonic(2)  # spherical harmonics of l = 2, and those of space-time
        ('2e', '(2,2)')
        """
        raise ValueError(f"{self.name} has no harmonics of its own")

    def coordinate_map(self) -> Array:
        """Orthogonal Q with: irrep components = Q x."""
        return np.eye(self.vector.dim)

    # Coordinates ------------------------------------------------------------------------------------------------------

    @cached_property
    def vector(self) -> Rep:
        """The rep of coordinates: x, r and positions are given in its components.

        >>> from eqlib import groups
        >>> groups.O3().vector, groups.Lorentz().vector, groups.Cyclic(2).vector
        (O3: 1x1o, Lorentz: 1x(1,1), Cyclic(2): 2x1)
        """
        return self.rep(self.vector_rep())

    @cached_property
    def coordinates(self) -> Array:
        """Orthogonal Q (v, v) with: components of `vector` = Q x for raw coordinates x.

        >>> from eqlib import groups
        >>> momentum = np.array([5.0, 0.0, 0.0, 3.0])  # E, px, py, pz in GeV
        >>> np.round(groups.Lorentz().coordinates @ momentum * np.sqrt(2), 9)  # E + pz, E - pz, ...
        array([8., 2., 0., 0.])
        """
        return self.coordinate_map()

    @cached_property
    def metric(self) -> Array:
        """The invariant form of the ambient group's vector, (v, v), scaled so that axis.axis = 1.

        >>> from eqlib import groups
        >>> group = groups.Lorentz()
        >>> x = group.coordinates @ [5.0, 0.0, 0.0, 3.0]
        >>> float(np.round(x @ group.metric @ x, 9))  # the square of the mass
        16.0
        """
        if self.axis is None:
            return self.ambient.metric if self.ambient != self else np.eye(self.vector.dim)
        vector = self.vector.blocks[0][1]
        form = self.clebsch_gordan(vector, vector, self.trivial).dense()[0, :, :, 0]
        return form / (self.axis @ form @ self.axis)

    @cached_property
    def embedding(self) -> Embedding:
        """How this group sits in its ambient group.

        >>> from eqlib import groups
        >>> groups.SO2().embedding.algebra
        array([[1.]])
        """
        return embed(self, self.ambient)

    def matrix(self, g: Element) -> Array:
        """How g acts on raw coordinates, (n, v, v): R, or Lambda on (E, px, py, pz).

        >>> from eqlib import groups
        >>> group = groups.O3()
        >>> np.round(group.matrix(group.element([0, 0, np.pi / 2]))[0]) + 0.0  # a quarter turn about z
        array([[ 0., -1.,  0.],
               [ 1.,  0.,  0.],
               [ 0.,  0.,  1.]])
        """
        return self.coordinates.T @ self.vector(g) @ self.coordinates

    def from_matrix(self, matrices: ArrayLike) -> Element:
        """The element that acts on raw coordinates by these matrices, (n, v, v) or (v, v); inverse of `matrix`.

        Raises ValueError where a matrix is not in the group. For a covering group one of the two preimages is given.

        >>> from eqlib import groups
        >>> group = groups.O3()
        >>> g = group.sample(4)
        >>> again = group.from_matrix(group.matrix(g))
        >>> np.allclose(group.irrep("3o")(again), group.irrep("3o")(g))
        True
        """
        m = doors.real(f"matrices of {self}", matrices)
        v = self.vector.dim
        if m.shape[-2:] != (v, v) or m.ndim not in (2, 3):
            raise ValueError(f"matrices: got shape {m.shape}, expected (n, {v}, {v}) or ({v}, {v}) for {self}")
        return self.element_of(m.reshape(-1, v, v))

    # Elements ---------------------------------------------------------------------------------------------------------

    def element(self, coordinates: ArrayLike, component: ArrayLike = 0) -> Element:
        """h * exp(theta . X) for Lie algebra coordinates theta (n, dim) or (dim,) and component index (n,) or int.

        >>> from eqlib import groups
        >>> quarter = groups.O2().element([np.pi / 2])
        >>> flip = groups.O2().element([0.0], component=1)
        >>> np.round(groups.O2().matrix(flip * quarter)) + 0.0  # the turn first
        array([[[ 0., -1.],
                [-1.,  0.]]])
        """
        theta = doors.real(f"coordinates of an element of {self}", coordinates)
        if theta.shape[-1:] != (self.dim,) or theta.ndim > 2:
            raise ValueError(
                f"coordinates: got shape {theta.shape}, expected (n, {self.dim}) or ({self.dim},) for an element of {self}"
            )
        index = doors.indices("component", component, f"0 ... {self.components - 1} for {self}")
        if index.ndim > 1 or ((index < 0) | (index >= self.components)).any():
            raise ValueError(f"component: got {component!r}, expected 0 ... {self.components - 1} for {self}")
        if theta.ndim == 2 and index.ndim and len(theta) != len(index) and 1 not in (len(theta), len(index)):
            raise ValueError(f"component: got {len(index)} for {len(theta)} coordinates, expected as many, or one")
        n = np.broadcast_shapes(theta.shape[:-1], index.shape) or (1,)
        return Element(self, ((np.broadcast_to(index, n), np.broadcast_to(theta, (*n, self.dim))),))

    def identity(self, n: int = 1) -> Element:
        """The identity, n times.

        >>> from eqlib import groups
        >>> groups.SO2().matrix(groups.SO2().identity())
        array([[[1., 0.],
                [0., 1.]]])
        """
        return self.element(np.zeros((self._many(n), self.dim)))

    def _many(self, n: int) -> int:
        found = doors.count("n", n)
        doors.affordable(f"{found} elements of {self}", found * (self.dim + 1))
        return found

    def sample(self, n: int, seed: int = 0, scale: float = 1.0) -> Element:
        """n random elements over all components; `scale` bounds the rapidity of boosts.

        A rotation part is a product of two factors with wide normal coordinates, near to Haar's measure but not exactly it.

        >>> from eqlib import groups
        >>> group = groups.Lorentz()
        >>> g = group.sample(3, seed=1, scale=2.0)
        >>> boosts = group.matrix(g)[:, 0, 0]  # gamma = cosh(rapidity)
        >>> len(g), bool((boosts >= 1).all() and (boosts <= np.cosh(2.0)).all())
        (3, True)
        """
        n = self._many(n)
        return Element(self, tuple(random_factors(self.noncompact_directions, self.components, n, seed, scale)))

    def spread(self, n: int) -> Element:
        """About n elements (at least one of each component) spread over a compact group, as points to sample functions at.

        Finite groups give all elements. A circle gives evenly spaced turns, a multiple of four in each component, so that
        quarter turns and reflections map the points to each other; other groups random points, the same ones every time.
        ValueError for a group that is not compact.

        >>> from eqlib import groups
        >>> len(groups.SO2().spread(6)), len(groups.Dihedral(4).spread(1))
        (8, 8)
        """
        if not self.compact:
            raise ValueError(f"{self} is not compact: no finite set of points is spread over it")
        n = self._many(n)
        if self.dim == 0:
            return self.element(np.zeros((self.components, 0)), np.arange(self.components))
        if self.dim == 1:
            component, angles = circle(self.faithful[-1].generators[0], self.components, n)
            return self.element(angles, component)
        return self.sample(max(n, self.components))

    @cached_property
    def compact(self) -> bool:
        """Whether every generator is antisymmetric in a faithful rep; boosts are symmetric.

        >>> from eqlib import groups
        >>> groups.SU(3).compact, groups.Lorentz().compact
        (True, False)
        """
        return not self.noncompact_directions.any()

    @cached_property
    def noncompact_directions(self) -> NDArray[np.bool_]:
        """(dim,) which generators are symmetric (boosts) rather than antisymmetric (rotations)."""
        boosts = np.zeros(self.dim, dtype=bool)
        if self.dim:
            faithful = next(a for a in self.irreps() if np.abs(a.generators).max(axis=(1, 2)).all())
            boosts = np.abs(faithful.generators + faithful.generators.swapaxes(1, 2)).max(axis=(1, 2)) > 1e-9
        return boosts

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
