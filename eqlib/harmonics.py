"""Harmonics x -> irreps, and irrep matrices R -> D(R), by one recursion for every group, differentiable.

For O(3) and SO(3) these are the real spherical harmonics and Wigner's D matrices, in e3nn's order; for the groups of the plane
circular harmonics, for the Lorentz group harmonic polynomials of momenta.
Y_J ~ C(J-1, 1 -> J) (Y_{J-1} (x) x) is a polynomial in x, so gradients are finite everywhere; D_J = C^T (D_{J-1} (x) D_1) C.
"""

from __future__ import annotations

from functools import lru_cache
from math import gamma
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import block_diag
from torch import Tensor

from eqlib import doors
from eqlib.constants import Constants, constant_result, fixed
from eqlib.doors import Degree, typed
from eqlib.groups import Group, Irrep, Rep, restrict
from eqlib.products import MatrixProduct, Recursion

MOST = 256  # degree
NORMALIZATIONS = ("component", "norm", "integral")


@lru_cache(maxsize=256)
def steps(group: Group, degree: int) -> tuple[NDArray[np.float64], ...]:
    """The recursion's tensors for J = 1 ... degree, (d_{J-1}, v, d_J), scaled so that |Y_J(axis)| = 1, of an ambient group.

    >>> from eqlib import groups, harmonics
    >>> [tensor.shape for tensor in harmonics.steps(groups.O3(), 2)]
    [(1, 3, 3), (3, 3, 5)]
    """
    if group.axis is None:
        raise ValueError(
            f"group: got {group}, expected an ambient group, which names its harmonics (see group.ambient)"
        )
    value, found = np.ones(1), []
    for j in range(1, degree + 1):
        names = group.harmonic(j - 1), group.vector.blocks[0][1], group.harmonic(j)
        cg = group.clebsch_gordan(*names)
        if cg.shape[0] != 1:
            raise ValueError(
                f"group: got {group}, whose {names} has {cg.shape[0]} Clebsch-Gordan tensors, expected one"
            )
        value = np.einsum("i,j,ijk->k", value, group.axis, cg.dense()[0])
        scale = np.sign(value[np.abs(value) > 1e-9 * np.abs(value).max()][0]) / np.linalg.norm(value)
        value = value * scale
        found.append(cg.dense()[0] * scale)
    return tuple(found)


@typed
def rep(group: Group, degree: Degree) -> Rep:
    """The rep of `harmonics(group, x, degree)`: degrees 0 ... degree, a subgroup's restricted from its ambient group.

    >>> from eqlib import groups, harmonics
    >>> harmonics.rep(groups.O3(), 2)
    O3: 1x0e+1x1o+1x2e
    >>> harmonics.rep(groups.SO2(), 2)  # circular harmonics
    SO2: 1x0+1x1+1x2
    """
    degree = doors.count("degree", degree, 0, MOST)
    return Rep(group, tuple(block for j in range(degree + 1) for block in restricted(group, j)[0].blocks))


@typed
@lru_cache(maxsize=1024)
def restricted(group: Group, degree: Degree) -> tuple[Rep, NDArray[np.float64]]:
    """The harmonics of one degree of the ambient group as a rep of `group`, and Q with Y_group = Y_ambient @ Q.

    >>> from eqlib import groups, harmonics
    >>> rep, q = harmonics.restricted(groups.Octahedral(), 2)  # d orbitals in a cubic crystal: two and three
    >>> [irrep.dim for _, irrep in rep.blocks]
    [2, 3]
    """
    ambient = group.ambient
    return restrict(ambient.rep([(1, ambient.harmonic(degree))]), group, None if ambient == group else group.embedding)


