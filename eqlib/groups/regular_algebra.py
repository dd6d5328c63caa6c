"""The real irreps of a finite group, from its multiplication table alone.

Right multiplication by a symmetric element r of the group algebra, (R f)(x) = sum_y r(x^-1 y) f(y), commutes with the left
regular rep. For a generic r each of its eigenspaces is one real irrep, and an irrep of dimension d comes d / endo times
(Serre, Linear representations of finite groups, Sec. 6.2 and 13.2).

An eigenspace is known up to a rotation. `canonical_matrices` picks the basis that depends on the group and the order of its
generators s_1, s_2, ... alone: eigenspaces of s_1 + s_1^-1, in each of them those of s_2 + s_2^-1, and so on. For the
symmetric group that gives Young's orthogonal form.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from eqlib.groups.closure import Closure, Index, tidy
from eqlib.groups.element import Array

TOLERANCE = 1e-12  # residual of the homomorphism above which matrices are an error


@dataclass(frozen=True)
class Space:
    """One real irrep inside the regular rep.

    Attributes:
        basis: (order, d) orthonormal functions on the group.
        character: (classes,) real character.
        endo: 1, 2 or 4.
    """

    basis: Array
    character: Array
    endo: int


def inverses(table: Index) -> Index:
    """(order,) index of each element's inverse."""
    return np.asarray((table == 0).argmax(axis=1))


def conjugacy_classes(table: Index) -> list[Index]:
    """Conjugacy classes, each ascending, ordered by their first element."""
    inverse, found, seen = inverses(table), [], np.zeros(len(table), dtype=bool)
    for x in range(len(table)):
        if not seen[x]:
            found.append(np.unique(table[table[:, x], inverse]))
            seen[found[-1]] = True
    return found


