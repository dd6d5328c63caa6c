"""Intertwiners between modules of a simple Lie algebra: highest-weight vectors, and what follows from them.

An intertwiner is fixed by the image of the highest-weight vector. Below it, a dominant weight follows by lowering, and any other
by a reflection of the Weyl group, lifted to an orthogonal matrix, so that no digit is lost on the long way down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse

from eqlib.groups.element import Array
from eqlib.groups.modules import Module, Sparse, clean, module
from eqlib.groups.null_spaces import canonical
from eqlib.groups.roots import Integers, Weight

Matrix: TypeAlias = Any  # a dense Array, or a scipy.sparse one
Polish: TypeAlias = Callable[[Integers, Matrix], Matrix]
FEW = 4_000_000  # entries of a product's matrices below which dense ones are faster


def extend(
    small: Module, top: Matrix, lower: Sequence[Matrix], reflections: Sequence[Matrix], polish: Polish
) -> Matrix:
    """The intertwiner (n, small.dim) from `small` whose value on the highest-weight vector is `top` (n, 1).

    `lower` and `reflections` act on the target, all dense or all sparse, as the result is; `polish` takes (weight, columns).
    """
    dense = isinstance(top, np.ndarray)
    simple, turns = small.dense if dense else (small.simple, small.reflections)
    columns = [np.arange(i, j) for i, j in zip(small.offsets[:-1], small.offsets[1:], strict=True)]
    parts: list[Matrix] = [top] * len(small.weights)
    first = small.weights.argmin(axis=1)
    negative = np.asarray((small.weights < 0).any(axis=1))
    for level in range(1, int(small.depths[-1]) + 1):
        here = np.flatnonzero(small.depths == level)
        for mu in here[~negative[here]]:
            total, gram = [], np.zeros(2 * (len(columns[mu]),))
            for i, high in enumerate(small.above[mu, : small.system.rank]):
                if high >= 0:
                    f = _block(simple[i], columns[mu], columns[high])
                    total.append(lower[i] @ (parts[high] @ f.T))
                    gram += (f @ f.T) if dense else (f @ f.T).toarray()
            inverse = np.linalg.inv(gram) if dense else Sparse(np.linalg.inv(gram))
            parts[mu] = clean(polish(small.weights[mu], sum(total[1:], start=total[0]) @ inverse))
        for i in range(small.system.rank):
            group = here[negative[here] & (first[here] == i)]
            if len(group) == 0:
                continue
            moved = small.weights[group] - small.weights[group, i, None] * small.system.cartan[i]
            source = [small.index[tuple(w)] for w in moved.tolist()]
            turn = _block(turns[i], *(np.concatenate([columns[mu] for mu in x]) for x in (group, source)))
            after = clean(reflections[i] @ (beside([parts[s] for s in source]) @ turn.T))
            for mu, part in zip(group, _apart(after, small.counts[group]), strict=True):
                parts[mu] = part
    return beside(parts)


def _block(matrix: Matrix, rows: Integers, columns: Integers) -> Matrix:
    return matrix[rows][:, columns]


def beside(parts: list[Matrix]) -> Matrix:
    """Matrices side by side; sparse ones by columns, without scipy's checks of every part."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts, axis=1)
    parts = [x if x.format == "csc" else x.tocsc() for x in parts]
    starts = np.cumsum([0, *(x.nnz for x in parts)])
    ends = np.concatenate([[0], *(x.indptr[1:] + start for x, start in zip(parts, starts, strict=False))])
    whole = np.concatenate([x.data for x in parts]), np.concatenate([x.indices for x in parts]), ends
    return scipy.sparse.csc_array(whole, shape=(parts[0].shape[0], len(ends) - 1))


def _apart(matrix: Matrix, sizes: Integers) -> list[Matrix]:
    """The blocks of columns of these sizes."""
    ends = np.cumsum([0, *sizes])
    if isinstance(matrix, np.ndarray):
        return np.split(matrix, ends[1:-1], axis=1)
    whole, out = matrix.tocsc(), []
    for i, j in zip(ends[:-1], ends[1:], strict=True):
        here = slice(whole.indptr[i], whole.indptr[j])
        rows = whole.data[here], whole.indices[here], whole.indptr[i : j + 1] - whole.indptr[i]
        out.append(scipy.sparse.csc_array(rows, shape=(whole.shape[0], j - i)))
    return out


def mirror(v: Module) -> Sparse:
    """For a self-dual irrep, the orthogonal T for which T conj(v) commutes with the compact group.

    T f_alpha = -e_alpha T; T T = 1 for the real type and -1 for the quaternionic one.
    """
    if v.system.dual(v.label) != v.label:
        raise ValueError(f"{v.system.type} {v.label} is not self-dual")
    top = np.zeros((v.dim, 1))
    top[-1] = 1.0
    if v.dim**2 * v.system.rank < FEW:
        simple, turns = v.dense
        return Sparse(extend(v, top, [-f.T for f in simple], turns, lambda _, columns: columns))
    return extend(v, Sparse(top), [Sparse(-f.T) for f in v.simple], v.reflections, lambda _, columns: columns)


