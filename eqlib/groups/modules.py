"""Irreps of complex simple Lie algebras as sparse real matrices in an orthonormal weight basis.

Each positive root alpha has a root vector e_alpha and f_alpha = e_alpha^T with [e_alpha, f_alpha] = h_alpha, which is
(mu, alpha) on weight mu. A weight space is built when all above it stand, from the inner products (Shapovalov's form)
<f_i u, f_j v> = <u, f_j e_i v> + delta_ij <u, h_i v> over the simple roots, in which everything on the right is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
import scipy.linalg
import scipy.sparse

from eqlib.groups.element import Array, exponential
from eqlib.groups.roots import Integers, RootSystem, Weight, root_system

Sparse: TypeAlias = scipy.sparse.csr_array
MOST = 60_000  # dimension above which matrices of one irrep take gigabytes


class Module:
    """One complex irrep, in a basis of weight vectors, highest weight first, level after level.

    Attributes:
        system, label: which irrep.
        weights: (n, rank) the weights, by depth below the highest, then lexicographically.
        counts: (n,) their multiplicities.
        offsets: (n + 1,) where each weight space begins.
        simple: (rank,) sparse f_i of the simple roots; e_i is its transpose.
    """

    simple: list[Sparse]

    def __init__(self, system: RootSystem, label: Weight) -> None:
        if (size := system.dimension(label)) > MOST:
            raise ValueError(f"{system.type} {label} has dimension {size}: matrices are made up to dimension {MOST}")
        self.system, self.label = system, label
        weights, counts = system.weights(label)
        depth = ((np.array(label) - weights) @ system.inverse).sum(axis=1) // system.determinant
        order = np.lexsort((*(-weights.T[::-1]), depth))
        self.weights, self.counts, self.depths = weights[order], counts[order], depth[order]
        self.offsets = np.concatenate([[0], np.cumsum(self.counts)])
        self.index = {tuple(w): i for i, w in enumerate(self.weights.tolist())}
        self.dim = int(self.offsets[-1])
        dual = system.dual(label)
        if dual > label:
            # The conjugate of the other one, in its basis upside down: e_alpha -> -f_alpha is an automorphism.
            other = module(system.type, dual)
            turn = self.turned(other)
            self.simple = [Sparse(-(turn @ f.T @ turn.T)) for f in other.simple]
        else:
            self.simple = self._build()

    def turned(self, other: Module) -> Sparse:
        """Permutation that takes other's basis at weight mu to this one's at -mu."""
        rows = np.concatenate(
            [np.arange(self.offsets[i], self.offsets[i + 1]) for i in (self.index[tuple(-w)] for w in other.weights)]
        )
        return Sparse((np.ones(self.dim), (rows, np.arange(self.dim))), shape=(self.dim, self.dim))

    @cached_property
    def above(self) -> Integers:
        """(n, P) index of weight + alpha, -1 where that is no weight."""
        found = [[self.index.get(tuple(w), -1) for w in (self.weights + r).tolist()] for r in self.system.root_weights]
        return np.array(found).T

    def casimir(self, weights: Integers) -> Integers:
        """det(A) times the eigenvalue of 2 sum f_alpha e_alpha on these weights, (n,)."""
        rho, top, s = np.ones(self.system.rank, dtype=np.int64), np.array(self.label), self.system
        return s.product(top + rho, top + rho) - s.product(weights + rho, weights + rho)

    def _build(self) -> list[Sparse]:
        """f_i of the simple roots, weight space by weight space.

        Inner products over the simple roots are ill-conditioned, a little, at every level. Over all positive roots they are a
        multiple of a projection, by Casimir's theorem: deep modules of few roots, which lose digits otherwise, are built so.
        """
        system, above = self.system, self.above
        deep = self.depths[-1] > 24 and len(system.roots) <= 24
        used = len(system.roots) if deep else system.rank
        lower, raised = _mixed(system.type) if deep else ({}, {})
        # blocks[mu][a]: f_a from weight mu + alpha to mu.
        blocks: list[dict[int, Array]] = [{} for _ in self.weights]
        values = self.weights @ (system.roots * system.halves).T
        for mu in range(1, len(self.weights)):
            near = np.flatnonzero(above[mu, :used] >= 0).tolist()
            ends = np.cumsum([0, *(self.counts[above[mu, a]] for a in near)])
            gram = np.zeros((ends[-1], ends[-1]))
            for x, a in enumerate(near):
                high, where = int(above[mu, a]), slice(ends[x], ends[x + 1])
                for y, b in enumerate(near[: x + 1]):
                    right, part = int(above[mu, b]), np.zeros((ends[x + 1] - ends[x], ends[y + 1] - ends[y]))
                    if above[high, b] >= 0:
                        part += blocks[high][b] @ blocks[right][a].T
                    if (a, b) in lower and lower[a, b][0] in blocks[high]:
                        part += lower[a, b][1] * blocks[high][lower[a, b][0]]
                    if (a, b) in raised and raised[a, b][0] in blocks[right]:
                        part += raised[a, b][1] * blocks[right][raised[a, b][0]].T
                    gram[where, ends[y] : ends[y + 1]] = part
                    gram[ends[y] : ends[y + 1], where] = part.T
                gram[where, where] += values[high, a] * np.eye(ends[x + 1] - ends[x])
            found = root_of(gram, int(self.counts[mu]))
            blocks[mu] = dict(zip(near, np.split(found, ends[1:-1], axis=1), strict=True))
        return [self._assemble(i, blocks) for i in range(system.rank)]

    def _assemble(self, i: int, blocks: list[dict[int, Array]]) -> Sparse:
        rows, columns, values = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
        for mu in np.flatnonzero(self.above[:, i] >= 0):
            r, c = np.nonzero(np.abs(blocks[mu][i]) > 1e-13)
            rows.append(r + self.offsets[mu])
            columns.append(c + self.offsets[self.above[mu, i]])
            values.append(blocks[mu][i][r, c])
        place = np.concatenate(rows), np.concatenate(columns)
        return Sparse((np.concatenate(values), place), shape=(self.dim, self.dim))

    @cached_property
    def lower(self) -> list[Sparse]:
        """(P,) sparse f_alpha of every positive root, e_alpha = [e_i, e_beta] / N by `RootSystem.chains`."""
        found = list(self.simple)
        for i, beta, n in self.system.chains:
            f = self.simple[i]
            found.append(clean(Sparse((found[beta] @ f - f @ found[beta]) / n)))
        return found

    @cached_property
    def dense(self) -> tuple[list[Array], list[Array]]:
        """`simple` and `reflections` as dense arrays."""
        return [f.toarray() for f in self.simple], [s.toarray() for s in self.reflections]

    @cached_property
    def reflections(self) -> list[Sparse]:
        """(rank,) exp(pi/2 (E - F)) of each simple root's sl2: orthogonal, takes weight mu to s_i mu."""
        return [self._reflection(i) for i in range(self.system.rank)]

    def _reflection(self, i: int) -> Sparse:
        # Number the alpha_i strings, and the places inside each.
        string, place = np.zeros(self.dim, dtype=np.int64), np.zeros(self.dim, dtype=np.int64)
        sizes: list[int] = []
        for mu in np.flatnonzero(self.above[:, i] < 0).tolist():
            size, weight = 0, self.weights[mu]
            while (found := self.index.get(tuple(weight.tolist()))) is not None:
                here = slice(self.offsets[found], self.offsets[found + 1])
                string[here], place[here] = len(sizes), np.arange(size, size + self.counts[found])
                size, weight = size + int(self.counts[found]), weight - self.system.cartan[i]
            sizes.append(size)
        order = np.lexsort((place, string))
        start = np.concatenate([[0], np.cumsum(sizes)])
        turn = (self.simple[i].T - self.simple[i]).tocoo() * (np.pi / np.sqrt(2.0 * self.system.norms[i]))
        rows, columns, values = [], [], []
        for size in sorted(set(sizes)):
            members = np.flatnonzero(np.array(sizes) == size)
            number = np.full(len(sizes), -1)
            number[members] = np.arange(len(members))
            block = np.zeros((len(members), size, size))
            mine = number[string[turn.row]] >= 0
            block[number[string[turn.row[mine]]], place[turn.row[mine]], place[turn.col[mine]]] = turn.data[mine]
            where = order[start[members][:, None] + np.arange(size)]
            rows.append(np.broadcast_to(where[:, :, None], block.shape).ravel())
            columns.append(np.broadcast_to(where[:, None, :], block.shape).ravel())
            values.append(exponential(block).ravel())
        table = Sparse((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=2 * (self.dim,))
        return clean(table)


@cache
def module(type_: str, label: Weight) -> Module:
    """The irrep of a type with this highest weight, made once a process."""
    return Module(root_system(type_), label)


def compact_generators(
    system: RootSystem, lower: Sequence[Any], diagonal: Sequence[Any], which: Sequence[int]
) -> list[Any]:
    """The generators numbered `which`, complex, from the f_alpha and the h_i of the simple roots in any representation."""
    count, scale = len(system.roots), np.sqrt(2.0 * system.norms.max())
    # Rows of L^-1 with L L^T = ((alpha_i, alpha_j)) make an orthonormal basis out of the h_i.
    mixing = np.linalg.inv(np.linalg.cholesky((system.cartan * system.halves).astype(float)))
    found = []
    for n in which:
        if n < 2 * count:
            f = lower[n % count]
            found.append((f.T - f) / scale if n < count else 1j * (f.T + f) / scale)
        else:
            mixed = sum(c * h for c, h in zip(mixing[n - 2 * count], diagonal, strict=True))
            found.append(1j * np.sqrt(2) / scale * mixed)
    return found


@cache
def _mixed(type_: str) -> tuple[dict[tuple[int, int], tuple[int, float]], dict[tuple[int, int], tuple[int, float]]]:
    """[e_a, f_b] = n f_d and = n e_d, as {(a, b): (d, n)} each, read off the smallest module."""
    system = root_system(type_)
    f = np.array([x.toarray() for x in module(type_, next(islice(system.labels(), 1, None))).lower])
    place = {tuple(r): d for d, r in enumerate(system.roots.tolist())}
    lower: dict[tuple[int, int], tuple[int, float]] = {}
    raised: dict[tuple[int, int], tuple[int, float]] = {}
    for a, b in np.ndindex(len(f), len(f)):
        bracket = f[a].T @ f[b] - f[b] @ f[a].T
        for table, sign in ((lower, 1), (raised, -1)):
            d = place.get(tuple((sign * (system.roots[b] - system.roots[a])).tolist()))
            if d is not None:
                target = f[d] if sign > 0 else f[d].T
                table[a, b] = d, float(np.vdot(target, bracket) / np.vdot(target, target))
    return lower, raised


def root_of(gram: Array, rank: int) -> Array:
    """R (rank, n) with R^T R = gram, positive semidefinite of this rank.

    Pivoted Cholesky, near ties to the first, chooses the basis; eigenvectors give it to the last digits.
    """
    if rank == len(gram) == 1:
        return np.sqrt(gram)
    rest, rows = gram.copy(), []
    for _ in range(rank):
        diagonal = rest.diagonal()
        pivot = int((diagonal > diagonal.max() * (1 - 1e-6)).argmax())
        row = rest[pivot] / np.sqrt(diagonal[pivot])
        rows.append(row)
        rest = rest - np.outer(row, row)
    first = np.array(rows).reshape(rank, len(gram))
    values, vectors = np.linalg.eigh(gram)
    scale, basis = np.sqrt(values[-rank:]), vectors[:, -rank:]
    left, _, right = np.linalg.svd(first @ basis / scale)
    return (left @ right * scale) @ basis.T


def clean(matrix: Any) -> Any:
    """A matrix, dense or sparse, without the entries that are zero but for rounding."""
    if isinstance(matrix, np.ndarray):
        return np.where(np.abs(matrix) < 1e-13, 0.0, matrix)
    out = matrix.copy().tocsr()
    out.data[np.abs(out.data) < 1e-13] = 0.0
    out.eliminate_zeros()
    return out
