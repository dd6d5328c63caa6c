"""Steerable convolutions on images and volumes."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib.constants import Constants
from eqlib.groups import Group, Irrep, Rep
from eqlib.harmonics import Harmonics, _restricted
from eqlib.kernels import angular_basis, level
from eqlib.nn.blocks import check_axis, same_group

BAND = 1.0  # pixels: kernels are made for images with the spectrum of Gaussian blobs of this standard deviation


def offsets(size: int, dimensions: int) -> NDArray[np.float64]:
    """(size, ..., size, dimensions) raw coordinates of a kernel's pixels about its centre.

    An image is (row, column) with x to the right and y up; a volume is (x, y, z).
    """
    line = np.arange(size) - (size - 1) / 2
    grid = np.stack(np.meshgrid(*[line] * dimensions, indexing="ij"), axis=-1)
    return np.stack([grid[..., 1], -grid[..., 0]], axis=-1) if dimensions == 2 else grid


def _directions(dimensions: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors (n, dimensions) and weights of a rule on the circle or the sphere that is exact to degree 23."""
    angle = 2 * np.pi * np.arange(24) / 24
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    if dimensions == 2:
        return circle, np.full(24, 1 / 24)
    z, weight = np.polynomial.legendre.leggauss(12)
    points = np.concatenate(
        [np.sqrt(1 - z**2)[:, None, None] * circle, np.broadcast_to(z[:, None, None], (12, 24, 1))], -1
    )
    return points.reshape(-1, 3), np.repeat(weight / 48, 24)


@lru_cache(maxsize=256)
def _harmonics(group: Group, size: int, degree: int) -> NDArray[np.float64]:
    """Harmonics of one degree at the kernel's pixels, (p, dim), in restricted components; 0 at the centre but for degree 0."""
    module = Harmonics(group, degree, normalization="norm").double()
    points = offsets(size, group.vector.dim).reshape(-1, group.vector.dim)
    with torch.no_grad():
        values = module(torch.tensor(points @ group.coordinates.T)).numpy()
    return values[:, values.shape[1] - _restricted(group, degree)[0].dim :]


