"""A group inside another: embedding, restriction of a rep, the regular rep of a finite group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqlib.groups.element import Array, Element
from eqlib.groups.group import Group, Irrep
from eqlib.groups.intertwiners import copies, intertwiners
from eqlib.groups.rep import Rep


@dataclass(frozen=True)
class Embedding:
    """A homomorphism from a group H into a group G.

    Attributes:
        algebra: (H.dim, G.dim), the image of each generator of H in G's generators.
        components: G's element for each component of H.
    """

    algebra: Array
    components: Element

    def matrices(self, a: Irrep, sub: Group) -> tuple[Array, Array]:
        """Generators (H.dim, d, d) and matrices of H's generating components (n, d, d), of an irrep of G, seen from H."""
        chosen = self.components[list(sub.generating_components)]
        return np.einsum("ha,aij->hij", self.algebra, a.generators), a(chosen)


def embed(sub: Group, group: Group) -> Embedding:
    """How `sub` sits in `group` where both act on the same raw coordinates; ValueError where they do not."""
    if sub.vector.dim != group.vector.dim:
        raise ValueError(
            f"{sub} acts on {sub.vector.dim} coordinates and {group} on {group.vector.dim}: give the embedding"
        )
    ours, theirs = (g.coordinates.T @ g.vector.generators() @ g.coordinates for g in (sub, group))
    size = group.vector.dim**2
    algebra = np.asarray(
        np.linalg.lstsq(theirs.reshape(-1, size).T, ours.reshape(-1, size).T, rcond=None)[0].T, dtype=np.float64
    )
    if not np.allclose(np.einsum("ha,aij->hij", algebra, theirs), ours, atol=1e-10):
        raise ValueError(f"{sub} is no subgroup of {group}: its generators are not in {group}'s Lie algebra")
    algebra = np.where(np.abs(algebra) < 1e-12, 0.0, algebra)
    index = np.arange(sub.components)
    components = group.from_matrix(sub.matrix(sub.element(np.zeros((sub.components, sub.dim)), index)))
    return Embedding(algebra.reshape(sub.dim, group.dim), components)


def restrict(rep: Rep, sub: Group, embedding: Embedding | None = None) -> tuple[Rep, Array]:
    """The rep of `sub` that a rep of a larger group becomes, and its basis.

    Returns (new, Q), Q (rep.dim, rep.dim) orthogonal, with rep(h) = Q new(h) Q^T for every h in `sub`.
    Without `embedding` both groups must act on the same raw coordinates.
    """
    if rep.group == sub:
        return rep, np.eye(rep.dim)
    inside = embedding or embed(sub, rep.group)
    blocks: list[tuple[int, Irrep]] = []
    columns = [np.zeros((rep.dim, 0))]
    for (mul, a), where in zip(rep.blocks, rep.slices, strict=True):
        small, q = decompose(inside.matrices(a, sub), sub)
        for copy in range(mul):
            column = np.zeros((rep.dim, a.dim))
            column[where.start + copy * a.dim : where.start + (copy + 1) * a.dim] = q
            columns.append(column)
            blocks += small
    return Rep(sub, tuple(blocks)), np.concatenate(columns, axis=1)


def decompose(matrices: tuple[Array, Array], sub: Group) -> tuple[list[tuple[int, Irrep]], Array]:
    """Irreps of `sub` in a rep given by matrices (as `Irrep.constraints`), and the orthogonal Q with rep = Q irreps Q^T."""
    dim = matrices[1].shape[-1]
    blocks, columns = [], []
    left = dim
    for tried, b in enumerate(sub.irreps()):
        if left == 0:
            break
        if tried == 500:  # a list of irreps may be endless, a decomposition is not
            raise ValueError(f"{left} of {dim} dimensions fit none of the first {tried} irreps of {sub}")
        if b.dim > left:
            continue
        maps = intertwiners(b.constraints, matrices)
        for q in copies(maps, b.endomorphisms):
            q = np.where(np.abs(q) < 1e-11, 0.0, q)
            blocks.append((1, b))
            columns.append(q)
            left -= b.dim
    return blocks, np.concatenate(columns, axis=1)


def regular(group: Group) -> tuple[Rep, Array]:
    """The regular rep of a finite group, (L_h f)(g) = f(h^-1 g), and the basis of its irreps.

    Returns (rep, Q), Q (order, order) orthogonal from irrep components to values on the elements (in the order of
    components), so that Q rep(h) Q^T is a permutation: a pointwise function acts on irrep components x as Q^T f(Q x).
    Each irrep occurs dim / endo times. ValueError for an infinite group.
    """
    if group.dim:
        raise ValueError(f"{group} is infinite: only a finite group has a regular rep here")
    blocks, columns = [], []
    for a in group.irreps():
        # Matrix elements of a column e_j span a copy of a; e_j and J e_j span the same one.
        used = np.zeros((0, a.dim))
        for unit in np.eye(a.dim):
            orbit = a.endomorphisms @ unit
            if len(used) == 0 or np.linalg.norm(used @ unit) < 0.5:
                used = np.concatenate([used, orbit])
                columns.append(np.sqrt(a.dim / group.components) * a.discrete @ unit)
                blocks.append((1, a))
    # D(g) u as a function of g: (L_h f)(g) = D(h^-1) D(g) u, so components move by D(h) from the left.
    return Rep(group, tuple(blocks)), np.concatenate(columns, axis=1)