class ModuleProduct:
    """a (x) b over C: its action, and the eigenspaces of 2 sum f_alpha e_alpha weight by weight."""

    def __init__(self, a: Module, b: Module) -> None:
        self.a, self.b, self.system = a, b, a.system
        self.dense = (a.dim * b.dim) ** 2 * len(self.system.roots) < FEW
        self._spectra: dict[Weight, tuple[Integers, Array, Array]] = {}

    @cached_property
    def lower(self) -> list[Matrix]:
        """(P,) f_alpha on the product."""
        pairs = zip(self.a.lower, self.b.lower, strict=True)
        if not self.dense:
            one, two = (scipy.sparse.eye_array(m.dim, format="csr") for m in (self.a, self.b))
            return [Sparse(scipy.sparse.kron(f, two) + scipy.sparse.kron(one, g)) for f, g in pairs]
        (m, n), found = (self.a.dim, self.b.dim), []
        for f, g in pairs:
            out = np.zeros((m, n, m, n))
            out[:, np.arange(n), :, np.arange(n)] += f.toarray()
            out[np.arange(m), :, np.arange(m), :] += g.toarray()
            found.append(out.reshape(m * n, m * n))
        return found

    @cached_property
    def reflections(self) -> list[Matrix]:
        """(rank,) the lifted simple reflections on the product."""
        pairs = zip(self.a.reflections, self.b.reflections, strict=True)
        if self.dense:
            return [np.kron(s.toarray(), t.toarray()) for s, t in pairs]
        return [Sparse(scipy.sparse.kron(s, t)) for s, t in pairs]

    def release(self) -> None:
        """Let go of a large action, 120 MB for E8's 248 x 248, which is soon made again; the eigenspaces stay."""
        if not self.dense:
            for name in ("lower", "reflections"):
                self.__dict__.pop(name, None)

    def change(self, p: Sparse, q: Sparse, t: Matrix) -> Matrix:
        """(p (x) q)^T t for maps p and q onto a and b."""
        if not self.dense:
            return Sparse(scipy.sparse.kron(p.T, q.T)) @ t
        half = (p.T @ t.reshape(self.a.dim, -1)).reshape(p.shape[1], self.b.dim, -1)
        return np.matmul(q.T.toarray(), half).reshape(p.shape[1] * q.shape[1], -1)

    @cached_property
    def _row_weights(self) -> Integers:
        """(dim,) number of each basis vector's weight, in `_numbers`."""
        one, two = (np.repeat(m.weights, m.counts, axis=0) for m in (self.a, self.b))
        low = one.min(axis=0) + two.min(axis=0)
        span = one.max(axis=0) + two.max(axis=0) - low + 1
        self._low, self._places = low, np.concatenate([[1], np.cumprod(span[:-1])])
        return ((one[:, None] + two[None, :] - low) @ self._places).ravel()

    def rows(self, weight: Integers) -> Integers:
        """Which basis vectors of the product have this weight."""
        numbers = self._row_weights
        return np.flatnonzero(numbers == int((weight - self._low) @ self._places))

    def spectrum(self, weight: Integers) -> tuple[Integers, Array, Array]:
        """Rows, eigenvalues and eigenvectors of 2 sum f_alpha e_alpha on one weight space."""
        key = tuple(weight.tolist())
        if key not in self._spectra:
            rows = self.rows(weight)
            form = np.zeros((len(rows), len(rows)))
            for f in self.lower:
                part = f[rows] @ f[rows].T
                form += 2 * (part if self.dense else part.toarray())
            self._spectra[key] = rows, *np.linalg.eigh(form)
        return self._spectra[key]

    def eigenspace(self, weight: Integers, value: float) -> tuple[Integers, Array]:
        """Rows and an orthonormal basis (len(rows), n) of the eigenspace."""
        rows, values, vectors = self.spectrum(weight)
        return rows, vectors[:, np.abs(values - value) < 1e-6]

    def intertwiners(self, c: Module) -> list[Matrix]:
        """Isometries (a.dim * b.dim, c.dim) with orthogonal images, as many as c occurs in a (x) b."""
        rows, found = self.eigenspace(np.array(c.label), 0.0)

        def polish(weight: Integers, columns: Matrix) -> Matrix:
            value = float(c.casimir(weight)) / self.system.determinant
            where, space = self.eigenspace(weight, value)
            part = columns[where]
            return self._placed(where, space @ (space.T @ (part if self.dense else part.toarray())))

        maps = []
        for vector in canonical(found.T) if found.size else []:
            top = self._placed(rows, np.where(np.abs(vector) < 1e-13, 0.0, vector)[:, None])
            maps.append(extend(c, top, self.lower[: self.system.rank], self.reflections, polish))
        return maps

    def _placed(self, rows: Integers, values: Array) -> Matrix:
        """`values` in these rows, zero elsewhere."""
        shape = self.a.dim * self.b.dim, values.shape[1]
        if self.dense:
            out = np.zeros(shape)
            out[rows] = values
            return out
        place = np.repeat(rows, shape[1]), np.tile(np.arange(shape[1]), len(rows))
        return Sparse((values.ravel(), place), shape=shape)


@lru_cache(maxsize=4)  # what one real product needs; a table over all pairs would fill the memory
def module_product(type_: str, left: Weight, right: Weight) -> ModuleProduct:
    """The product of two irreps; the last few are kept."""
    return ModuleProduct(module(type_, left), module(type_, right))
