"""A group inside another: restriction and induction of reps, the regular rep of a finite group."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from eqlib import doors
from eqlib.doors import typed
from eqlib.groups.element import Array
from eqlib.groups.embedding import Embedding, check_products, embed
from eqlib.groups.group import Group
from eqlib.groups.irrep import Irrep
from eqlib.groups.null_spaces import copies, intertwiners
from eqlib.groups.rep import Rep, same_group


@typed
def restrict(rep: Rep, sub: Group, embedding: Embedding | None = None) -> tuple[Rep, Array]:
    """The rep of `sub` that a rep of a larger group becomes, and its basis.

    Returns (new, Q), Q (rep.dim, rep.dim) orthogonal, with rep(h) = Q new(h) Q^T for every h in `sub`.
    Without `embedding` both groups must act on the same raw coordinates.

    >>> from eqlib import groups
    >>> new, q = restrict(groups.O3().rep("2e"), groups.Octahedral(True))  # a d shell in a cubic crystal: e_g and t_2g
    >>> new, q.shape
    (Octahedral(inversion=True): 1x2a+1x3c, (5, 5))
    >>> restrict(groups.SO3().rep("2"), groups.SO3())[0]
    SO3: 1x2
    """
    if rep.group == sub and embedding is None:
        return rep, np.eye(rep.dim)
    inside = _inside(sub, rep.group, embedding)
    if embedding is None and sub.components > 1:  # of a covering group, coordinates tell elements up to a sign
        check_products(sub, rep.group, [a(inside.components) for a in dict.fromkeys(a for _, a in rep.blocks)])
    doors.affordable(f"basis of {rep.group}'s rep of dimension {rep.dim}", rep.dim**2)
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


def _inside(sub: Group, group: Group, embedding: Embedding | None) -> Embedding:
    """The embedding that was given, which must be a homomorphism, or the one that both groups' coordinates make."""
    if embedding is None:
        return embed(sub, group)
    embedding.check(sub, group)
    return embedding


def decompose(matrices: tuple[Array, Array], group: Group) -> tuple[list[tuple[int, Irrep]], Array]:
    """Irreps of `group` in a rep given by matrices (as `Irrep.constraints`), and the orthogonal Q with rep = Q irreps Q^T."""
    return _fill(group, matrices[1].shape[-1], lambda b: intertwiners(b.constraints, matrices))


def _fill(group: Group, dim: int, maps_from: Callable[[Irrep], Array]) -> tuple[list[tuple[int, Irrep]], Array]:
    """Irreps that fill `dim` dimensions, and their orthonormal basis, from a basis (n, dim, b.dim) of the maps from each b."""
    blocks, columns = [], []
    left, large = dim, 0
    for tried, b in enumerate(group.irreps()):
        if left == 0:
            break
        if tried == 500 or large == 50:  # a list of irreps may be endless, a decomposition is not
            raise ValueError(
                f"{left} of {dim} dimensions fit none of the first {tried} irreps of {group}: the matrices are no "
                "representation of it"
            )
        large = large + 1 if b.dim > left else 0
        if large:
            continue
        for q in copies(maps_from(b), b.endomorphisms):
            blocks.append((1, b))
            columns.append(np.where(np.abs(q) < 1e-11, 0.0, q))
            left -= b.dim
    if left:
        raise ValueError(
            f"{left} of {dim} dimensions fit no irrep of {group}: the matrices are no representation of it"
        )
    return blocks, np.concatenate(columns, axis=1)


@typed
def regular(group: Group) -> tuple[Rep, Array]:
    """The regular rep of a finite group, (L_h f)(g) = f(h^-1 g), and the basis of its irreps.

    Returns (rep, Q), Q (order, order) orthogonal from irrep components to values on the elements (in the order of
    components), so that Q rep(h) Q^T is a permutation: a pointwise function acts on irrep components x as Q^T f(Q x).
    Each irrep occurs dim / endo times. ValueError for an infinite group.

    >>> from eqlib import groups
    >>> group = groups.Symmetric(3)
    >>> rep, q = regular(group)
    >>> rep
    Symmetric(3): 1x1a+1x1b+1x2a+1x2a
    >>> moved = q @ rep(group.sample(1)) @ q.T  # a permutation of the values on the six elements
    >>> sorted(set(np.round(np.abs(moved), 9).ravel().tolist()))
    [0.0, 1.0]
    """
    if group.dim:
        raise ValueError(f"{group} is infinite: only a finite group has a regular rep here")
    doors.affordable(f"regular rep of {group}", group.components**2)
    blocks, columns = [], []
    for a in group.irreps():
        for unit in spanning_vectors(a):
            columns.append(np.sqrt(a.dim / group.components) * a.discrete @ unit)
            blocks.append((1, a))
    # D(g) u as a function of g: (L_h f)(g) = D(h^-1) D(g) u, so components move by D(h) from the left.
    return Rep(group, tuple(blocks)), np.concatenate(columns, axis=1)


@typed
def spanning_vectors(a: Irrep) -> Array:
    """Unit vectors u, (dim / endo, dim), whose matrix elements g -> D(g) u span all copies of `a` in the functions on a group.

    >>> from eqlib import groups
    >>> spanning_vectors(groups.SO2().irrep("1"))  # the other one gives the same functions, through i
    array([[1., 0.]])
    """
    found: list[Array] = []
    used = np.zeros((0, a.dim))
    for unit in np.eye(a.dim):
        # e_j and J e_j, for J in the endomorphisms, span the same copy.
        if np.linalg.norm(used @ unit) < 0.5:
            used = np.concatenate([used, a.endomorphisms @ unit])
            found.append(unit)
    return np.array(found)