@typed
class Harmonics(Constants):
    """Harmonics of degrees 0 ... degree, (..., v) -> (..., rep(group, degree).dim), x in components of `group.vector`.

    Spherical harmonics for O3 and SO3, circular ones for O2 and SO2; a subgroup has its ambient group's, sorted by its irreps.

    With `normalize` x is divided by s = ((x.x)^2 + mu^4)^(1/4) first: mu = 0 gives the unit vector, mu > 0 (the data's own
    scale) keeps everything finite for every group, null and space-like x included. Degree J then has, on the unit sphere,
    |Y|^2 = dim ("component"), 1 ("norm"), or integral |Y_i|^2 = 1 ("integral", compact groups).

    Raises ValueError for a wrong last axis, and for space-like or null x where normalize=True and mu = 0.

    >>> import torch
    >>> from eqlib import groups, harmonics
    >>> spherical = harmonics.Harmonics(groups.O3(), degree=2)
    >>> spherical.rep
    O3: 1x0e+1x1o+1x2e
    >>> y = spherical(torch.tensor([0.0, 0.0, 5.0]))  # of the direction; the length does not count
    >>> [round(float(part.square().sum()), 4) for part in y.split([1, 3, 5])]
    [1.0, 3.0, 5.0]
    """

    metric: Tensor
    turn: Tensor
    basis: Tensor

    def __init__(
        self, group: Group, degree: Degree, normalize: bool = True, normalization: str = "component", mu: float = 0.0
    ) -> None:
        super().__init__()
        if normalization not in NORMALIZATIONS:
            raise ValueError(f"normalization: got {normalization!r}, expected one of {NORMALIZATIONS}")
        degree = doors.count("degree", degree, 0, MOST)
        if mu < 0:
            raise ValueError(f"mu: got {mu}, expected a length >= 0")
        ambient = group.ambient
        if normalization == "integral" and not ambient.compact:
            raise ValueError(
                f"normalization: got 'integral', expected another: the unit sphere of {ambient} is not compact"
            )
        self.group, self.degree, self.normalize, self.mu = group, degree, normalize, mu
        self.size = ambient.vector.dim
        self.rep = rep(group, degree)
        self.constant("metric", ambient.metric)
        turn = ambient.coordinates @ group.coordinates.T
        self._turned = not np.array_equal(turn, np.eye(self.size))
        self.constant("turn", turn)
        self.compact = ambient.compact
        # Area of the unit sphere in n dimensions.
        area = 2 * np.pi ** (self.size / 2) / gamma(self.size / 2)
        bases = [restricted(group, j)[1] for j in range(degree + 1)]
        weights = [
            {"component": np.sqrt(len(q)), "norm": 1.0, "integral": np.sqrt(len(q) / area)}[normalization]
            for q in bases
        ]
        # A scale belongs to the steps of the recursion; only a subgroup's order of components takes a product behind it.
        ratios = np.divide(weights[1:], weights[:-1])
        scaled = [step * ratio for step, ratio in zip(steps(ambient, degree), ratios, strict=True)]
        self._recursion = Recursion(scaled, ambient.metric, start=weights[0])
        self._sorted = any(not np.array_equal(q, np.eye(len(q))) for q in bases)
        if self._sorted:
            self.constant("basis", block_diag(*bases))

    def forward(self, x: Tensor) -> Tensor:
        if not x.is_floating_point():
            raise ValueError(f"x: got {x.dtype}, expected floating point numbers")
        if x.shape[-1:] != (self.size,):
            raise ValueError(
                f"x: got {tuple(x.shape)}, expected last axis {self.size}, components of {self.group}.vector"
            )
        x = self._ambient(x)
        if self.normalize and self.mu == 0 and not self.compact and not torch.compiler.is_compiling():
            if (((x @ self.metric) * x).sum(-1, keepdim=True).le(0) & (x != 0).any(-1, True)).any():
                raise ValueError(
                    "x: got x.x <= 0, expected time-like x (x.x > 0) where normalize=True and mu = 0; mu > 0 takes every x"
                )
        y = self._recursion(x, self.normalize, self.mu)
        return y @ self.basis if self._sorted else y

    def _ambient(self, x: Tensor) -> Tensor:
        """Components of the ambient group's vector."""
        return x @ self.turn.T if self._turned else x

    def square(self, x: Tensor) -> Tensor:
        """x.x (...) in the group's metric, for x (..., v) in components of `group.vector`; the argument of radial functions."""
        x = self._ambient(x)
        return ((x @ self.metric) * x).sum(-1)


@typed
def harmonics(
    group: Group, x: Tensor, degree: Degree, normalize: bool = True, normalization: str = "component"
) -> Tensor:
    """`Harmonics` (spherical ones for O3, SO3) as a function: (..., v) -> (..., rep(group, degree).dim).

    Keep the module where speed matters.

    >>> import torch
    >>> from eqlib import groups, harmonics
    >>> x = torch.tensor([[1.0, 2.0, 2.0]])
    >>> y = harmonics.harmonics(groups.O3(), x, degree=1, normalization="norm")
    >>> torch.allclose(y[:, 1:], x / 3)  # degree 1 is the unit vector
    True
    """
    if not torch.is_floating_point(x):
        raise ValueError(f"x: got {x.dtype}, expected floating point numbers")
    return Harmonics(group, degree, normalize, normalization).to(x)(x)


@typed
@lru_cache(maxsize=1024)
def path(irrep: Irrep) -> tuple[tuple[Irrep, Irrep, Irrep], ...]:
    """Steps (a, v, c), C(a, v -> c), v in the vector, that lead from the trivial irrep to this one, shortest first.

    Its length is the irrep's level. ValueError where products of the vector do not reach it (odd irreps of SL2C).

    >>> from eqlib import groups, harmonics
    >>> [tuple(a.label for a in step) for step in harmonics.path(groups.O3().irrep("2e"))]
    [('0e', '1o', '1o'), ('1o', '1o', '2e')]
    """
    group = irrep.group
    vectors = list(dict.fromkeys(v for _, v in group.vector.blocks))
    reached: dict[Irrep, tuple[tuple[Irrep, Irrep, Irrep], ...]] = {group.trivial: ()}
    frontier = [group.trivial]
    while irrep not in reached and frontier and len(reached) < 100:
        found = []
        for a in frontier:
            for v in vectors:
                for c in group.tensor_product(a, v):
                    if c not in reached:
                        reached[c] = (*reached[a], (a, v, c))
                        found.append(c)
        frontier = found
    if irrep not in reached:
        raise ValueError(f"irrep: got {irrep.label}, expected one that a product of vectors of {group} holds")
    return reached[irrep]