@lru_cache(maxsize=256)
def radial_profiles(group: Group, size: int, degree: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The radial profiles that turn best on pixels, for one degree of an ambient group's harmonics.

    Among all kernels c(|p|) Y_J(p) on the pixels p, each radius with a number of its own, some turn with the image and some
    only look so. The Fourier transform of a kernel that turns is f(|k|) Y_J(k). What is left of it, squared and weighted with
    the spectrum of blobs of width `BAND`, against the whole, makes a generalised eigenvalue problem over the c; its roots fall
    into a group of small ones, as many as there are polynomials r^J r^2n up to degree size - 1, and a gap behind them.

    Returns (profiles (n, p), orthonormal on the pixels as kernels; errors (n,): the relative equivariance error that the
    n-th best has, worst last). n = 0 where the pixels do not carry the degree.
    """
    points = offsets(size, group.vector.dim).reshape(-1, group.vector.dim)
    y = _harmonics(group, size, degree)
    radii = np.linalg.norm(points, axis=1).round(9)
    rings = (radii == np.unique(radii)[:, None]).astype(float)
    norms = np.sqrt(rings @ (y**2).sum(axis=1))
    rings = rings[norms > 1e-9] / norms[norms > 1e-9, None]
    directions, weights = _directions(group.vector.dim)
    k, radial = np.polynomial.legendre.leggauss(16)
    k = (k + 1) * np.pi / 2
    radial = radial * k ** (group.vector.dim - 1) * np.exp(-((BAND * k) ** 2))
    # A kernel of even degree has a real transform, one of odd degree an imaginary one.
    wave = (np.cos if degree % 2 == 0 else np.sin)(k[:, None, None] * (directions @ points.T))
    transform = np.einsum("ktp,npi->nkti", wave, rings[:, :, None] * y, optimize=True)
    with torch.no_grad():
        turned = torch.tensor(directions @ group.coordinates.T)
        at = Harmonics(group, degree, normalization="norm").double()(turned).numpy()[:, -y.shape[1] :]
    whole = np.einsum("k,t,nkti,mkti->nm", radial, weights, transform, transform, optimize=True)
    f = np.einsum("t,nkti,ti->nk", weights, transform, at, optimize=True)
    steerable = np.einsum("k,nk,mk->nm", radial, f, f)
    # An energy that rounding alone could make is no energy: without the floor an empty band would look perfect.
    roots, vectors = scipy.linalg.eigh(whole - steerable, whole + 1e-13 * np.trace(whole) * np.eye(len(whole)))
    count = min(max((size - 1 - degree) // 2 + 1, 0), len(roots))
    errors = np.sqrt(np.clip(roots, 0, 1))
    if count == 0:
        return np.zeros((0, len(points))), errors[:1]
    # Eigenvectors to nearly equal roots depend on the processor, the space they span does not: humps cut it into profiles.
    space = np.linalg.qr(vectors[:, :count])[0]
    places = np.unique(radii)[norms > 1e-9]
    humps = np.exp(-0.5 * (places[:, None] - np.linspace(0, size / 2, count)) ** 2)
    q, r = np.linalg.qr(space @ (space.T @ humps))
    return (q * np.sign(np.diag(r))).T @ rings, errors[:count]


def keeps_grid(group: Group) -> bool:
    """Whether every element maps the grid of pixels to itself, so that a kernel may use each pixel by itself."""
    if group.dim:
        return False
    matrices = group.matrix(group.element(np.zeros((group.components, 0)), np.arange(group.components)))
    return bool(np.abs(matrices - matrices.round()).max() < 1e-9)


@lru_cache(maxsize=4096)
def sampled_basis(a: Irrep, b: Irrep, size: int, degree: int | None = None) -> NDArray[np.float64]:
    """Independent steerable kernels a -> b sampled on a grid, (N, b.dim, a.dim, size, ...), each with squares that sum to 1.

    A group that maps the grid to itself gets every kernel that there is: a ring for each distinct radius, with the degrees
    that the ring's pixels carry. Any other gets, for each degree, the profiles that turn best (`radial_profiles`).
    """
    group = a.group
    if keeps_grid(group):
        elements = _every_kernel(a, b, size, degree)
    else:
        top = size - 1 if group.dim == 0 else min(size - 1, level(a) + level(b))
        found = [np.zeros((0, b.dim, a.dim, size**group.vector.dim))]
        for j in range((top if degree is None else min(top, degree)) + 1):
            angular = angular_basis(a, b, j)
            if len(angular):
                profiles = radial_profiles(group.ambient, size, j)[0]
                y = _harmonics(group, size, j)
                products = np.einsum("nbay,py,rp->nrbap", angular, y, profiles, optimize=True)
                found.append(products.reshape(-1, *found[0].shape[1:]))
        elements = np.concatenate(found)
        elements = elements / np.sqrt((elements**2).sum(axis=(1, 2, 3), keepdims=True))
    return elements.reshape(len(elements), b.dim, a.dim, *[size] * group.vector.dim)


def _every_kernel(a: Irrep, b: Irrep, size: int, degree: int | None) -> NDArray[np.float64]:
    """All kernels of a group that maps the grid to itself, orthonormal, ring after ring.

    Dependent elements are dropped in order (Gram-Schmidt), which is the same on every processor where an SVD's basis is not.
    """
    group = a.group
    radii = np.linalg.norm(offsets(size, group.vector.dim), axis=-1).ravel().round(9)
    found = [np.zeros((0, b.dim, a.dim, len(radii)))]
    for radius in np.unique(radii):
        pixels = np.flatnonzero(radii == radius)
        kept = np.zeros((0, b.dim * a.dim * len(pixels)))
        top = int(np.pi * radius)
        for j in range((top if degree is None else min(top, degree)) + 1):
            y = _harmonics(group, size, j)[pixels]
            for flat in np.einsum("nbay,py->nbap", angular_basis(a, b, j), y).reshape(-1, kept.shape[1]):
                rest = flat
                for _ in range(2):
                    rest = rest - kept.T @ (kept @ rest)
                if np.linalg.norm(rest) > 1e-6 * max(1.0, np.linalg.norm(flat)):
                    kept = np.concatenate([kept, rest[None] / np.linalg.norm(rest)])
        placed = np.zeros((len(kept), b.dim, a.dim, len(radii)))
        placed[..., pixels] = kept.reshape(len(kept), b.dim, a.dim, len(pixels))
        found.append(placed)
    return np.concatenate(found)


class GridConv(Constants):
    """Steerable convolution of images (batch, rep_in.dim, height, width) or volumes (batch, rep_in.dim, x, y, z).

    The kernel is a product weights x basis, then torch's convolution; in eval mode it is kept until the weights change.
    Exact under the grid's own symmetries (quarter turns, flips, translations that the stride divides); between them as exact
    as `radial_profiles` says. With a stride s the image's size must be 1 plus a multiple of s: then quarter turns and flips
    map the pixels that are kept to each other.

    Args:
        kernel_size: pixels; padding "same" needs an odd one.
        padding: "same" (zeros), or a number of pixels.
        degree: highest harmonic degree; None: all that the kernel's pixels carry, see `sampled_basis`.
        bias: one number for each trivial copy of the output.

    Initial weights are normal with variance b.dim / (number of elements that feed an output copy of irrep b), so that white
    input of variance 1 gives output of variance 1: each element's squares sum to 1, spread over b.dim outputs.

    Raises ValueError for mixed groups, a wrong channel axis, pixels that are not finite. Warns, once, where the kernel is too
    small for the frequencies of some pair of irreps, which then get no path.
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
        for name, number in (("kernel_size", kernel_size), ("stride", stride)):
            if not isinstance(number, int) or number < 1:
                raise ValueError(f"{name} must be a positive integer, got {number!r}")
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
        self._plan: list[list[tuple[int, str, slice]]] = []
        names: dict[tuple[Irrep, Irrep], str] = {}
        weights, start = [], 0
        for mul_out, b in rep_out.blocks:
            bases = [sampled_basis(a, b, kernel_size, degree) for _, a in rep_in.blocks]
            fan = sum(mul * len(basis) for (mul, _), basis in zip(rep_in.blocks, bases, strict=True))
            row = []
            for j, ((mul_in, a), basis) in enumerate(zip(rep_in.blocks, bases, strict=True)):
                count = mul_out * mul_in * len(basis)
                if count == 0:
                    continue
                if (a, b) not in names:
                    names[a, b] = f"basis_{len(names)}"
                    self.constant(names[a, b], basis)
                weights.append(torch.randn(count) * (b.dim / fan) ** 0.5)
                row.append((j, names[a, b], slice(start, start + count)))
                start += count
            self._plan.append(row)
        if kernel_size > 1 and degree is None and not keeps_grid(group):
            _warn_of_aliasing(rep_in, rep_out, kernel_size)
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
        pixels = self.kernel_size**self._dimensions
        rows = []
        for (m, b), plan in zip(self.rep_out.blocks, self._plan, strict=True):
            row = [self.weight.new_zeros(m, b.dim, n * a.dim * pixels) for n, a in self.rep_in.blocks]
            for j, name, where in plan:
                n, a = self.rep_in.blocks[j]
                block = self.weight[where].view(m * n, -1) @ getattr(self, name).flatten(1)
                row[j] = block.view(m, n, b.dim, a.dim * pixels).transpose(1, 2).flatten(2)
            rows.append((torch.cat(row, dim=2) if len(row) != 1 else row[0]).flatten(0, 1))
        kernel = torch.cat(rows) if rows else self.weight.new_zeros(0, self.rep_in.dim * pixels)
        return kernel.view(self.rep_out.dim, self.rep_in.dim, *[self.kernel_size] * self._dimensions)

    def set_kernel(self, kernel: Tensor) -> None:
        """Choose the weights so that `kernel()` is this one, (rep_out.dim, rep_in.dim, k, k) or (..., k, k, k).

        Raises ValueError for a kernel that no weights give: one that is not steerable, say.
        """
        expected = (self.rep_out.dim, self.rep_in.dim, *[self.kernel_size] * self._dimensions)
        if tuple(kernel.shape) != expected:
            raise ValueError(f"kernel: got shape {tuple(kernel.shape)}, expected {expected}")
        wanted, found = kernel.detach().double().cpu(), torch.zeros(self.weight.numel(), dtype=torch.float64)
        for i, (m, b) in enumerate(self.rep_out.blocks):
            for j, name, where in self._plan[i]:
                n = self.rep_in.blocks[j][0]
                block = wanted[self.rep_out.slices[i], self.rep_in.slices[j]].reshape(m, b.dim, n, -1).transpose(1, 2)
                basis = self._exact[name].flatten(1)
                found[where] = torch.linalg.lstsq(basis.T, block.reshape(m * n, -1).T).solution.T.flatten()
        before = self.weight.detach().clone()
        with torch.no_grad():
            self.weight.copy_(found)
            gap = float((self.kernel().double().cpu() - wanted).abs().max()) if wanted.numel() else 0.0
            if gap > 1e3 * torch.finfo(self.weight.dtype).eps * max(1.0, float(wanted.abs().max())):
                self.weight.copy_(before)
                raise ValueError(f"kernel: no weights give it, the nearest ones miss by {gap:.2g}: it is not steerable")

    def export(self) -> torch.nn.Module:
        """A plain torch.nn.Conv2d (Conv3d for volumes) that does the same, for code that knows nothing of groups."""
        make = torch.nn.Conv2d if self._dimensions == 2 else torch.nn.Conv3d
        size, biased = (self.rep_in.dim, self.rep_out.dim, self.kernel_size), self.bias is not None
        conv = make(*size, stride=self.stride, padding=self.padding, bias=biased).to(self.weight)
        with torch.no_grad():
            conv.weight.copy_(self.kernel())
            if conv.bias is not None and self.bias is not None:
                conv.bias.copy_(self.bias @ self.place)
        return conv

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
            kind = (
                "images (batch, channels, height, width)"
                if self._dimensions == 2
                else "volumes (batch, channels, x, y, z)"
            )
            raise ValueError(
                f"x: got {tuple(x.shape)}, {self.rep_in.group} acts on {self._dimensions} coordinates: {kind}"
            )
        check_axis("x", x, self.rep_in, 1)
        # One sum finds NaN and inf; only a sum that overflows needs the second look.
        if not torch.compiler.is_compiling() and not x.sum().isfinite() and not x.isfinite().all():
            raise ValueError(f"x has pixels that are NaN or infinite, shape {tuple(x.shape)}")
        bias = None if self.bias is None else self.bias @ self.place
        return self._conv(x, self._kernel(), bias, stride=self.stride, padding=self.padding)


def _warn_of_aliasing(rep_in: Rep, rep_out: Rep, size: int) -> None:
    """One warning that names the pairs of irreps between which a kernel exists in the plane, but not on so few pixels."""
    lost = []
    for a, b in dict.fromkeys((a, b) for _, b in rep_out.blocks for _, a in rep_in.blocks):
        if len(sampled_basis(a, b, size)) == 0:
            needed = next((j for j in range(size, size + 32) if len(angular_basis(a, b, j))), None)
            if needed is not None:
                error = radial_profiles(a.group.ambient, size, needed)[1].min(initial=1.0)
                lost.append(f"{a.label} -> {b.label} needs degree {needed}, off by {100 * error:.0f} %")
    if lost:
        more = f" and {len(lost) - 4} more" if len(lost) > 4 else ""
        warnings.warn(
            f"kernel_size {size} carries degrees up to {size - 1} and is too small for some frequencies (aliasing), which "
            f"get no path: {', '.join(lost[:4])}{more}",
            stacklevel=3,
        )


class CircularMask(Constants):
    """Multiplies images or volumes by a disc (ball) that fades to 0 within `edge` pixels of the border, along half a cosine.

    Zero padding makes a square of the world, which no turn but a quarter respects; behind the mask there is nothing to cut.

    Args:
        size: pixels along each side.
        edge: pixels from 1 to 0; 0 cuts sharply, at radius size / 2.
        dimensions: 2 for images, 3 for volumes.
    """

    mask: Tensor

    def __init__(self, size: int, edge: float = 3.0, dimensions: int = 2) -> None:
        super().__init__()
        if not isinstance(size, int) or size < 1 or not 0 <= edge <= size / 2 or dimensions not in (2, 3):
            raise ValueError(
                f"size, edge, dimensions: got {size!r}, {edge!r}, {dimensions!r}; expected pixels, at most half of them, 2 or 3"
            )
        inside = size / 2 - np.linalg.norm(offsets(size, dimensions), axis=-1)
        ramp = np.clip(inside / edge, 0, 1) if edge else (inside >= 0).astype(float)
        self.size = size
        self.constant("mask", (1 - np.cos(np.pi * ramp)) / 2)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2:] != self.mask.shape:
            raise ValueError(f"x: got {tuple(x.shape)}, expected pixels {tuple(self.mask.shape)} behind two axes")
        return x * self.mask


class GridPool(torch.nn.Module):
    """Mean over windows with stride 2, placed so that quarter turns and flips commute with it, for odd and even sizes."""

    def forward(self, x: Tensor) -> Tensor:
        for axis in range(2, x.ndim):
            if x.shape[axis] % 2 != x.shape[2] % 2:
                raise ValueError(f"x must have all sizes even or all odd, got {tuple(x.shape)}")
        odd = x.shape[2] % 2
        pool = torch.nn.functional.avg_pool2d if x.ndim == 4 else torch.nn.functional.avg_pool3d
        return pool(x, 2 + odd, stride=2, padding=odd, count_include_pad=False)
