"""Steerable convolutions on images and volumes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib.constants import Constants
from eqlib.groups import Group, Irrep, Rep
from eqlib.harmonics import Harmonics
from eqlib.kernels import angular_basis, level
from eqlib.nn.blocks import check_axis, same_group

RING_WIDTH = 0.6  # pixels, of the Gaussian rings (Weiler and Cesa 2019, App. C)


def offsets(size: int, dimensions: int) -> NDArray[np.float64]:
    """(size, ..., size, dimensions) raw coordinates of a kernel's pixels about its centre.

    An image is (row, column) with x to the right and y up; a volume is (x, y, z).
    """
    line = np.arange(size) - (size - 1) / 2
    grid = np.stack(np.meshgrid(*[line] * dimensions, indexing="ij"), axis=-1)
    return np.stack([grid[..., 1], -grid[..., 0]], axis=-1) if dimensions == 2 else grid


@lru_cache(maxsize=64)
def _sampled(group: Group, size: int, degree: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Radii (p,) and harmonics (p, dim) of the kernel's pixels, in restricted components."""
    points = offsets(size, group.vector.dim).reshape(-1, group.vector.dim)
    module = Harmonics(group, degree, normalization="norm").double()
    with torch.no_grad():
        values = module(torch.tensor(points @ group.coordinates.T)).numpy()
    return np.linalg.norm(points, axis=1), values