@typed
def induce(rep: Rep, group: Group, embedding: Embedding | None = None) -> tuple[Rep, Array]:
    """The rep of `group` that a rep of a subgroup H of finite index makes, and its basis.

    The induced rep acts on vectors (i, v), one copy of rep's space for each coset t_i H, flattened with v fastest: an element g
    with g t_i = t_j h moves copy i to copy j by rep(h). The t_i are representatives of `group`'s components, each the first of
    its coset, so t_0 is the identity (Serre, Linear representations of finite groups, Sec. 3.3).

    Returns (new, Q), Q (index * rep.dim, index * rep.dim) orthogonal, with induced(g) = Q new(g) Q^T for every g in `group`.
    Without `embedding` both groups must act on the same raw coordinates.

    Raises ValueError where H is not a subgroup of finite index.

    >>> from eqlib import groups
    >>> induce(groups.SO3().rep("1"), groups.O3())[0]  # a vector and an axial vector
    O3: 1x1e+1x1o
    >>> induce(groups.Cyclic(1).rep("0"), groups.Cyclic(4))[0] == groups.regular(groups.Cyclic(4))[0]
    True
    """
    sub = rep.group
    inside = _inside(sub, group, embedding)
    cosets = _cosets(sub, group, inside)
    doors.affordable(f"basis of a rep of dimension {len(cosets) * rep.dim}", (len(cosets) * rep.dim) ** 2)
    returns = group.component_inverses[cosets]
    blocks: list[tuple[int, Irrep]] = []
    columns = [np.zeros((len(cosets), rep.dim, 0))]
    found: dict[Irrep, tuple[list[tuple[int, Irrep]], Array]] = {}
    for (mul, a), where in zip(rep.blocks, rep.slices, strict=True):
        if a not in found:
            found[a] = _induce_irrep(a, group, inside, returns)
        small, q = found[a]
        for copy in range(mul):
            column = np.zeros((len(cosets), rep.dim, q.shape[-1]))
            column[:, where.start + copy * a.dim : where.start + (copy + 1) * a.dim] = q
            columns.append(column)
            blocks += small
    return Rep(group, tuple(blocks)), np.concatenate(columns, axis=2).reshape(len(cosets) * rep.dim, -1)


def _induce_irrep(
    a: Irrep, group: Group, inside: Embedding, returns: NDArray[np.int64]
) -> tuple[list[tuple[int, Irrep]], Array]:
    """Irreps in the rep that `a` induces, and their orthonormal basis (index, a.dim, dim); `returns` are the t_i^-1."""

    def maps_from(b: Irrep) -> Array:
        # Frobenius: a map M from b to a that commutes with H is a map x -> sum_i (i, M b(t_i^-1) x) that commutes with G.
        maps = intertwiners(inside.matrices(b, a.group), a.constraints)
        return np.einsum("kvx,ixy->kivy", maps, b.discrete[returns]).reshape(len(maps), len(returns) * a.dim, b.dim)

    blocks, basis = _fill(group, len(returns) * a.dim, maps_from)
    return blocks, basis.reshape(len(returns), a.dim, -1)


def _cosets(sub: Group, group: Group, inside: Embedding) -> NDArray[np.int64]:
    """Components of `group` whose representatives stand for the cosets of a subgroup, each the first of its own."""
    if sub.dim != group.dim or (group.dim and np.linalg.matrix_rank(inside.algebra) != group.dim):
        raise ValueError(f"{sub} has no finite index in {group}: their dimensions are {sub.dim} and {group.dim}")
    table = group.table
    place = np.zeros(sub.components, dtype=np.int64)  # of the subgroup's components; factors exp(X) do not change it
    for component, _ in inside.components.factors:
        place = table[place, component]
    if len(np.unique(place)) < sub.components:
        raise ValueError(f"the embedding takes two components of {sub} to one of {group}: {sub} is no subgroup")
    reached = np.sort(table[:, place], axis=1)[:, 0]  # the first element of g H
    return np.unique(reached)


def induced_multiplicity(rep: Rep, irrep: Irrep, embedding: Embedding | None = None) -> int:
    """How often an irrep b of a compact group G occurs in the rep that a rep of a compact subgroup H induces.

    By Frobenius reciprocity over R, dim Hom_G(b, Ind rep) = dim Hom_H(b, rep): the sum over H-irreps a of
    (times in rep) * (times in b) * endo(a), divided by endo(b). The induced rep itself may be infinite, as functions on
    the sphere, SO(2) in SO(3), are. Without `embedding` both groups must act on the same raw coordinates.

    Raises ValueError for a group that is not compact.

    >>> from eqlib import groups
    >>> functions = groups.Octahedral().rep("1a")
    >>> [induced_multiplicity(functions, groups.SO3().irrep(str(l))) for l in range(7)]  # cubic harmonics: l = 0, 4, 6
    [1, 0, 0, 0, 1, 0, 1]
    """
    same_group(rep=rep)
    if not isinstance(irrep, Irrep):
        raise ValueError(f"irrep: got {irrep!r}, expected an Irrep of the larger group, such as G.irrep(label)")
    group = irrep.group
    for name, g in (("rep", rep.group), ("irrep", group)):
        if not g.compact:
            raise ValueError(
                f"{name}: got one of {g}, expected one of a compact group: induction has no multiplicities otherwise"
            )
    small, _ = restrict(group.rep(irrep), rep.group, embedding)
    maps = sum(rep.multiplicity(a) * small.multiplicity(a) * a.endo for a in {a for _, a in small.blocks})
    return maps // irrep.endo
