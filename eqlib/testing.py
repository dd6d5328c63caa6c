"""Is it equivariant? One number, for any map between reps."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation
from torch import Tensor

from eqlib.groups import Element, Group, Rep
from eqlib.groups.planar import turn
from eqlib.nn.grid_basis import offsets

Field = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def equivariance_error(
    f: Callable[..., Tensor],
    rep_in: Rep | Sequence[Rep],
    rep_out: Rep,
    samples: int = 8,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    scale: float = 1.0,
) -> float:
    """The largest |f(g x) - g f(x)| / |g f(x)| over random g and x.

    f maps tensors (samples, 4, rep.dim), one for each rep of `rep_in`, to (samples, 4, rep_out.dim), each row on its own. A
    module is copied, cast to `dtype`, and all its parameters, biases too, are drawn anew. `scale` bounds boosts' rapidity.

    Raises ValueError for an f that is zero or does not vary: it would pass everything.
    """
    reps = [rep_in] if isinstance(rep_in, Rep) else list(rep_in)
    f = randomised(f, seed, dtype)
    g = rep_out.group.sample(samples, seed=seed, scale=scale)
    rng = np.random.default_rng(seed + 1)
    x = [torch.tensor(rng.normal(size=(samples, 4, rep.dim))) for rep in reps]
    moved = [torch.einsum("nij,nbj->nbi", torch.tensor(rep(g)), v) for rep, v in zip(reps, x, strict=True)]
    with torch.no_grad():
        plain, after = f(*(v.to(dtype) for v in x)), f(*(v.to(dtype) for v in moved))
    if plain.shape != (samples, 4, rep_out.dim):
        raise ValueError(f"f gives {tuple(plain.shape)}, rep_out {rep_out!r} expects {(samples, 4, rep_out.dim)}")
    before = torch.einsum("nij,nbj->nbi", torch.tensor(rep_out(g)), plain.double())
    return _relative(plain.double(), before, after.double())


def assert_equivariant(
    f: Callable[..., Tensor], rep_in: Rep | Sequence[Rep], rep_out: Rep, tolerance: float = 1e-10, **options: object
) -> None:
    """AssertionError with the number where `equivariance_error` is above `tolerance`."""
    error = equivariance_error(f, rep_in, rep_out, **options)  # type: ignore[arg-type]
    if not error <= tolerance:
        raise AssertionError(f"not equivariant: error {error:.2e} is above {tolerance:.0e}")


def grid_symmetries(group: Group) -> Element:
    """The elements of the group that map the grid of pixels to itself: quarter turns and flips."""
    size = group.vector.dim
    found = []
    for order in permutations(range(size)):
        for signs in product([1.0, -1.0], repeat=size):
            matrix = np.eye(size)[list(order)] * np.array(signs)
            try:
                found.append(group.from_matrix(matrix))
            except ValueError:  # not in this group: the reflections of SO(2), say
                continue
    factors = [np.concatenate([g.factors[0][k] for g in found]) for k in (0, 1)]
    return Element(group, ((factors[0], factors[1]),))


def act_on_grid(rep: Rep, g: Element, x: Tensor) -> Tensor:
    """(g f)(p) = rep(g) f(g^-1 p) for one grid symmetry g and features (batch, rep.dim, pixels)."""
    matrix = rep.group.matrix(g)[0].round()
    dimensions = len(matrix)
    if dimensions == 2:  # rows run against y
        flip = np.array([[0.0, -1.0], [1.0, 0.0]])
        matrix = flip @ matrix @ flip.T
    axes = [int(np.abs(matrix[:, i]).argmax()) for i in range(dimensions)]
    y = x.permute(0, 1, *(2 + axes.index(i) for i in range(dimensions)))
    y = y.flip([2 + axes[i] for i in range(dimensions) if matrix[axes[i], i] < 0])
    return torch.einsum("ij,bj...->bi...", torch.tensor(rep(g)[0]).to(x), y)


def induced(rep: Rep, g: Element, shift: ArrayLike, field: Field) -> Field:
    """The action of a turn g and a shift t on a field: x -> rep(g) field(g^-1 (x - t)), for points x (n, v) in raw coordinates.

    This is the rep that rep induces on fields over the plane or space (Cohen and Welling 2017; Weiler and Cesa 2019, Eq. 3).
    """
    return _moved(field, rep.group.matrix(g)[0], rep(g)[0], np.asarray(shift))


def _moved(field: Field, matrix: NDArray[np.float64], fibre: NDArray[np.float64], shift: Any = 0.0) -> Field:
    # Points are rows, and the inverse of an orthogonal matrix is its transpose.
    return lambda x: field((x - shift) @ matrix) @ fibre.T


def blobs(rep: Rep, reach: float, width: float = 3.0, number: int = 12, seed: int = 0) -> Field:
    """A random smooth field (n, v) -> (n, rep.dim): Gaussians of deviation `width`, centres within `reach`, in pixels."""
    rng = np.random.default_rng(seed)
    v = rep.group.vector.dim
    direction = rng.normal(size=(number, v))
    radius = reach * rng.uniform(size=(number, 1)) ** (1 / v)
    centres = radius * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    heights = rng.normal(size=(number, rep.dim))

    def field(x: NDArray[np.float64]) -> NDArray[np.float64]:
        square = ((x[:, None] - centres) ** 2).sum(axis=-1)
        return np.exp(-0.5 * square / width**2) @ heights

    return field


def sample_field(field: Field, size: int, dimensions: int = 2) -> Tensor:
    """A field at the pixels of an image or volume about its centre, (1, channels, size, ...), float64."""
    points = offsets(size, dimensions)
    values = field(points.reshape(-1, dimensions))
    return torch.tensor(np.moveaxis(values.reshape(*points.shape[:-1], -1), -1, 0)[None])


def grid_equivariance_error(
    f: Callable[[Tensor], Tensor],
    rep_in: Rep,
    rep_out: Rep,
    angles: Sequence[float] | None = None,
    *,
    size: int | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    samples: int = 4,
    reach: float | None = None,
    inside: float | None = None,
    width: float = 3.0,
) -> float:
    """How far a map of images or volumes is from commuting with turns: |f(g x) - g f(x)| / |g f(x)|.

    Without `angles`: the largest over every quarter turn and flip of the group, on noise (size 11 unless given).
    With `angles` in radians: the mean over them and over `samples` images, which are sums of Gaussians of standard deviation
    `width` with centres within `reach` (default `inside`), evaluated anew at the turned points, so that no image is
    interpolated; f(x) is turned by splines of order 5. Norms are over the pixels within `inside` of the centre (default:
    size / 2 - 4.5, 12 of 33 pixels, the default size); where f makes images smaller, their pixels lie further apart. Volumes
    turn about (1, 2, 3). A rep of a group without such a turn must be trivial.

    A module is copied, cast to `dtype`, and all its parameters, biases too, are drawn anew.
    Raises ValueError for an f that is zero or does not vary.
    """
    # Weights that grow from layer to layer would make every activation a step, which no grid resolves.
    f = randomised(f, seed, dtype, 0.3 if angles is None else 0.0)
    if angles is None:
        shape = (2, rep_in.dim, *[size or 11] * rep_in.group.vector.dim)
        x = torch.tensor(np.random.default_rng(seed + 1).normal(size=shape)).to(dtype)
        symmetries, worst = grid_symmetries(rep_in.group), 0.0
        with torch.no_grad():
            plain = f(x)
            for i in range(len(symmetries)):
                before = act_on_grid(rep_out, symmetries[i], plain)
                worst = max(worst, _relative(plain, before, f(act_on_grid(rep_in, symmetries[i], x))))
        return worst
    size = size or 33
    v = rep_in.group.vector.dim
    inside = size / 2 - 4.5 if inside is None else inside
    fields = [blobs(rep_in, inside if reach is None else reach, width, seed=seed + 1 + n) for n in range(samples)]
    x = torch.cat([sample_field(field, size, v) for field in fields]).to(dtype)
    errors = []
    with torch.no_grad():
        plain = f(x).double()
        spacing = round(size / plain.shape[-1])
        points = offsets(plain.shape[-1], v)
        near = np.linalg.norm(points, axis=-1) * spacing <= inside
        for angle in angles:
            matrix = _turn(angle, v)
            fibre_in, fibre_out = (_fibre(rep, matrix) for rep in (rep_in, rep_out))
            moved = [sample_field(_moved(field, matrix, fibre_in), size, v) for field in fields]
            after = f(torch.cat(moved).to(dtype)).double()
            # Where pixel p of the turned image was before, counted in pixels from the corner.
            was = _index(points @ matrix, plain.shape[-1])
            moved_back = np.array(
                [[map_coordinates(c, was, order=5, mode="nearest") for c in image] for image in plain.numpy()]
            )
            expected = np.einsum("ij,njp->nip", fibre_out, moved_back[:, :, near])
            errors.append(_relative(plain, torch.tensor(expected), after[:, :, torch.tensor(near)], mean=True))
    return float(np.mean(errors))


def _turn(angle: float, dimensions: int) -> NDArray[np.float64]:
    """Rotation matrix by an angle, of the plane or about (1, 2, 3)."""
    if dimensions == 2:
        return turn(angle)
    return Rotation.from_rotvec(angle * np.array([1.0, 2.0, 3.0]) / np.sqrt(14.0)).as_matrix()


def _fibre(rep: Rep, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """How a turn acts on features; a trivial rep needs no group element."""
    if all(a.is_trivial for _, a in rep.blocks):
        return np.eye(rep.dim)
    return rep(rep.group.from_matrix(matrix))[0]


def _index(points: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Raw coordinates (..., v) about the centre as array indices (v, ...): the inverse of `offsets`."""
    rows = np.stack([-points[..., 1], points[..., 0]]) if points.shape[-1] == 2 else np.moveaxis(points, -1, 0)
    return rows + (size - 1) / 2


