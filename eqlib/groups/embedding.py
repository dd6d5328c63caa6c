"""How one group sits in another: the image of its Lie algebra and of its components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eqlib.groups.element import Array, Element
from eqlib.groups.irrep import Irrep


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

    def matrices(self, a: Irrep, sub: Any) -> tuple[Array, Array]:
        """The generating generators and components of the group H = `sub`, (n, d, d) each, in an irrep of G."""
        chosen = self.components[list(sub.generating_components)]
        return np.einsum("ha,aij->hij", self.algebra[list(sub.generating)], a.generators), a(chosen)


def embed(sub: Any, group: Any) -> Embedding:
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
