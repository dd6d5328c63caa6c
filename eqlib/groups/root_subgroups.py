"""Simple subgroups of simple groups whose roots are among the larger group's: SU(3) in G2, Spin(9) in F4, SU(9) in E8."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np

from eqlib.groups.embedding import Embedding
from eqlib.groups.modules import compact_generators, module
from eqlib.groups.simple import Simple


def embed_roots(sub: Simple, group: Simple, images: Sequence[Sequence[int]]) -> Embedding:
    """How `sub` sits in `group` when its simple roots are these roots of `group`, each given in simple roots.

    SU(3) in G2 has the long roots (0,1) and (3,1). ValueError where they are no roots, or not sub's simple roots.

    >>> from eqlib import groups
    >>> inside = embed_roots(groups.SU(3), groups.G2(), [(0, 1), (3, 1)])
    >>> groups.restrict(groups.G2().rep("(1,0)"), groups.SU(3), inside)[0]  # 7 = 1 + (3 + conjugate)
    A2: 1x(0,0)+1x(1,0)
    """
    small, large = sub.system, group.system
    roots = np.asarray(images)
    if roots.shape != (small.rank, large.rank) or not np.issubdtype(roots.dtype, np.integer):
        raise ValueError(
            f"images: got {images!r}, expected {small.rank} roots of {group}, {large.rank} whole numbers each"
        )
    place = {tuple(r): n for n, r in enumerate(large.roots.tolist())}
    signs = [1 if (r >= 0).all() else -1 for r in roots]
    numbers = [place.get(tuple(r.tolist()), -1) for r in np.array(signs)[:, None] * roots]
    if -1 in numbers:
        raise ValueError(f"{images[numbers.index(-1)]!r} is no root of {group}")
    inner = roots @ (large.cartan * large.halves) @ roots.T
    norms = inner.diagonal()
    differences = [tuple(r) for x in roots for r in (x - roots).tolist()]
    if not np.array_equal(2 * inner, small.cartan * norms) or any(d in place for d in differences):
        raise ValueError(f"{images!r} are not simple roots of {small.type} in {group}: their inner products differ")
    v = module(large.type, next(islice(large.labels(), 1, None)))
    f = [x.toarray() for x in v.lower]
    # Coroots go to coroots, which fixes the scale; the other root vectors are brackets, as in `Module.lower`.
    scale = np.sqrt(2 * small.halves / norms)
    lower = [s * (f[n] if sign > 0 else f[n].T) for s, n, sign in zip(scale, numbers, signs, strict=True)]
    diagonal = [x.T @ x - x @ x.T for x in lower]
    for i, beta, n in small.chains:
        lower.append((lower[beta] @ lower[i] - lower[i] @ lower[beta]) / n)
    ours = np.array(compact_generators(small, lower, diagonal, range(sub.dim))).reshape(sub.dim, -1)
    values = np.repeat(v.weights * large.halves, v.counts, axis=0)
    theirs = np.array(compact_generators(large, f, [np.diag(c) for c in values.T], range(group.dim))).reshape(
        group.dim, -1
    )
    algebra = np.real(np.linalg.lstsq(theirs.T, ours.T, rcond=None)[0].T)
    return Embedding(np.where(np.abs(algebra) < 1e-12, 0.0, algebra), group.identity())