@dataclass(frozen=True)
class Causes:
    """Why one layer is not equivariant: relative errors by cause, see `causes`."""

    layer: str
    activation: float
    grid: float
    boundary: float
    stride: float


def causes(
    layers: Iterable[torch.nn.Module], rep: Rep, angle: float, size: int = 33, seed: int = 0, width: float = 3.0
) -> list[Causes]:
    """Where a network of layers on images or volumes loses its equivariance under a turn by `angle` radians, layer by layer.

    Each layer gets random parameters and, by itself, exactly equivariant input of the rep that it takes, on `size` pixels (a
    mask on its own size); a layer without `rep_in` or `rep` keeps the rep of the one before. The causes:

    activation: the error on one pixel alone, where only features are mixed.
    grid: the rest on smooth fields well inside the image; of a strided layer, at stride 1.
    boundary: what fields add that reach over the border.
    stride: what fewer pixels add.

    Raises ValueError where the turn is no element of a group whose features are not trivial.
    """
    found, matrix = [], _turn(angle, rep.group.vector.dim)
    for layer in layers:
        rep_in = getattr(layer, "rep_in", getattr(layer, "rep", rep))
        rep = getattr(layer, "rep_out", getattr(layer, "rep", rep_in))
        module, pixels = randomised(layer, seed, torch.float64, 0.0), getattr(layer, "size", size)
        dense: Any = copy.deepcopy(module)
        if hasattr(layer, "stride"):
            dense.stride = 1

        def error(f: Any, inside: float, reach: float, reps: tuple[Rep, Rep] = (rep_in, rep), n: int = pixels) -> float:
            return grid_equivariance_error(  # of its call, because a module's weights would be drawn anew
                f.__call__, *reps, [angle], size=n, seed=seed, inside=inside, reach=reach, width=width
            )

        one = torch.tensor(np.random.default_rng(seed).normal(size=(4, rep_in.dim, *[1] * len(matrix))))
        one = one.expand(-1, -1, *[getattr(layer, "size", 1)] * len(matrix))
        with torch.no_grad():
            before = torch.einsum("ij,bj...->bi...", torch.tensor(_fibre(rep, matrix)), module(one))
            after = module(torch.einsum("ij,bj...->bi...", torch.tensor(_fibre(rep_in, matrix)), one))
            shape = module(torch.zeros(1, rep_in.dim, *[pixels] * len(matrix), dtype=torch.float64)).shape
        fibre = float((after - before).norm() / before.norm().clamp_min(1e-300))
        near = pixels / 2 - 10
        calm, wild = error(dense, near, near / 2), error(dense, near + 6, pixels / 2)
        shrinks = round(pixels / shape[-1]) > 1
        whole = error(module, near, near / 2) if shrinks else calm
        own = calm if hasattr(layer, "stride") or not shrinks else fibre
        rest = (max(own - fibre, 0.0), max(wild - calm, 0.0), max(whole - own, 0.0))
        found.append(Causes(type(layer).__name__, fibre, *rest))
    return found


def randomised(f: Callable[..., Tensor], seed: int, dtype: torch.dtype, least: float = 0.3) -> Callable[..., Tensor]:
    """A copy of a module in `dtype` with every parameter drawn anew; anything else as it is.

    A parameter keeps its scale, but gets `least` where that is larger, and 0.3 where it was zero.
    """
    if not isinstance(f, torch.nn.Module):
        return f
    f = copy.deepcopy(f).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in f.parameters():
            spread = (max(float(p.square().mean().sqrt()), least) or 0.3) if p.numel() else 1.0
            p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64) * spread)
    return f


def _relative(plain: Tensor, before: Tensor, after: Tensor, mean: bool = False) -> float:
    if not plain.isfinite().all() or not after.isfinite().all():
        raise ValueError("f gives NaN or infinite values")
    if float(plain.abs().max()) == 0.0:
        raise ValueError("f is zero on random input: it passes every test and shows nothing")
    if len(plain) > 1 and float((plain - plain[:1]).abs().max()) == 0.0:
        raise ValueError("f does not vary with its input: it passes every test and shows nothing")
    error = (after - before).flatten(1).norm(dim=1) / before.flatten(1).norm(dim=1).clamp_min(1e-300)
    return float(error.mean() if mean else error.max())
