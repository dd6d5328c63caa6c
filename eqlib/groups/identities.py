"""Whether what a group says about itself can be true: one call for who writes a new group."""

from __future__ import annotations

from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from eqlib.doors import Positive, typed
from eqlib.groups.components import separating, table
from eqlib.groups.element import Array
from eqlib.groups.group import Group
from eqlib.groups.irrep import Irrep
from eqlib.groups.null_spaces import intertwiners

CLOSE = 1e-9
LARGEST = 16  # dimension of irreps whose null spaces are searched: a second or two for all of them


@typed
def check(group: Group, number: Positive = 8) -> None:
    """ValueError unless the identities hold that every group obeys; it names the irrep and the fault.

    All irreps of a finite group, the first `number` of another one and those that tell its elements apart: their shapes; products
    of components, which are components, the same ones in every irrep; brackets of generators, and what components make of
    generators, with one set of coefficients for all; irreducible, with `endo` commuting maps, and no two alike; as many as a
    finite group has (sum dim^2 / endo = order). Last the coordinates: components that keep lengths where the group is compact,
    and matrices from which `from_matrix`, here and in the ambient group, makes elements that act alike. Takes seconds for
    groups of some 100 elements or 20 dimensions. Clebsch-Gordan tensors are checked where they are made.

    >>> from eqlib import groups
    >>> groups.check(groups.O3())
    >>> class Mirror(groups.Cyclic):
    ...     def matrices(self, label):
    ...         return np.zeros((0, 1, 1)), np.reshape([1, 2 * int(label) - 1], (2, 1, 1))
    >>> groups.check(Mirror(2))
    Traceback (most recent call last):
        ...
    ValueError: irrep 0 of Cyclic(2): got the matrices [[[1.0]], [[-1.0]]], expected 1 for every element: it is the first one
    """
    irreps = list(islice(group.irreps(), number if group.dim else None))
    for a in irreps:
        _shapes(a)
    if irreps[0].dim > 1 or np.abs(irreps[0].generators).any() or (irreps[0].discrete != 1).any():
        # Written out for a finite group, whose matrices a reader types in.
        raise _wrong(
            irreps[0], f"the matrices {irreps[0].discrete.tolist()}", "1 for every element: it is the first one"
        )
    own = separating(irreps, group.components, group.dim)
    faithful = group.faithful if own is None else own
    for a in dict.fromkeys([*irreps, *faithful]):
        _fibres(a)
    _products(group, irreps, faithful)
    if group.dim:
        _algebra(group, irreps, faithful)
    small = [a for a in irreps if a.dim <= LARGEST]
    for a in small:
        both = (a.generators, a.discrete)
        if (found := len(intertwiners(both, both))) not in (1, 2, 4) or found != a.endo:
            raise _wrong(a, f"{found} independent commuting maps", "1, 2 or 4 of an irreducible one, as its endo says")
        for e in a.endomorphisms[1:]:
            if np.abs(e @ e + np.eye(a.dim)).max() > CLOSE:
                raise _wrong(a, "a commuting map besides 1 whose square is not -1", "an irreducible one")
    for a, b in combinations(small, 2):
        if a.dim == b.dim and len(intertwiners((a.generators, a.discrete), (b.generators, b.discrete))):
            raise _wrong(b, f"the same as {a.label} in another basis", "a new one")
    if group.dim == 0 and (total := sum(a.dim**2 // a.endo for a in irreps)) != group.components:
        raise ValueError(f"irreps of {group}: got sum dim^2 / endo = {total}, expected {group.components}, the order")
    _coordinates(group)


def _wrong(a: Irrep, got: str, expected: str) -> ValueError:
    return ValueError(f"irrep {a.label} of {a.group}: got {got}, expected {expected}")


def _shapes(a: Irrep) -> None:
    x, h = a._matrices
    expected = (a.group.dim, a.dim, a.dim), (a.group.components, a.dim, a.dim)
    if (x.shape, h.shape) != expected:
        raise _wrong(a, f"generators and components {x.shape}, {h.shape}", f"{expected[0]}, {expected[1]}")
    if not (np.isfinite(x).all() and np.isfinite(h).all()) or np.abs(h[0] - np.eye(a.dim)).max() > CLOSE:
        raise _wrong(a, "another first matrix than the identity, or NaN", "the identity for component 0")


def _fibres(a: Irrep) -> None:
    """A homomorphism takes each of its values equally often."""
    counts = np.unique(a.discrete.reshape(a.group.components, -1).round(6), axis=0, return_counts=True)[1]
    if len(set(counts.tolist())) > 1:
        raise _wrong(a, f"matrices of components that occur {counts.tolist()} times", "each equally often")


def _products(group: Group, irreps: list[Irrep], faithful: list[Irrep]) -> None:
    products: NDArray[np.int64] | None = table(faithful)
    if products is None:
        labels = ", ".join(a.label for a in faithful)
        raise ValueError(f"irreps {labels} of {group}: got products of components that are none, expected a group")
    for a in irreps:
        off = np.abs(a.discrete[:, None] @ a.discrete - a.discrete[products]).max(axis=(2, 3))
        if off.max() > CLOSE * max(1.0, np.abs(a.discrete).max() ** 2):
            i, j = np.unravel_index(off.argmax(), off.shape)
            others = ", ".join(b.label for b in faithful)
            raise _wrong(
                a, f"D({i}) D({j}) unlike D({products[i, j]})", f"the products of components that {others} have"
            )


def _algebra(group: Group, irreps: list[Irrep], faithful: list[Irrep]) -> None:
    """[X_a, X_b] and h X_a h^-1 as combinations of generators: coefficients from the faithful irreps, held by all."""

    def flat(which: list[Irrep], arrays: list[Array]) -> Array:
        return np.concatenate([x.reshape(-1, a.dim**2) for a, x in zip(which, arrays, strict=True)], axis=1)

    def moved(a: Irrep) -> Array:
        x, h = a.generators, a.discrete
        brackets = np.einsum("aij,bjk->abik", x, x) - np.einsum("bij,ajk->abik", x, x)
        turned = h[:, None] @ x @ np.linalg.inv(h)[:, None]
        return np.concatenate([brackets.reshape(-1, a.dim, a.dim), turned.reshape(-1, a.dim, a.dim)])

    basis = flat(faithful, [a.generators for a in faithful])
    images = flat(faithful, [moved(a) for a in faithful])
    coefficients = np.linalg.lstsq(basis.T, images.T, rcond=None)[0].T
    for a in dict.fromkeys([*faithful, *irreps]):
        x = a.generators
        off = np.abs(moved(a) - np.einsum("nc,cij->nij", coefficients, x)).max(axis=(1, 2))
        if off.max() > CLOSE * max(1.0, np.abs(x).max() ** 2):
            n = int(off.argmax())
            what = (
                f"[X_{n // group.dim}, X_{n % group.dim}]"
                if n < group.dim**2
                else f"component {(n - group.dim**2) // group.dim} on X_{n % group.dim}"
            )
            raise _wrong(a, f"{what} {off.max():.2g} away", "the combination of generators that it is in the others")


def _coordinates(group: Group) -> None:
    try:
        size = group.vector.dim
    except ValueError:
        return  # it acts on no coordinates
    g = group.sample(4, seed=0, scale=0.5)
    matrices = group.matrix(g)
    if group.compact and np.abs(matrices @ matrices.swapaxes(1, 2) - np.eye(size)).max() > CLOSE:
        raise ValueError(f"vector of {group}: got matrices that change lengths, expected orthogonal ones")
    for known in dict.fromkeys([group, group.ambient]):
        if known.dim and type(known).element_of is Group.element_of:
            continue  # it never turns matrices into elements
        try:
            again = known.matrix(known.from_matrix(matrices))
        except ValueError as error:
            raise ValueError(f"vector of {group}: {error}") from error
        if np.abs(again - matrices).max() > 1e-6:
            raise ValueError(f"vector of {group}: got matrices that are none of {known}, expected coordinates of it")