@lru_cache(maxsize=1024)
def sampled_basis(a: Irrep, b: Irrep, size: int, degree: int | None) -> NDArray[np.float64]:
    """Independent steerable kernels a -> b sampled on a grid, (N, b.dim, a.dim, size, ...), orthonormal.

    A finite group gets one ring for each distinct pixel radius and the frequencies that the ring's pixels carry; a
    continuous one Gaussian rings at whole pixel radii and degrees up to l_in + l_out. Dependent elements are dropped in
    order (Gram-Schmidt), which is the same on every processor where an SVD's basis is not.
    """
    group = a.group
    radii = np.linalg.norm(offsets(size, group.vector.dim), axis=-1).ravel()
    if group.dim == 0:
        centres = np.unique(radii.round(9))
        rings = (np.abs(radii - centres[:, None]) < 1e-6).astype(float)
        top = np.floor(np.pi * centres).astype(int)
    else:
        centres = np.arange(size // 2 + 1) if size % 2 else np.arange(size // 2) + 0.5
        rings = np.exp(-0.5 * ((radii - centres[:, None]) / RING_WIDTH) ** 2)
        top = np.full(len(centres), level(a) + level(b))
    if degree is not None:
        top = np.minimum(top, degree) if group.dim == 0 else np.full(len(centres), degree)
    _, values = _sampled(group, size, int(top.max()))
    kept: list[NDArray[np.float64]] = []
    column = 0
    for j in range(int(top.max()) + 1):
        angular = angular_basis(a, b, j)
        y = values[:, column : column + angular.shape[-1]]
        column += angular.shape[-1]
        for ring in rings[top >= j]:
            for element in np.einsum("nbay,py,p->nbap", angular, y, ring):
                flat = element.ravel()
                before = np.linalg.norm(flat)
                for _ in range(2):
                    for other in kept:
                        flat = flat - other * (other @ flat)
                if before > 1e-9 and np.linalg.norm(flat) > 1e-3 * before:
                    kept.append(flat / np.linalg.norm(flat))
    shape = (len(kept), b.dim, a.dim, *[size] * group.vector.dim)
    return np.array(kept).reshape(shape)


class GridConv(Constants):
    """Steerable convolution of images (batch, rep_in.dim, height, width) or volumes (batch, rep_in.dim, x, y, z).

    The kernel is a product weights x basis, then torch's convolution; in eval mode it is kept until the weights change.
    Exact under the grid's own symmetries (quarter turns, flips, translations that the stride divides).

    Args:
        kernel_size: pixels; padding "same" needs an odd one.
        padding: "same" (zeros), or a number of pixels.
        degree: highest harmonic degree; None: see `sampled_basis`.
        bias: one number for each trivial copy of the output.

    Raises ValueError for mixed groups, a wrong channel axis, pixels that are not finite.
    """

    place: Tensor

    def __init__(
        self,
        rep_in: Rep,
        rep_out: Rep,
        kernel_size: int,
        stride: int = 1,
        padding: str | int = "same",
        degree: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        same_group(rep_in=rep_in, rep_out=rep_out)
        group = rep_in.group
        if group.vector.dim not in (2, 3) or not group.compact:
            raise ValueError(f"GridConv works on images and volumes, {group} acts on {group.vector.dim} coordinates")
        if not isinstance(kernel_size, int) or kernel_size < 1:
            raise ValueError(f"kernel_size must be a positive integer, got {kernel_size!r}")
        if padding == "same":
            if kernel_size % 2 == 0:
                raise ValueError(f'kernel_size must be odd where padding="same", got {kernel_size}')
            padding = kernel_size // 2
        if not isinstance(padding, int) or padding < 0:
            raise ValueError(f'padding must be "same" or a number of pixels, got {padding!r}')
        self.rep_in, self.rep_out, self.kernel_size, self.stride, self.padding = (
            rep_in,
            rep_out,
            kernel_size,
            stride,
            padding,
        )
        self._dimensions = group.vector.dim
        self._conv = torch.nn.functional.conv2d if self._dimensions == 2 else torch.nn.functional.conv3d
        self._plan: list[tuple[int, int, str, slice]] = []
        names: dict[tuple[Irrep, Irrep], str] = {}
        weights, start = [], 0
        for i, (mul_out, b) in enumerate(rep_out.blocks):
            bases = [sampled_basis(a, b, kernel_size, degree) for _, a in rep_in.blocks]
            fan = sum(mul * len(basis) for (mul, _), basis in zip(rep_in.blocks, bases, strict=True))
            for j, ((mul_in, a), basis) in enumerate(zip(rep_in.blocks, bases, strict=True)):
                count = mul_out * mul_in * len(basis)
                if count == 0:
                    continue
                if (a, b) not in names:
                    names[a, b] = f"basis_{len(names)}"
                    self.constant(names[a, b], basis)
                # An element's squares sum to 1 over b.dim outputs: this makes an output's variance that of the input.
                weights.append(torch.randn(count) * (b.dim / fan) ** 0.5)
                self._plan.append((i, j, names[a, b], slice(start, start + count)))
                start += count
        self.weight = torch.nn.Parameter(torch.cat(weights) if weights else torch.zeros(0))
        where = [
            s.start + n
            for (mul, b), s in zip(rep_out.blocks, rep_out.slices, strict=True)
            if b.is_trivial
            for n in range(mul)
        ]
        self.constant("place", np.eye(rep_out.dim)[where])
        self.bias = torch.nn.Parameter(torch.zeros(len(where))) if bias and where else None
        self._cache: tuple[object, Tensor] | None = None

    def kernel(self) -> Tensor:
        """(rep_out.dim, rep_in.dim, k, k) or (..., k, k, k), the kernel that torch's convolution is given."""
        size = [self.kernel_size] * self._dimensions
        rows: list[list[Tensor]] = [
            [self.weight.new_zeros(m * b.dim, n * a.dim, *size) for n, a in self.rep_in.blocks]
            for m, b in self.rep_out.blocks
        ]
        for i, j, name, where in self._plan:
            (m, b), (n, a) = self.rep_out.blocks[i], self.rep_in.blocks[j]
            basis = getattr(self, name)
            block = self.weight[where].view(m * n, -1) @ basis.flatten(1)
            block = block.view(m, n, b.dim, a.dim, *size).transpose(1, 2)
            rows[i][j] = block.reshape(m * b.dim, n * a.dim, *size)
        return torch.cat([torch.cat(row, dim=1) for row in rows], dim=0)

    def _kernel(self) -> Tensor:
        if self.training or torch.is_grad_enabled() or torch.compiler.is_compiling():
            self._cache = None
            return self.kernel()
        key = (self.weight._version, self.weight.data_ptr(), self.weight.dtype, self.weight.device)
        if self._cache is None or self._cache[0] != key:
            self._cache = (key, self.kernel())
        return self._cache[1]

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != self._dimensions + 2:
            raise ValueError(f"x must have {self._dimensions + 2} axes (batch, channels, pixels), got {tuple(x.shape)}")
        check_axis("x", x, self.rep_in, 1)
        # One sum finds NaN and inf; only a sum that overflows needs the second look.
        if not torch.compiler.is_compiling() and not x.sum().isfinite() and not x.isfinite().all():
            raise ValueError(f"x has pixels that are NaN or infinite, shape {tuple(x.shape)}")
        bias = None if self.bias is None else self.bias @ self.place
        return self._conv(x, self._kernel(), bias, stride=self.stride, padding=self.padding)


class GridPool(torch.nn.Module):
    """Mean over windows with stride 2, placed so that quarter turns and flips commute with it, for odd and even sizes."""

    def forward(self, x: Tensor) -> Tensor:
        for axis in range(2, x.ndim):
            if x.shape[axis] % 2 != x.shape[2] % 2:
                raise ValueError(f"x must have all sizes even or all odd, got {tuple(x.shape)}")
        odd = x.shape[2] % 2
        pool = torch.nn.functional.avg_pool2d if x.ndim == 4 else torch.nn.functional.avg_pool3d
        return pool(x, 2 + odd, stride=2, padding=odd, count_include_pad=False)
