"""A group of the reader's own: given by the matrices of one representation, decomposed into its irreps numerically."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

from eqlib import doors
from eqlib.doors import typed
from eqlib.groups.content import digest
from eqlib.groups.element import Array, Element
from eqlib.groups.finite import Finite, letters
from eqlib.groups.group import Group
from eqlib.groups.irrep import Irrep
from eqlib.groups.null_spaces import UNKNOWNS, canonical, endomorphisms, intertwiners
from eqlib.groups.rep import Rep
from eqlib.groups.subgroups import decompose

Matrices = tuple[Array, Array]


@typed
def from_generators(
    generators: ArrayLike, discrete: ArrayLike | None = None, name: str | None = None
) -> tuple[Rep, Array]:
    """The irreps in a given representation, with the group that has them.

    Args:
        generators: (n, d, d) real matrices of a basis of the Lie algebra; () for a finite group. In any basis if the group is
            compact; else each is antisymmetric (a rotation) or symmetric (a boost).
        discrete: (m, d, d) for a finite group matrices that generate it; else one matrix for each component, the identity first.
        name: of the group, as it is printed. Default: made from the matrices.

    Returns (rep, Q) with D(g) = Q rep(g) Q^-1; Q is orthogonal where D is. `rep.group` knows the irreps found here, and those in
    products of them as they are asked for; labels are dimension and letter, "1a" the trivial one. ValueError where the
    matrices do not close, depend on each other, or do not split into irreps.

    >>> from eqlib import groups
    >>> given = groups.SO3().rep("1 + 2").generators()  # as if these 8 x 8 matrices came from elsewhere
    >>> rep, q = from_generators(given, name="mine")
    >>> rep, np.allclose(q @ rep.generators() @ q.T, given)
    (mine: 1x3a+1x5a, True)
    >>> rep.group.tensor_product("3a", "3a")
    {mine:1a: 1, mine:3a: 1, mine:5a: 1}
    """
    x, h = _checked(generators, discrete)
    if len(x) == 0:
        finite = Finite(h, name=name)
        root = _orthonormal(x, h)
        chosen = _moved((x, finite.elements[list(finite.generating_components)]), root)
        blocks, q = decompose(chosen, finite)
        return finite.rep(blocks), np.asarray(np.linalg.solve(root, q), dtype=np.float64)
    short = hashlib.sha256(np.round(np.concatenate([x, h]), 9).tobytes()).hexdigest()[:8]
    group = Generated(x, h, name or f"Generated({short})")
    return group.given, group.basis


class Generated(Group):
    """The group that `from_generators` makes. Its vector is the given representation."""

    def __init__(self, generators: Array, discrete: Array, name: str) -> None:
        super().__init__()
        self.name, self.dim, self.components = name, len(generators), len(discrete)
        self._given = generators, discrete
        # All work is on generators of one size, so that what counts as zero does not depend on the reader's units.
        self._sizes = np.linalg.norm(generators, ord=2, axis=(1, 2))
        generators = generators / self._sizes[:, None, None]
        self._known: dict[str, Matrices] = {}
        self._ends: dict[str, Array] = {}
        self._digests: dict[str, str] = {}
        self._add((np.zeros((self.dim, 1, 1)), np.ones((self.components, 1, 1))), np.ones((1, 1, 1)))
        root = _orthonormal(generators, discrete)
        both = _moved((generators, discrete), root)
        self._boosts = np.array([np.abs(g + g.T).max() > 1e-9 for g in both[0]])
        self._form = np.linalg.pinv(np.einsum("aij,bji->ab", both[0], both[0]))
        blocks, q = self._decompose(both)
        self.given, self.basis = self.rep(blocks), np.asarray(np.linalg.solve(root, q), dtype=np.float64)

    @cached_property
    def fingerprint(self) -> str:
        """See `Group.fingerprint`; of the matrices that were given."""
        return digest(*self._given)

    def _holds_what(self, other: Generated) -> bool:
        # A label such as 8b is given when an irrep is found: two groups may have found theirs in a different order.
        both = self._digests.keys() & other._digests.keys()
        return super()._holds_what(other) and all(self._digests[x] == other._digests[x] for x in both)

    @cached_property
    def noncompact_directions(self) -> NDArray[np.bool_]:
        return self._boosts

    def parse(self, label: str) -> str:
        if label not in self._known:
            raise self.bad_label(label, f"those found so far, {' '.join(self._known)}")
        return label

    def labels(self) -> Iterator[str]:
        """The irreps of the given representation, ascending, then those in products with them, as found; endless."""
        seeds = sorted(self._known, key=lambda x: (len(self._known[x][1][0]), x))
        seen = list(seeds)
        yield from seen
        for label in seen:  # grows below
            for seed in seeds[1:]:
                self.tensor_product(label, seed)
                fresh = [x for x in self._known if x not in seen]
                seen += fresh
                yield from fresh

    def matrices(self, label: str) -> Matrices:
        generators, discrete = self._known[label]
        return generators * self._sizes[:, None, None], discrete

    def sample(self, n: int, seed: int = 0, scale: float = 1.0) -> Element:
        # Coordinates of large or small generators are small or large: else all elements would be near the identity.
        found = super().sample(n, seed, scale)
        unit = 10.0 ** np.rint(np.log10(self._sizes))
        return Element(self, tuple((component, theta / unit) for component, theta in found.factors))

    def endomorphism_basis(self, a: Irrep) -> Array:
        return self._ends[a.label]

    def vector_rep(self) -> str:
        return str(self.given)

    def coordinate_map(self) -> Array:
        return np.asarray(np.linalg.inv(self.basis), dtype=np.float64)

    def product_multiplicities(self, a: Irrep, b: Irrep) -> dict[str, int]:
        one, two = np.eye(a.dim), np.eye(b.dim)
        left, right = self._known[a.label], self._known[b.label]
        x = [np.kron(s, two) + np.kron(one, t) for s, t in zip(left[0], right[0], strict=True)]
        h = [np.kron(s, t) for s, t in zip(left[1], right[1], strict=True)]
        found: dict[str, int] = {}
        for _, label in self._decompose((np.array(x), np.array(h)))[0]:
            found[label] = found.get(label, 0) + 1
        return found

    def _add(self, both: Matrices, ends: Array) -> str:
        dim = both[1].shape[-1]
        label = f"{dim}{letters(1 + sum(x[1].shape[-1] == dim for x in self._known.values()))}"
        self._known[label], self._ends[label], self._digests[label] = both, ends, digest(*both)
        return label

    def _decompose(self, both: Matrices) -> tuple[list[tuple[int, str]], Array]:
        """Irreps, and the orthogonal basis (d, d) in which they stand; those not known before are added."""
        # Casimir's operator is symmetric and commutes with the group: its eigenspaces are split one by one.
        casimir = np.einsum("ab,aij,bjk->ik", self._form, both[0], both[0], optimize=True)
        found = []
        for space in _eigenspaces(casimir):
            found += self._split(_moved(both, space.T), space)
        found.sort(key=lambda pair: (self._known[pair[0][1]][1].shape[-1], pair[0][1]))
        return [block for block, _ in found], np.concatenate([q for _, q in found], axis=1)

    def _split(self, both: Matrices, where: Array) -> list[tuple[tuple[int, str], Array]]:
        """The irreps in one eigenspace of Casimir's operator, each with its columns; `where` is the eigenspace's basis."""
        d = both[1].shape[-1]
        if d * d > UNKNOWNS:
            raise ValueError(
                f"a representation of {self} holds a part of dimension {d}: up to {int(UNKNOWNS**0.5)} can be split"
            )
        commuting = intertwiners(both, both)
        # The eigenspaces of a symmetric map that commutes, and is random otherwise, are irreducible over R.
        weights = np.random.default_rng(0).normal(size=len(commuting))
        found = []
        for part in _eigenspaces(np.einsum("n,nij->ij", weights, commuting + commuting.swapaxes(1, 2))):
            space = canonical((where @ part).T).T
            label, turn = self._recognise(_moved(both, space.T @ where))
            found.append(((1, label), space @ turn))
        return sorted(found, key=lambda pair: pair[1].shape[1])

    def _recognise(self, both: Matrices) -> tuple[str, Array]:
        """The label of an irrep, and the orthogonal map to it from the known one."""
        d = both[1].shape[-1]
        transposed = np.where(self._boosts[:, None, None], 1.0, -1.0) * both[0].swapaxes(1, 2)
        both = (both[0] + transposed) / 2, both[1]  # so that exp is orthogonal, or symmetric, to the last digit
        for label, known in self._known.items():
            if known[1].shape[-1] == d and len(maps := intertwiners(known, both)):
                return label, maps[0] * np.sqrt(d)
        ends = endomorphisms(*both)
        return self._add(both, ends), np.eye(d)


def _checked(generators: ArrayLike, discrete: ArrayLike | None) -> Matrices:
    """Finite square real matrices that make a group, as arrays; ValueError names the fault."""
    x = doors.real("generators", generators)
    h = doors.real("discrete", np.zeros((0, 0, 0)) if discrete is None else discrete)
    d = x.shape[-1] if x.size and x.ndim else h.shape[-1] if h.ndim == 3 else 0
    x = x if x.size else np.zeros((0, d, d))
    h = h if h.size else np.eye(d)[None]
    for what, array in (("generators", x), ("discrete", h)):
        if array.ndim != 3 or array.shape[1:] != (d, d) or d == 0:
            raise ValueError(f"{what}: got shape {array.shape}, expected (n, d, d) with the same d >= 1 in both")
    if len(x) == 0:
        return x, h
    sizes = np.abs(x).max(axis=(1, 2))
    if sizes.min() < 1e-100 or sizes.max() > min(1e100, 1e9 * sizes.min()):
        raise ValueError(
            f"generators: got matrices of sizes {sizes.min():.1g} ... {sizes.max():.1g}, expected within 1e-100 ... 1e100 "
            "and none 1e9 times another"
        )
    x_given, x = x, x / sizes[:, None, None]
    flat = x.reshape(len(x), -1)
    if np.linalg.matrix_rank(flat) < len(x):
        raise ValueError(
            f"generators: got {len(x)} matrices that span {np.linalg.matrix_rank(flat)} dimensions, expected independent ones"
        )
    if np.abs(h[0] - np.eye(d)).max() > 1e-10:
        raise ValueError(
            "discrete: got another first matrix, expected the identity, then one matrix for each other component"
        )
    inverse = np.linalg.pinv(flat)
    for a, b in np.ndindex(len(x), len(x)):
        bracket = x[a] @ x[b] - x[b] @ x[a]
        if (off := np.abs(bracket.ravel() @ inverse @ flat - bracket.ravel()).max()) > 1e-8 * max(
            1.0, np.abs(bracket).max()
        ):
            raise ValueError(f"generators do not close: [X_{a}, X_{b}] is {off:.2g} away from their span")
    for n, m in enumerate(h):
        if np.abs(np.linalg.det(m)) < 1e-10:
            raise ValueError(f"discrete matrix {n} has no inverse")
        moved = (m @ x @ np.linalg.inv(m)).reshape(len(x), -1)
        if np.abs(moved @ inverse @ flat - moved).max() > 1e-8 * max(1.0, np.abs(moved).max()):
            raise ValueError(f"discrete matrix {n} does not map the Lie algebra onto itself")
        for k, other in enumerate(h):
            product = m @ other
            if np.abs(product - h).max(axis=(1, 2)).min() > 1e-8 * max(1.0, np.abs(product).max()):
                raise ValueError(
                    f"discrete matrices {n} and {k} have a product that is not among them: choose representatives that "
                    "make a group"
                )
    if len(np.unique(h.reshape(len(h), -1).round(7), axis=0)) < len(h):
        raise ValueError("discrete: got one matrix twice, expected one for each component")
    return x_given, h


def _orthonormal(x: Array, h: Array) -> Array:
    """R (d, d) for which R D R^-1 is orthogonal; the identity where every generator is antisymmetric or symmetric."""
    d = x.shape[-1]
    plain = all(min(np.abs(g - g.T).max(), np.abs(g + g.T).max()) < 1e-9 * np.abs(g).max() for g in x)
    if plain and np.abs(h @ h.swapaxes(1, 2) - np.eye(d)).max() < 1e-9:
        return np.eye(d)
    if d * d > UNKNOWNS:
        raise ValueError(f"dimension {d} is too large for a basis that is not orthonormal: up to {int(UNKNOWNS**0.5)}")
    # The average of g^T g over the group is the invariant part of 1; the rest is moved by the action.
    inverse = np.asarray(np.linalg.inv(h), dtype=np.float64).swapaxes(1, 2)
    forms = intertwiners((x, h), (-x.swapaxes(1, 2), inverse))
    one = np.eye(d)
    moves = [np.kron(g.T, one) + np.kron(one, g.T) for g in x] + [np.kron(m.T, m.T) - np.eye(d * d) for m in h]
    moved = scipy.linalg.orth(np.concatenate(moves, axis=1)) if moves else np.zeros((d * d, 0))
    both = np.concatenate([forms.reshape(len(forms), -1).T, moved], axis=1)
    parts = np.linalg.lstsq(both, one.ravel(), rcond=None)[0]
    average = np.einsum("n,nij->ij", parts[: len(forms)], forms)
    values = np.linalg.eigvalsh((average + average.T) / 2)
    if values[0] < 1e-9 or np.abs(both @ parts - one.ravel()).max() > 1e-8:
        raise ValueError(
            "no inner product is invariant, so the group is not compact or does not split: give its generators as "
            "antisymmetric (rotations) and symmetric (boosts) matrices, and orthogonal discrete ones"
        )
    return np.real(scipy.linalg.sqrtm((average + average.T) / 2))


def _eigenspaces(symmetric: Array) -> list[Array]:
    """An orthonormal basis (d, n) of each eigenspace."""
    values, vectors = np.linalg.eigh((symmetric + symmetric.T) / 2)
    apart = np.flatnonzero(np.diff(values) > 1e-7 * max(1e-9, np.abs(values).max(initial=0.0))) + 1
    return np.split(vectors, apart, axis=1)


def _moved(both: Matrices, left: Array) -> Matrices:
    """L M R, where R is L's inverse, or its transpose where L's rows are orthonormal."""
    right = np.linalg.inv(left) if left.shape[0] == left.shape[1] else left.T
    x, h = left @ both[0] @ right, left @ both[1] @ right
    return np.where(np.abs(x) < 1e-13, 0.0, x), np.where(np.abs(h) < 1e-13, 0.0, h)
