"""Steerable kernels on pixels: every one for a group of the grid, and the ones that turn best for any other."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray

from eqlib.constants import fixed
from eqlib.doors import Degree, Positive, typed
from eqlib.groups import Group, Irrep
from eqlib.harmonics import Harmonics, restricted
from eqlib.kernels.steerable import angular_basis, level

# Pixels: kernels are made for images without much below this scale, Gaussian blobs of this standard deviation.
BAND = 1.0
LOWEST = 0.1  # radians a pixel


def offsets(size: int, dimensions: int) -> NDArray[np.float64]:
    """(size, ..., size, dimensions) raw coordinates of a kernel's pixels about its centre.

    An image is (row, column) with x to the right and y up; a volume is (x, y, z).

    >>> from eqlib.kernels.grid_basis import offsets
    >>> offsets(3, 2)[0].tolist()  # the first row is the upper one
    [[-1.0, 1.0], [0.0, 1.0], [1.0, 1.0]]
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
        values = module(fixed(points @ group.coordinates.T)).numpy()
    return values[:, values.shape[1] - restricted(group, degree)[0].dim :]


@typed
@lru_cache(maxsize=256)
def radial_profiles(group: Group, size: Positive, degree: Degree) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The radial profiles that turn best on pixels, for one degree of an ambient group's harmonics.

    Among all kernels c(|p|) Y_J(p) on the pixels p, each radius with a number of its own, some turn with the image and some
    only look so. The Fourier transform of a kernel that turns is f(|k|) Y_J(k). What is left of it, squared, against the whole
    makes a generalised eigenvalue problem over the c, both weighted with k^-J exp(-(BAND k)^2) dk / k from wave number LOWEST
    to pi. Its roots fall into a group of small ones, as many as there are polynomials r^J r^2n up to degree size - 1, and a gap
    behind them.

    Returns (profiles (n, p), orthonormal on the pixels as kernels; errors (n,): the relative equivariance error that the
    n-th best has in that mean, worst last). n = 0 where the pixels do not carry the degree.

    >>> from eqlib import groups, kernels
    >>> profiles, errors = kernels.radial_profiles(groups.O2(), 5, 2)  # degree 2 on 5 x 5 pixels
    >>> profiles.shape, bool(errors.max() < 0.1)
    ((2, 25), True)
    """
    points = offsets(size, group.vector.dim).reshape(-1, group.vector.dim)
    y = _harmonics(group, size, degree)
    radii = np.linalg.norm(points, axis=1).round(9)
    rings = (radii == np.unique(radii)[:, None]).astype(float)
    norms = np.sqrt(rings @ (y**2).sum(axis=1))
    rings = rings[norms > 1e-9] / norms[norms > 1e-9, None]
    directions, weights = _directions(group.vector.dim)
    # Each octave counts, and more so the lower ones, where a kernel answers as k^degree: or smooth images would come last.
    t, radial = np.polynomial.legendre.leggauss(16)
    low, high = np.log(LOWEST), np.log(np.pi)
    k = np.exp(low + (high - low) * (t + 1) / 2)
    radial = radial * np.exp(-((BAND * k) ** 2)) / k**degree
    # A kernel of even degree has a real transform, one of odd degree an imaginary one.
    wave = (np.cos if degree % 2 == 0 else np.sin)(k[:, None, None] * (directions @ points.T))
    transform = np.einsum("ktp,npi->nkti", wave, rings[:, :, None] * y, optimize=True)
    with torch.no_grad():
        turned = fixed(directions @ group.coordinates.T)
        at = Harmonics(group, degree, normalization="norm").double()(turned).numpy()[:, -y.shape[1] :]
    whole = np.einsum("k,t,nkti,mkti->nm", radial, weights, transform, transform, optimize=True)
    f = np.einsum("t,nkti,ti->nk", weights, transform, at, optimize=True)
    steerable = np.einsum("k,nk,mk->nm", radial, f, f)
    # An energy that rounding alone could make is no energy: without the floor an empty band would look perfect.
    roots, vectors = scipy.linalg.eigh(whole - steerable, whole + 1e-13 * float(np.trace(whole)) * np.eye(len(whole)))
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
    """Whether every element maps the grid of pixels to itself, so that a kernel may use each pixel by itself.

    >>> from eqlib import groups
    >>> from eqlib.kernels.grid_basis import keeps_grid
    >>> keeps_grid(groups.Dihedral(4)), keeps_grid(groups.Cyclic(8))
    (True, False)
    """
    if group.dim:
        return False
    matrices = group.matrix(group.element(np.zeros((group.components, 0)), np.arange(group.components)))
    return bool(np.abs(matrices - matrices.round()).max() < 1e-9)


@typed
@lru_cache(maxsize=4096)
def sampled_basis(a: Irrep, b: Irrep, size: Positive, degree: Degree | None = None) -> NDArray[np.float64]:
    """Independent steerable kernels a -> b sampled on a grid, (N, b.dim, a.dim, size, ...), each with squares that sum to 1.

    A group that maps the grid to itself gets every kernel that there is: a ring for each distinct radius, with the degrees
    that the ring's pixels carry. Any other gets, for each degree, the profiles that turn best (`radial_profiles`).

    >>> from eqlib import groups, kernels
    >>> C4 = groups.Cyclic(4)
    >>> kernels.sampled_basis(C4.trivial, C4.trivial, 3).shape  # the centre, the edges, the corners
    (3, 1, 1, 3, 3)
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
                if np.linalg.norm(rest) > 1e-6:
                    kept = np.concatenate([kept, rest[None] / np.linalg.norm(rest)])
        placed = np.zeros((len(kept), b.dim, a.dim, len(radii)))
        placed[..., pixels] = kept.reshape(len(kept), b.dim, a.dim, len(pixels))
        found.append(placed)
    return np.concatenate(found)