def irreducible_spaces(table: Index) -> list[Space]:
    """One space for each real irrep: ascending dimension, then descending character, class after class."""
    order, inverse = len(table), inverses(table)
    classes = conjugacy_classes(table)
    sizes = np.array([len(c) for c in classes])
    r = np.random.default_rng(0).random(order) - 0.5
    r += r[inverse]
    values, vectors = np.linalg.eigh(r[table[inverse]] / np.sqrt(order))
    cuts = np.flatnonzero(np.diff(values) > 1e-10) + 1
    found: dict[tuple[float, ...], Space] = {}
    for basis in np.split(vectors, cuts, axis=1):
        # The projector onto the space is k(y^-1 x); the trace of g on it is the mean of k over g's class, times the order.
        k = basis @ basis[0]
        character = np.array([k[c].mean() for c in classes]) * order
        key = (float(basis.shape[1]), *(-character).round(6).tolist())
        if key not in found:
            found[key] = Space(basis, character, round(float(sizes @ character**2) / order))
    spaces = [found[key] for key in sorted(found)]
    if sum(s.basis.shape[1] ** 2 // s.endo for s in spaces) != order or any(s.endo not in (1, 2, 4) for s in spaces):
        raise ValueError(f"the regular rep of a group of order {order} was not split into its irreps")
    return spaces


def canonical_matrices(space: Space, table: Index, closure: Closure) -> tuple[Array, Array]:
    """Orthogonal matrices (order, d, d) of every element, and the commuting algebra (endo, d, d), identity first."""
    raw = _expand(space.basis, table, closure)
    blocks = _split(raw, [*closure.step[0], *range(len(table))], space.endo)
    first = blocks[0] @ _first_basis(np.einsum("ai,nab,bj->nij", blocks[0], raw, blocks[0], optimize=True))
    columns = [first]
    for block in blocks[1:]:
        # Schur: a map from the first block is a number times an isometry, which carries the basis over, phase included.
        reached = np.einsum("ai,nab,bj->nij", block, raw, first, optimize=True)
        size = np.linalg.norm(reached, axis=(1, 2))
        pick = int((size > 1e-3).argmax())
        columns.append(block @ reached[pick] * np.sqrt(space.endo) / size[pick])
    u, _, v = np.linalg.svd(np.concatenate(columns, axis=1))
    basis = u @ v
    left, right = _units(space.endo)
    m, e = len(blocks), space.endo
    matrices = np.einsum("ai,nab,bj->nij", basis, raw, basis, optimize=True).reshape(-1, m, e, m, e)
    numbers = np.einsum("nikjl,qkl->nijq", matrices, left, optimize=True) / e
    matrices = tidy(np.einsum("nijq,qkl->nikjl", numbers, left, optimize=True).reshape(-1, m * e, m * e))
    residual = max(
        np.abs(matrices @ matrices[s] - matrices[closure.step[:, i]]).max() for i, s in enumerate(closure.step[0])
    )
    if residual > TOLERANCE:
        raise ValueError(f"matrices of an irrep of dimension {m * e} have residual {residual:.1e}, above {TOLERANCE}")
    return matrices, np.array([np.kron(np.eye(m), x) for x in right])


def _restricted(basis: Array, table: Index, elements: Index) -> Array:
    """(n, d, d) matrices of the left regular rep, (L_g f)(x) = f(g^-1 x), on the space.

    The space's own error enters squared only: what leaks out of one invariant space lies in another.
    """
    inverse = inverses(table)
    return np.array([basis.T @ basis[table[inverse[g]]] for g in elements])


def _expand(basis: Array, table: Index, closure: Closure) -> Array:
    """(order, d, d) matrices of all elements, as products along the tree in which the elements were found.

    Every 32 levels they are read off the regular rep again, lest rounding adds up (a thousand turns are a long product).
    """
    order, d = basis.shape
    letters = _restricted(basis, table, closure.step[0])
    depth = np.zeros(order, dtype=np.int64)
    for j in range(1, order):
        depth[j] = depth[closure.parent[j]] + 1
    matrices = np.broadcast_to(np.eye(d), (order, d, d)).copy()
    for level in range(1, int(depth.max()) + 1):
        here = np.flatnonzero(depth == level)
        if level % 32:
            matrices[here] = matrices[closure.parent[here]] @ letters[closure.letter[here]]
        else:
            matrices[here] = _restricted(basis, table, here)
    return matrices


def _split(matrices: Array, elements: Iterable[int], endo: int) -> list[Array]:
    """Orthonormal bases (d, endo) of eigenspaces of g + g^-1, one element g inside the other's, larger eigenvalues first."""
    blocks = [np.eye(matrices.shape[-1])]
    for g in elements:
        if all(b.shape[1] == endo for b in blocks):
            break
        x = matrices[g]
        new: list[Array] = []
        for b in blocks:
            values, vectors = np.linalg.eigh(b.T @ (x + x.T) @ b)
            cuts = np.flatnonzero(np.diff(values[::-1]) < -1e-6) + 1
            new += np.split(b @ vectors[:, ::-1], cuts, axis=1) if len(cuts) else [b]
        blocks = new
    return blocks


def _first_basis(matrices: Array) -> Array:
    """(e, e) basis v, Iv, Jv, IJv for matrices (n, e, e) that span R, C or H; I is the first that is not real, J the next."""
    e = matrices.shape[-1]
    units: list[Array] = [np.eye(e)]
    for x in matrices:
        left = x - sum((np.vdot(u, x) / e) * u for u in units)
        if len(units) < min(e, 3) and (size := np.linalg.norm(left)) > 1e-6:
            units.append(left * np.sqrt(e) / size)
    if e == 4:
        units.append(units[1] @ units[2])
    return np.array([u[:, 0] for u in units]).T


def _units(endo: int) -> tuple[Array, Array]:
    """Left and right multiplication by 1, i, j, k in the basis 1, i, j, k of R, C or H, each (endo, endo, endo)."""
    products = {(1, 2): (3, 1), (2, 3): (1, 1), (3, 1): (2, 1), (2, 1): (3, -1), (3, 2): (1, -1), (1, 3): (2, -1)}
    left = np.zeros((endo, endo, endo))
    for a in range(endo):
        for b in range(endo):
            c, sign = (a + b, 1) if 0 in (a, b) else (0, -1) if a == b else products[a, b]
            left[a, c, b] = sign
    right = left.transpose(2, 1, 0).copy()
    if endo == 4:
        right[3] = right[1] @ right[2]
    return left, right
