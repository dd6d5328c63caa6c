"""What a group says about its irreps, and what follows from that: sums, products, and when two groups are one.

`Group` (group.py) adds elements and how they act on coordinates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

from eqlib import doors
from eqlib.groups.clebsch_gordan import CG, Compressed, clebsch_gordan
from eqlib.groups.content import content, digest, ours, title, written
from eqlib.groups.element import Array
from eqlib.groups.irrep import Irrep
from eqlib.groups.null_spaces import endomorphisms
from eqlib.groups.rep import Rep


class Representations(ABC):
    """The irreps of a group, their sums and their products; the attributes are those of `Group`."""

    name: str
    dim: int
    components: int = 1
    fixes_signs: bool = False
    _searching = False

    # What a group supplies --------------------------------------------------------------------------------------------

    @abstractmethod
    def parse(self, label: str) -> str:
        """The canonical form of `label`; ValueError (see `bad_label`) if there is no such irrep."""

    @abstractmethod
    def labels(self) -> Iterator[str]:
        """Labels of all real irreps, ascending dimension, trivial first; endless for an infinite group."""

    @abstractmethod
    def matrices(self, label: str) -> tuple[Array, Array]:
        """Generators (dim, d, d) and one matrix for each component (components, d, d), identity first."""

    # What may be supplied for speed; the defaults are derived ---------------------------------------------------------

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

    @property
    def generating_components(self) -> Sequence[int]:
        """Components whose representatives generate those of all. Default: all but the identity's."""
        return range(1, self.components)

    def dense_matrices(self, label: str) -> tuple[Array, Array]:
        """`matrices`; ValueError instead where the group knows beforehand that they would take more than 2 GiB."""
        if type(self).dimension_of is not Representations.dimension_of:
            entries = (self.dim + self.components) * self.dimension_of(label) ** 2
            doors.affordable(
                f"generators of {self}:{label}", entries, "sparse_generators(), where it is known, has what is not zero"
            )
        return self.matrices(label)

    # Derived ----------------------------------------------------------------------------------------------------------

    @cached_property
    def trivial(self) -> Irrep:
        """The one-dimensional irrep on which every element is 1.

        >>> from eqlib import groups
        >>> groups.O3().trivial
        O3:0e
        """
        return next(self.irreps())

    def irrep(self, label: str | Irrep) -> Irrep:
        """The irrep with this label; ValueError names a bad label and shows the grammar.

        >>> from eqlib import groups
        >>> vector = groups.O3().irrep("1o")
        >>> vector.dim, vector.endo
        (3, 1)
        >>> groups.O3().irrep("1")
        Traceback (most recent call last):
            ...
        ValueError: O3 has no irrep '1': labels are 0e, 0o, 1e, 1o, ... (l and the parity)
        """
        if isinstance(label, Irrep):
            if label.group != self:
                raise ValueError(f"irrep {label.label} belongs to {title(label.group, self)}, not to {self}")
            return label
        if not isinstance(label, str):
            raise ValueError(f"label of an irrep of {self}: got {label!r}, expected a string")
        if not label.isascii():  # int() and \d read the digits of every script
            raise ValueError(f"label of an irrep of {self}: got {label!r}, expected plain digits and letters")
        canonical = self.parse(label.strip())
        if canonical not in self._irreps:
            self._irreps[canonical] = Irrep(self, canonical)
        return self._irreps[canonical]

    def irreps(self) -> Iterator[Irrep]:
        """All real irreps, ascending dimension, trivial first; endless for an infinite group.

        >>> from eqlib import groups
        >>> [a.label for a, _ in zip(groups.O3().irreps(), range(5))]
        ['0e', '0o', '1e', '1o', '2e']
        >>> [(a.label, a.dim) for a in groups.Icosahedral().irreps()]
        [('1a', 1), ('3a', 3), ('3b', 3), ('4a', 4), ('5a', 5)]
        """
        return (self.irrep(label) for label in self.labels())

    def bad_label(self, label: str, grammar: str) -> ValueError:
        """The error that `parse` raises."""
        return ValueError(f"{self.name} has no irrep {label!r}: labels are {grammar}")

    def rep(self, blocks: str | Rep | Irrep | Sequence[tuple[int, str | Irrep]]) -> Rep:
        """A direct sum of irreps, from a string such as "8x0e + 4x1o" or from [(multiplicity, irrep), ...].

        >>> from eqlib import groups
        >>> groups.O3().rep("8x0e + 4x1o").dim
        20
        >>> groups.SU(3).rep([(2, "(1,1)"), (1, "(1,0)")])
        A2: 2x(1,1)+1x(1,0)
        """
        return Rep.of(self, blocks)

    def tensor_product(self, a: str | Irrep, b: str | Irrep) -> dict[Irrep, int]:
        """{irrep: multiplicity over R} of a (x) b, ascending dimension.

        >>> from eqlib import groups
        >>> groups.O3().tensor_product("1o", "1o")  # a scalar, an axial vector, a traceless symmetric tensor
        {O3:0e: 1, O3:1e: 1, O3:2e: 1}
        >>> groups.SU(3).tensor_product("(1,1)", "(1,1)")[groups.SU(3).irrep("(1,1)")]  # two octets in 8 x 8
        2
        """
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

        >>> from eqlib import groups
        >>> cross = groups.O3().clebsch_gordan("1o", "1o", "1e")
        >>> cross.shape
        (1, 3, 3, 3)
        >>> x, y = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, -1.0])
        >>> np.allclose(np.einsum("kijm,i,j->m", cross.dense(), x, y) * np.sqrt(2), np.cross(x, y))
        True
        """
        a, b, c = self.irrep(a), self.irrep(b), self.irrep(c)
        key = (a.label, b.label, c.label)
        if key not in self._products:
            self._products[key] = clebsch_gordan(a, b, c)
        return self._products[key]

    # When two groups are one ------------------------------------------------------------------------------------------

    def __init__(self) -> None:
        self._irreps: dict[str, Irrep] = {}
        self._products: dict[tuple[str, ...], Any] = {}

    def __repr__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Representations) or self.name != other.name:
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

        It is the same in every process and on every machine, so a file of weights can name the group that they belong to. It is
        "" for the families of this folder, whose names hold their arguments; of the elements for `Finite` with a name of its own;
        of the given matrices for `from_generators`; of both factors for `Product`. A class defined elsewhere, in a cell say, is
        known by its numbers to nine decimals: labels, generators and components in all irreps of a finite group, in the first 32
        of an infinite one, vector, coordinates and ambient group. What numbers do not show, such as a new rule for products,
        equality sees in the code of its methods; the fingerprint does not, so that a method may be rewritten under old weights.

        >>> from eqlib import groups
        >>> groups.O3().fingerprint
        ''
        >>> one, two = (groups.Finite([x], name="mine") for x in ([1, 0, 2], [0, 2, 1]))
        >>> one.fingerprint == two.fingerprint, one == two
        (False, False)
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

    def __deepcopy__(self, memo: dict[int, Any]) -> Representations:
        return self  # immutable but for its caches