class _Steps(NamedTuple):
    """How irrep matrices follow from the vector's: the first is 1, then come the vector's own blocks, then one for each step.

    own: slices of the vector's irreps. steps: (i, j, product) makes C^T (D_i (x) D_j) C. blocks: for each copy in the rep, which.
    kept: tensors that a vector's matrix V leaves alone: C(v, v -> 1), and C(v, v -> v) with C (V (x) V) = V C.
    """

    own: list[slice]
    steps: list[tuple[int, int, MatrixProduct]]
    blocks: list[int]
    kept: list[Tensor]
    sizes: tuple[int, int]  # of the vector and of the rep


@lru_cache(maxsize=256)
def _steps_to(rep: Rep) -> _Steps:
    group = rep.group
    own = {
        a: slice(where.start, where.start + a.dim)
        for (_, a), where in zip(group.vector.blocks, group.vector.slices, strict=True)
    }
    order, steps = [group.trivial, *(a for a in own if not a.is_trivial)], []
    for _, irrep in rep.blocks:
        for a, b, c in path(irrep):
            if c not in order:
                product = MatrixProduct(group.clebsch_gordan(a, b, c).dense()[0])
                steps.append((order.index(a), order.index(b), product))
                order.append(c)
    kept = []
    if group.vector.dim == (v := next(iter(own))).dim:
        kept = [fixed(t) for c in (group.trivial, v) for t in group.clebsch_gordan(v, v, c).dense()]
    blocks = [order.index(a) for mul, a in rep.blocks for _ in range(mul)]
    return _Steps(
        [where for a, where in own.items() if not a.is_trivial], steps, blocks, kept, (group.vector.dim, rep.dim)
    )


@constant_result
def _constants(rep: Rep) -> _Steps:
    return _steps_to(rep)


def _check_group(rep: Rep, vectors: Tensor, kept: list[Tensor]) -> None:
    """ValueError for matrices that do not leave alone what the group's leave alone: shears, and reflections where it has none."""
    size = vectors.detach().abs().amax((1, 2)).clamp(min=1)
    for tensor in kept:
        c = tensor.to(vectors)
        moved = torch.einsum("nai,abd->nibd", vectors.detach(), c)
        moved = torch.einsum("nibd,nbj->nijd", moved, vectors.detach())
        same = torch.einsum("ijc,ndc->nijd", c, vectors.detach()) if c.shape[-1] == vectors.shape[-1] else c
        wrong = (moved - same).abs().amax((1, 2, 3)) > 1e-3 * size**2
        if wrong.any():
            raise ValueError(
                f"vectors: got matrices that are not of {rep.group}, first at {int(wrong.nonzero()[0])}, expected elements of it"
            )


@typed
def matrices(rep: Rep, vectors: Tensor) -> Tensor:
    """rep's matrices (n, rep.dim, rep.dim) from the vector's own, (n, v, v): the Wigner D matrices, for O3 and SO3.

    One matrix (v, v) gives one, (rep.dim, rep.dim). `vectors` are in components of `group.vector`. Differentiable, also at the
    identity and at half turns.
    Raises ValueError for a wrong shape, an irrep that no product of vectors holds, NaN, and matrices that are not the group's,
    as far as its invariant products of two vectors tell: a shear, or a reflection handed to SO3.

    >>> import torch
    >>> from eqlib import groups, harmonics
    >>> O3 = groups.O3()
    >>> g = O3.sample(4, seed=0)
    >>> D = harmonics.matrices(O3.rep("2e"), torch.tensor(O3.vector(g)))
    >>> D.shape
    torch.Size([4, 5, 5])
    >>> bool((D - torch.tensor(O3.rep("2e")(g))).abs().max() < 1e-12)
    True
    """
    doors.affordable(
        f"matrices of a rep of dimension {rep.dim}", rep.dim**2 * (len(vectors) if vectors.ndim == 3 else 1)
    )
    own, steps, order, kept, (v, dim) = _constants(rep)
    if vectors.shape[-2:] != (v, v) or vectors.ndim not in (2, 3):
        raise ValueError(
            f"vectors: got {tuple(vectors.shape)}, expected (n, {v}, {v}) or ({v}, {v}), matrices of {rep.group}.vector"
        )
    if vectors.ndim == 2:
        return matrices(rep, vectors[None])[0]
    if not torch.compiler.is_compiling():
        if not vectors.isfinite().all():
            raise ValueError(f"vectors: got {tuple(vectors.shape)} with NaN or infinite numbers, expected finite ones")
        _check_group(rep, vectors, kept)
    known = [torch.ones_like(vectors[:, :1, :1]), *(vectors[:, here, here] for here in own)]
    for i, j, product in steps:
        known.append(product(known[i], known[j]))
    rows, start = [vectors[:, :0, :1].expand(-1, -1, dim)], 0
    for block in (known[i] for i in order):
        stop = start + block.shape[-1]
        rows.append(torch.nn.functional.pad(block, (start, dim - stop)))
        start = stop
    return torch.cat(rows, dim=1)
