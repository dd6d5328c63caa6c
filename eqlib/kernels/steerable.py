"""Steerable kernels: K(g r) = rho_out(g) K(r) rho_in(g)^-1, from harmonics and Clebsch-Gordan tensors.

The angular part of such a kernel is a combination of Hom_H(in (x) Y_J, out) over the degrees J of the ambient group's
harmonics (Wigner-Eckart for steerable kernels: Lang and Weiler 2021, Theorem 4.1).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib.constants import Constants
from eqlib.doors import Degree, typed
from eqlib.groups import Irrep, Rep
from eqlib.groups.rep import same_group
from eqlib.harmonics import Harmonics, path, restricted


@typed
@lru_cache(maxsize=4096)
def angular_basis(a: Irrep, b: Irrep, degree: Degree) -> NDArray[np.float64]:
    """Basis of Hom(a (x) Y_J, b) for J = degree, (N, b.dim, a.dim, dim Y_J), Y_J restricted as in `harmonics.rep`.

    >>> from eqlib import groups, kernels
    >>> O3 = groups.O3()
    >>> scalar, vector = O3.irrep("0e"), O3.irrep("1o")
    >>> kernels.angular_basis(scalar, vector, 1).shape  # scalar -> vector: along the unit vector
    (1, 3, 1, 3)
    >>> len(kernels.angular_basis(scalar, vector, 2))  # and by no other harmonic
    0
    """
    group = a.group
    inside = restricted(group, degree)[0]
    found = []
    for (_, h), where in zip(inside.blocks, inside.slices, strict=True):
        cg = group.clebsch_gordan(a, h, b)
        placed = np.zeros((cg.shape[0], b.dim, a.dim, inside.dim))
        placed[..., where] = cg.dense().transpose(0, 3, 1, 2)
        found.append(placed)
    return np.concatenate(found)


@typed
def elements(a: Irrep, b: Irrep, degree: Degree) -> NDArray[np.float64]:
    """`angular_basis` of all degrees 0 ... degree, (N, b.dim, a.dim, dim of `harmonics.rep`), by ascending degree.

    >>> from eqlib import groups, kernels
    >>> vector = groups.O3().irrep("1o")
    >>> kernels.elements(vector, vector, 2).shape  # 1 and r r^T - 1/3: two elements on nine harmonics
    (2, 3, 3, 9)
    """
    parts = [angular_basis(a, b, j) for j in range(degree + 1)]
    placed = np.zeros((sum(len(x) for x in parts), b.dim, a.dim, sum(x.shape[-1] for x in parts)))
    row = column = 0
    for x in parts:
        placed[row : row + len(x), ..., column : column + x.shape[-1]] = x
        row, column = row + len(x), column + x.shape[-1]
    return placed


@typed
def level(a: Irrep) -> int:
    """How many vectors must be multiplied to hold the irrep: l for O(3)'s tensors, m for O(2).

    >>> from eqlib import groups, kernels
    >>> kernels.level(groups.O3().irrep("3o")), kernels.level(groups.Lorentz().irrep("(2,2)"))
    (3, 2)
    """
    return len(path(a))


@typed
class SteerableKernel(Constants):
    """Every steerable kernel with harmonics of degree <= `degree`, for one radial profile.

    Args:
        rep_in, rep_out: what the kernel maps between.
        degree: highest harmonic degree.
        mu: scale of the harmonics' argument, see `eqlib.harmonics.Harmonics`.

    Attributes:
        basis_size: number of angular elements, all channels counted; the weights' last axis. Order: output block, input
            block, then (mul_out, mul_in, element).

    >>> import torch
    >>> from eqlib import groups, kernels
    >>> O3 = groups.O3()
    >>> kernel = kernels.SteerableKernel(O3.rep("0e"), O3.rep("1o"), degree=2)
    >>> kernel.basis_size
    1
    >>> r = torch.tensor([0.0, 3.0, 4.0])
    >>> K = kernel(r, torch.ones(1))  # a field of vectors along r
    >>> K.shape, bool((torch.linalg.cross(K[:, 0], r).abs() < 1e-6).all())
    (torch.Size([3, 1]), True)
    """

    def __init__(self, rep_in: Rep, rep_out: Rep, degree: Degree, mu: float = 0.0) -> None:
        super().__init__()
        same_group(rep_in=rep_in, rep_out=rep_out)
        self.rep_in, self.rep_out, self.degree = rep_in, rep_out, degree
        self.harmonics = Harmonics(rep_in.group, degree, mu=mu, normalization="norm")
        self._counts: list[list[int]] = []
        for i, (_, b) in enumerate(rep_out.blocks):
            counts = []
            for j, (_, a) in enumerate(rep_in.blocks):
                self.constant(f"basis_{i}_{j}", elements(a, b, degree))
                counts.append(len(self._exact[f"basis_{i}_{j}"]))
            self._counts.append(counts)
        self.basis_size = sum(
            mul_out * mul_in * n
            for (mul_out, _), counts in zip(rep_out.blocks, self._counts, strict=True)
            for (mul_in, _), n in zip(rep_in.blocks, counts, strict=True)
        )

    def forward(self, r: Tensor, weights: Tensor) -> Tensor:
        """Kernel at r (..., v), components of `group.vector`, for weights (..., basis_size): (..., out.dim, in.dim)."""
        if weights.shape[-1:] != (self.basis_size,):
            raise ValueError(f"weights: got {tuple(weights.shape)}, expected last axis {self.basis_size}")
        y = self.harmonics(r)
        shape = torch.broadcast_shapes(y.shape[:-1], weights.shape[:-1])
        rows, start = [], 0
        for i, (mul_out, b) in enumerate(self.rep_out.blocks):
            row = []
            for j, (mul_in, a) in enumerate(self.rep_in.blocks):
                stop = start + mul_out * mul_in * self._counts[i][j]
                w = weights[..., start:stop].unflatten(-1, (mul_out, mul_in, self._counts[i][j]))
                start = stop
                elements = torch.einsum("nbay,...y->...nba", getattr(self, f"basis_{i}_{j}"), y)
                block = torch.einsum("...uvn,...nba->...ubva", w, elements)
                row.append(block.reshape(*block.shape[:-4], mul_out * b.dim, mul_in * a.dim).expand(*shape, -1, -1))
            rows.append(torch.cat(row, dim=-1))
        return torch.cat(rows, dim=-2)
