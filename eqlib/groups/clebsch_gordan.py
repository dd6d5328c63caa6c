"""Clebsch-Gordan tensors, Hom(a (x) b, c): closed form where the group knows one, a null space otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TypeAlias

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from eqlib.groups.element import Array
from eqlib.groups.irrep import DENSE, Irrep
from eqlib.groups.null_spaces import canonical, intertwiners, span

Sparse: TypeAlias = scipy.sparse.csr_array
Compressed: TypeAlias = tuple[NDArray[np.int64], Array]
CUT = 1e-11  # entries below are zeros that a selection rule forbids
TOLERANCE = 1e-10  # residual above which a solved tensor is an error
FEW = 3_000_000  # entries to check below which dense products are faster
MOST_DENSE = 2**27  # entries: one gigabyte
# Entries, 128 kB: a larger dense tensor is made anew, for groups keep their sparse ones, and what hangs on them, for good.
KEPT_DENSE = 2**14


@dataclass(frozen=True)
class CG:
    """Basis of Hom(a (x) b, c), sparse.

    Attributes:
        shape: (K, a.dim, b.dim, c.dim).
        indices: (nnz, 4) positions of the entries that are not exactly zero.
        values: (nnz,) float64.
        residual: largest violation of equivariance, relative to the generators.

    >>> from eqlib import groups
    >>> cg = groups.SO3().clebsch_gordan("1", "1", "0")  # the inner product over sqrt(3)
    >>> cg.shape, cg.indices.tolist(), np.round(cg.values, 6).tolist()
    ((1, 3, 3, 1), [[0, 0, 0, 0], [0, 1, 1, 0], [0, 2, 2, 0]], [0.57735, 0.57735, 0.57735])
    >>> groups.SO2().clebsch_gordan("1", "1", "2").shape  # two maps, for 2 is of complex type
    (2, 2, 2, 2)
    """

    shape: tuple[int, int, int, int]
    indices: NDArray[np.int64]
    values: Array
    residual: float

    @cached_property
    def _dense(self) -> Array:
        return self._made_dense()

    def _made_dense(self) -> Array:
        out = np.zeros(self.shape)
        out[tuple(self.indices.T)] = self.values
        out.setflags(write=False)
        return out

    def dense(self) -> Array:
        """(K, a.dim, b.dim, c.dim), read-only; ValueError where that would take more than a gigabyte."""
        if (size := prod(self.shape)) > MOST_DENSE:
            raise ValueError(
                f"a dense tensor of shape {self.shape} takes {size * 8 / 2**30:.1f} GiB, more than 1: "
                f"use indices and values, {len(self.values)} entries"
            )
        return self._dense if size <= KEPT_DENSE else self._made_dense()


def clebsch_gordan(a: Irrep, b: Irrep, c: Irrep) -> CG:
    """See `Group.clebsch_gordan`."""
    group = a.group
    expected = group.tensor_product(a, b).get(c, 0) * c.endo
    shape = (expected, a.dim, b.dim, c.dim)
    if expected == 0:
        return CG(shape, np.zeros((0, 4), dtype=np.int64), np.zeros(0), 0.0)
    found = group.clebsch_gordan_span(a, b, c)
    if found is None:
        product = tuple(
            _product(x, y, alg) for x, y, alg in zip(a.constraints, b.constraints, (True, False), strict=True)
        )
        maps = intertwiners((product[0], product[1]), c.constraints)
        found = np.moveaxis(maps.reshape(-1, c.dim, a.dim, b.dim), 1, 3)
    # Everything below works on the positions where some row is not zero, flat and ascending.
    if isinstance(found, np.ndarray):
        found = found.reshape(len(found), -1)
        where = np.flatnonzero(np.abs(found).max(axis=0) > CUT / 100)
        where, rows = where, found[:, where]
    else:
        where, rows = found
    if len(rows) > 1 or expected > 1:
        rows = span(rows)
    if len(rows) != expected:
        raise ValueError(f"Hom({a} (x) {b}, {c}) has dimension {len(rows)}, its multiplicity says {expected}")
    if not (expected == 1 and group.fixes_signs):
        rows = np.concatenate([canonical(part) for part in _swap_parts(rows, where, shape[1:], a == b)])
    rows *= np.sqrt(c.dim / (rows**2).sum(axis=1, keepdims=True))
    k, n = np.nonzero(np.abs(rows) >= CUT)
    values = rows[k, n]
    indices = np.stack([k, *np.unravel_index(where[n], shape[1:])], axis=1)
    residual = _residual(CG(shape, indices, values, 0.0), a, b, c)
    if residual > TOLERANCE:
        raise ValueError(f"Clebsch-Gordan tensor {a} (x) {b} -> {c} has residual {residual:.1e}, above {TOLERANCE:.0e}")
    return CG(shape, indices, values, residual)


def _product(x: Array, y: Array, algebra: bool) -> Array:
    """Matrices of a (x) b: x (x) y for group elements, x (x) 1 + 1 (x) y for generators."""
    dx, dy = x.shape[-1], y.shape[-1]
    if algebra:
        pairs = [np.kron(s, np.eye(dy)) + np.kron(np.eye(dx), t) for s, t in zip(x, y, strict=True)]
    else:
        pairs = [np.kron(s, t) for s, t in zip(x, y, strict=True)]
    return np.array(pairs).reshape(len(x), dx * dy, dx * dy)


def compressed(rows: list[Array | Sparse]) -> Compressed:
    """Flat positions, ascending, where some of the matrices is not zero but for rounding, and their values there."""
    parts = []
    for x in rows:
        x = scipy.sparse.coo_array(x)
        keep = np.abs(x.data) > CUT / 100
        parts.append((x.row[keep].astype(np.int64) * x.shape[1] + x.col[keep], x.data[keep]))
    where = np.unique(np.concatenate([flat for flat, _ in parts]))
    values = np.zeros((len(rows), len(where)))
    for row, (flat, data) in zip(values, parts, strict=True):
        row[np.searchsorted(where, flat)] = data
    return where, values


def _swapped(where: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Flat positions with the first two axes, of one length, exchanged."""
    i, j, k = np.unravel_index(where, shape)
    return np.ravel_multi_index((j, i, k), shape)


