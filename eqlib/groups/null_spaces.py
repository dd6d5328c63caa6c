"""Hom(a, b) for matrices a and b: null spaces, and bases of them that depend on the space alone.

An intertwiner M : a -> b satisfies b(g) M = M a(g), which is d_b(X) M = M d_a(X) for every generator and the same for
one matrix of each component (Finzi, Welling, Wilson 2021, Sec. 4).
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from eqlib.groups.element import Array

UNKNOWNS = 6000  # above, a dense null space takes minutes


def intertwiners(a: tuple[Array, Array], b: tuple[Array, Array]) -> Array:
    """Orthonormal basis of Hom(a, b), (N, b.dim, a.dim), for a and b given as (generators, discrete matrices).

    >>> from eqlib import groups
    >>> one, two = groups.SO3().rep("1 + 1"), groups.SO3().irrep("1")
    >>> maps = intertwiners((one.generators(), one.discrete()), (two.generators, two.discrete))
    >>> maps.shape  # Schur: a number for each of the two copies
    (2, 3, 6)
    >>> x = two.generators
    >>> bool(np.abs(x @ maps[:, None] - maps[:, None] @ one.generators()).max() < 1e-12)
    True
    """
    da, db = a[1].shape[-1], b[1].shape[-1]
    if da * db > UNKNOWNS:
        raise ValueError(f"Hom of dimensions {da} and {db} has {da * db} unknowns: too many for a dense null space")
    normal = np.zeros((da * db, da * db))
    sizes = [max(np.abs(x).max(), np.abs(y).max()) for x, y in zip(a[0], b[0], strict=True)]
    for x, y in [*_scaled(a[0], b[0], sizes), *zip(a[1], b[1], strict=True)]:
        # R^T R for R = y (x) 1 - 1 (x) x^T, which takes M, flat, to y M - M x.
        normal += np.kron(y.T @ y, np.eye(da)) + np.kron(np.eye(db), x @ x.T) - np.kron(y.T, x.T) - np.kron(y, x)
    cut = 1e-9 * np.abs(normal).sum(axis=0).max(initial=1.0)  # relative to a bound of the largest eigenvalue
    if len(normal) < 800:
        values, vectors = scipy.linalg.eigh(normal)
        vectors = vectors[:, values < cut]
    else:
        _, vectors = scipy.linalg.eigh(normal, subset_by_value=(-np.inf, cut), driver="evx")
    return vectors.T.reshape(-1, db, da)


def _scaled(a: Array, b: Array, sizes: list[float]) -> list[tuple[Array, Array]]:
    """Pairs of generators divided by their sizes, so that no unit makes one of them vanish beside another.

    What is rounding beside the largest stays so.
    """
    least = 1e-12 * max(sizes, default=0.0)
    return [(x / s, y / s) for x, y, s in zip(a, b, (max(s, least) or 1.0 for s in sizes), strict=True)]


def endomorphisms(generators: Array, discrete: Array) -> Array:
    """Basis of End(a), (endo, d, d): the identity, then anticommuting complex structures with J J = -1."""
    d = discrete.shape[-1]
    both = (generators, discrete)
    basis = intertwiners(both, both)
    found = [np.eye(d)]
    if len(basis) not in (1, 2, 4):
        raise ValueError(f"matrices are not irreducible over R: End has dimension {len(basis)}")
    for row in canonical(basis.reshape(len(basis), -1)).reshape(-1, d, d):
        # What is left of a commuting map beside the earlier ones is antisymmetric and squares to a negative number.
        left = row - sum(np.vdot(e, row) / d * e for e in found)
        if (size := np.linalg.norm(left)) > 1e-6 and len(found) < min(len(basis), 3):
            found.append(left * np.sqrt(d) / size)
    if len(basis) == 4:
        found.append(found[1] @ found[2])
    return np.array(found)


def span(rows: Array) -> Array:
    """Orthonormal basis of the row space of (N, n), rows of order one."""
    _, sizes, basis = np.linalg.svd(rows, full_matrices=False)
    return basis[: int((sizes > 1e-8 * sizes.max(initial=1.0)).sum())]


def canonical(rows: Array) -> Array:
    """The orthonormal basis (N, n) of the row space of orthonormal `rows` that depends on the space alone.

    Reduced echelon form, pivots as far left as they go, then Gram-Schmidt in that order; first entries positive.
    """
    work = rows.copy()
    for i in range(len(work)):
        weights = np.abs(work[i:]).max(axis=0)
        column = int((weights > 1e-4 * weights.max()).argmax())
        pivot = i + int(np.abs(work[i:, column]).argmax())
        work[[i, pivot]] = work[[pivot, i]]
        work[i] /= work[i, column]
        others = np.arange(len(work)) != i
        work[others] -= work[others, column, None] * work[i]
    for i in range(len(work)):
        for _ in range(2):  # twice is enough to be orthogonal to the last bit
            work[i] -= work[:i].T @ (work[:i] @ work[i])
            work[i] /= np.linalg.norm(work[i])
        first = work[i][np.abs(work[i]) > 1e-6][0]
        work[i] *= np.sign(first)
    return work


def copies(maps: Array, endo: Array) -> Array:
    """From a basis of Hom(c, V), (N, V, c) with every endomorphism of c in it, one isometry for each copy of c in V.

    `endo` is (endo, c, c). The images of the N / endo maps returned are orthogonal and span c's isotypic part.

    >>> from eqlib import groups
    >>> a, twice = groups.SO2().irrep("1"), groups.SO2().rep("2x1")
    >>> maps = intertwiners((a.generators, a.discrete), (twice.generators(), twice.discrete()))
    >>> len(maps), copies(maps, a.endomorphisms).shape  # the commuting algebra is C, so two maps a copy
    (4, (2, 4, 2))
    """
    d = endo.shape[-1]
    if len(maps) == 0:
        return maps
    left = maps.reshape(len(maps), -1)
    chosen = []
    for _ in range(len(maps) // len(endo)):
        pick = canonical(span(left))[0].reshape(-1, d)
        pick *= np.sqrt(d) / np.linalg.norm(pick)
        chosen.append(pick)
        taken = span(np.array([(p @ e).ravel() for p in chosen for e in endo]))
        left = left - left @ taken.T @ taken
    return np.array(chosen).reshape(-1, maps.shape[1], d)
