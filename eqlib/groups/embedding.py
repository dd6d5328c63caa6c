"""How one group sits in another: the image of its Lie algebra and of its components."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from eqlib import doors
from eqlib.doors import AnyGroup, typed
from eqlib.groups.element import Array, Element
from eqlib.groups.irrep import Irrep

CLOSE = 1e-8


@dataclass(frozen=True)
class Embedding:
    """A homomorphism from a group H into a group G.

    Attributes:
        algebra: (H.dim, G.dim), the image of each generator of H in G's generators.
        components: G's element for each component of H.

    >>> from eqlib import groups
    >>> about_z = groups.Embedding(np.array([[0.0, 0.0, 1.0]]), groups.SO3().identity())  # SO(2) in SO(3)
    >>> groups.restrict(groups.SO3().rep("2"), groups.SO2(), about_z)[0]
    SO2: 1x0+1x1+1x2
    """

    algebra: Array
    components: Element

    def check(self, sub: AnyGroup, group: AnyGroup) -> None:
        """ValueError unless this takes products of `sub` to products of `group` and brackets to brackets; it names the pair.

        >>> from eqlib import groups
        >>> twice = groups.Embedding(2 * np.eye(3), groups.SO3().identity())
        >>> twice.check(groups.SO3(), groups.SO3())
        Traceback (most recent call last):
            ...
        ValueError: embedding of SO3 in SO3: the images of X_0 and X_1 have another bracket than the image of theirs, by 0.5
        """
        what = f"embedding of {sub} in {group}"
        algebra = doors.real(f"{what}, algebra", self.algebra)
        if algebra.shape != (sub.dim, group.dim):
            raise ValueError(f"{what}: got an algebra {algebra.shape}, expected {(sub.dim, group.dim)}")
        if not isinstance(self.components, Element) or self.components.group != group:
            raise ValueError(f"{what}: got components {self.components!r}, expected elements of {group}")
        if len(self.components) != sub.components:
            raise ValueError(f"{what}: got {len(self.components)} components, expected {sub.components}, one for each")
        ours, theirs = sub.faithful, group.faithful
        images = [a(self.components) for a in theirs]
        moved = [np.einsum("ha,aij->hij", algebra, a.generators) for a in theirs]
        if sub.components > 1:
            check_products(sub, group, images)
        elif max(np.abs(x[0] - np.eye(x.shape[-1])).max() for x in images) > CLOSE:
            raise ValueError(f"{what}: got another element than the identity for the identity")
        if sub.dim:
            _brackets(what, sub, ours, moved, images)

    def matrices(self, a: Irrep, sub: Any) -> tuple[Array, Array]:
        """The generating generators and components of the group H = `sub`, (n, d, d) each, in an irrep of G."""
        chosen = self.components[list(sub.generating_components)]
        return np.einsum("ha,aij->hij", self.algebra[list(sub.generating)], a.generators), a(chosen)


@typed
def embed(sub: AnyGroup, group: AnyGroup) -> Embedding:
    """How the group `sub` sits in `group` where both act on the same raw coordinates; ValueError where they do not.

    >>> from eqlib import groups
    >>> embed(groups.SO2(), groups.O2()).algebra
    array([[1.]])
    >>> embed(groups.Cyclic(4), groups.O2())
    Embedding(algebra=array([], shape=(0, 1), dtype=float64), components=4 element(s) of O2, 1 factor(s))
    """
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
    if sub.components == 1:
        return Embedding(algebra.reshape(sub.dim, group.dim), group.identity())
    components = group.from_matrix(sub.matrix(sub.element(np.zeros((sub.components, sub.dim)), index)))
    return Embedding(algebra.reshape(sub.dim, group.dim), components)


def check_products(sub: AnyGroup, group: AnyGroup, images: list[Array]) -> None:
    """ValueError unless the images of sub's components, matrices in some irreps of `group`, multiply as the components do.

    A few components generate all, so those on the right will do.
    """
    table, what = sub.table, f"embedding of {sub} in {group}"
    for s in sub.generating_components:
        off = np.max([np.abs(x @ x[s] - x[table[:, s]]).max(axis=(1, 2)) / _size(x) for x in images], axis=0)
        if (worst := off.max()) > CLOSE:
            i, j = int(off.argmax()), int(s)
            raise ValueError(
                f"{what}: the images of components {i} and {j} have another product than the image of theirs, "
                f"component {table[i, j]}, by {worst:.2g}"
            )


def _brackets(what: str, sub: Any, ours: list[Irrep], moved: list[Array], images: list[Array]) -> None:
    """That the images of generators have the images of the brackets, and those of h X h^-1 for components h.

    A random combination of all generators first: it breaks where any of them does. Only then is the pair looked for.
    """

    def both(x: Array, y: Array) -> float:
        """How far the bracket of x and y, coefficients (sub.dim,), is from being kept."""
        bracket = np.concatenate([_bracket(*(np.tensordot(t, a.generators, 1) for t in (x, y))).ravel() for a in ours])
        z = solve @ bracket
        return max(
            float(np.abs(_bracket(*(np.tensordot(t, m, 1) for t in (x, y))) - np.tensordot(z, m, 1)).max() / _size(m))
            for m in moved
        )

    def turned(component: int, x: Array) -> float:
        """How far h X h^-1 is from being kept."""
        parts = [_conjugate(a.discrete[component], np.tensordot(x, a.generators, 1)).ravel() for a in ours]
        z = solve @ np.concatenate(parts)
        return max(
            float(np.abs(_conjugate(h[component], np.tensordot(x, m, 1)) - np.tensordot(z, m, 1)).max() / _size(m))
            for m, h in zip(moved, images, strict=True)
        )

    flat = np.concatenate([a.generators.reshape(sub.dim, -1) for a in ours], axis=1)
    solve = np.linalg.solve(flat @ flat.T, flat)
    random, units = np.random.default_rng(0).normal(size=(3, sub.dim)) / sub.dim**0.5, np.eye(sub.dim)
    if max(both(random[0], random[1]), both(random[1], random[2])) > CLOSE:
        off, i, j = max((round(both(units[i], units[j]), 9), -i, -j) for i, j in combinations(range(sub.dim), 2))
        raise ValueError(
            f"{what}: the images of X_{-i} and X_{-j} have another bracket than the image of theirs, by {off:.2g}"
        )
    for component in sub.generating_components:
        if turned(component, random[0]) > CLOSE:
            off, i = max((round(turned(component, units[i]), 9), -i) for i in range(sub.dim))
            raise ValueError(
                f"{what}: component {component} turns the image of X_{-i} into something else than the image of what it "
                f"turns X_{-i} into, by {off:.2g}"
            )


def _bracket(x: Array, y: Array) -> Array:
    return x @ y - y @ x


def _conjugate(h: Array, x: Array) -> Array:
    return np.asarray(h @ x @ np.linalg.inv(h), dtype=np.float64)


def _size(x: Array) -> float:
    return float(np.abs(x).max(initial=0.0)) ** 2 or 1.0