def _swap_parts(rows: Array, where: NDArray[np.int64], shape: tuple[int, ...], symmetric: bool) -> list[Array]:
    """For a = b the symmetric and the antisymmetric part of the space, else the space."""
    if not symmetric:
        return [rows]
    place = np.minimum(np.searchsorted(where, other := _swapped(where, shape)), len(where) - 1)

    def swap(x: Array) -> Array:
        return np.where(where[place] == other, x[:, place], 0.0)

    values, vectors = np.linalg.eigh(rows @ swap(rows).T)
    parts = [(sign, vectors[:, values * sign > 0].T @ rows) for sign in (1.0, -1.0)]
    return [(x + sign * swap(x)) / 2 for sign, x in parts if len(x)]


def _residual(cg: CG, a: Irrep, b: Irrep, c: Irrep) -> float:
    """Largest violation of equivariance over generators and components, relative to the size of the matrices."""
    worst = 0.0
    # Dense generators of a large group would stay in memory: 120 MB for E8's 248.
    held = a.group.dim * max(cg.shape[1:]) ** 2
    if prod(cg.shape) * len(a.group.generating) < FEW and held < DENSE:
        tensors = cg.dense()
        for n in a.group.generating:
            x, y, z = (v.generators[n] for v in (a, b, c))
            moved = np.tensordot(tensors, x, (1, 0)).transpose(0, 3, 1, 2) + np.tensordot(tensors, y, (2, 0)).swapaxes(
                2, 3
            )
            moved -= tensors @ z.T
            worst = max(worst, np.abs(moved).max() / (max(np.abs(m).max() for m in (x, y, z)) or 1.0))
    else:
        one, two = scipy.sparse.eye_array(a.dim, format="csr"), scipy.sparse.eye_array(b.dim, format="csr")
        flat = cg.indices[:, 1] * b.dim + cg.indices[:, 2], cg.indices[:, 0] * c.dim + cg.indices[:, 3]
        tensors = scipy.sparse.csr_array((cg.values, flat), shape=(a.dim * b.dim, cg.shape[0] * c.dim))
        copies_ = scipy.sparse.eye_array(cg.shape[0], format="csr")
        for x, y, z in zip(a.generating, b.generating, c.generating, strict=True):
            moved = (scipy.sparse.kron(x.T, two) + scipy.sparse.kron(one, y.T)) @ tensors
            moved = moved - tensors @ scipy.sparse.kron(copies_, z.T)
            size = max(np.abs(m.data).max(initial=0.0) for m in (x, y, z)) or 1.0
            worst = max(worst, np.abs(moved.data).max(initial=0.0) / size)
    for n in a.group.generating_components:
        x, y, z = (v.discrete[n] for v in (a, b, c))
        moved = np.einsum("kijm,il,jp,mn->klpn", cg.dense(), x, y, z, optimize=True)
        worst = max(worst, np.abs(moved - cg.dense()).max())
    return float(worst)
