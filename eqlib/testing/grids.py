"""Images and volumes that turn: the action on pixels and on smooth fields, and how far a map is from commuting with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations, product
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation
from torch import Tensor

from eqlib.doors import Natural, Positive, Sampled, typed
from eqlib.groups import Element, Group, Rep
from eqlib.groups.planar import turn
from eqlib.kernels.grid_basis import offsets
from eqlib.testing.equivariance import randomised, relative_error, settled

Field = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@typed
def grid_symmetries(group: Group) -> Element:
    """The elements of the group that map the grid of pixels to itself: quarter turns and flips.

    >>> from eqlib import groups, testing
    >>> len(testing.grid_symmetries(groups.O2())), len(testing.grid_symmetries(groups.SO3()))  # of a square, of a cube
    (8, 24)
    """
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


@typed
def act_on_grid(rep: Rep, g: Element, x: Tensor) -> Tensor:
    """(g f)(p) = rep(g) f(g^-1 p) for one grid symmetry g and features (batch, rep.dim, pixels).

    >>> import torch
    >>> from eqlib import groups, testing
    >>> C4 = groups.Cyclic(4)
    >>> x, quarter = torch.arange(4.0).view(1, 1, 2, 2), C4.element([], component=1)
    >>> torch.equal(testing.act_on_grid(C4.rep("0"), quarter, x), torch.rot90(x, 1, (-2, -1)))
    True
    """
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

    >>> import numpy as np
    >>> from eqlib import groups, testing
    >>> SO2 = groups.SO2()
    >>> wind = testing.induced(SO2.rep("1"), SO2.element([np.pi / 2]), [0.0, 0.0], lambda x: x * [1.0, 0.0])
    >>> wind(np.array([[0.0, 2.0]])).round(6).tolist()  # what blew along x blows along y
    [[0.0, 2.0]]
    """
    return _moved(field, rep.group.matrix(g)[0], rep(g)[0], np.asarray(shift))


def _moved(field: Field, matrix: NDArray[np.float64], fibre: NDArray[np.float64], shift: Any = 0.0) -> Field:
    # Points are rows, and the inverse of an orthogonal matrix is its transpose.
    return lambda x: field((x - shift) @ matrix) @ fibre.T


@typed
def blobs(rep: Rep, reach: float, width: float = 3.0, number: Positive = 12, seed: Natural = 0) -> Field:
    """A random smooth field (n, v) -> (n, rep.dim): Gaussians of deviation `width`, centres within `reach`, in pixels.

    >>> import numpy as np
    >>> from eqlib import groups, testing
    >>> field = testing.blobs(groups.SO2().rep("2x0+1"), reach=8.0, seed=0)
    >>> field(np.zeros((5, 2))).shape
    (5, 4)
    """
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


@typed
def sample_field(field: Field, size: Positive, dimensions: Positive = 2) -> Tensor:
    """A field at the pixels of an image or volume about its centre, (1, channels, size, ...), float64.

    >>> from eqlib import testing
    >>> image = testing.sample_field(lambda x: x, 3)  # the field of places: x to the right, y up
    >>> image[0, 0].tolist()
    [[-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]]
    """
    points = offsets(size, dimensions)
    values = field(points.reshape(-1, dimensions))
    return torch.tensor(np.moveaxis(values.reshape(*points.shape[:-1], -1), -1, 0)[None])


@typed
def grid_equivariance_error(
    f: Callable[[Tensor], Tensor],
    rep_in: Rep,
    rep_out: Rep,
    angles: Sequence[float] | None = None,
    *,
    size: Positive | None = None,
    seed: Natural = 0,
    dtype: torch.dtype = torch.float64,
    samples: Sampled = 4,
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

    A module is copied, cast to `dtype`, and all its parameters, biases too, are drawn anew. With `angles` the copy is in eval
    mode, and running statistics, which belong to the old weights, are those of the test images; without, it stays in the mode
    that it is in. For the weights that it has, pass `lambda x: net(x)`, with the net in eval mode and in float64.
    Raises ValueError for an f that is zero or does not vary.

    What splines cannot read between the pixels of f(x) counts as an error of f, on images of every size. Behind two poolings
    pixels lie four apart, and squares of features (`nn.Invariants`) vary twice as fast as the features: two convolutions with
    gates, trained, gave 0.05 before the squares and 0.27 behind them at 0.5 radians, but 0.08 where the squares were taken of
    features turned by splines, and 0.02 for the scores, means over all pixels. So measure before the squares, or measure
    the scores: `lambda x: net(x)[..., None, None]` with trivial copies as `rep_out` is one pixel, and nothing is interpolated.

    >>> from eqlib import groups, nn, testing
    >>> SO2 = groups.SO2()
    >>> image, hidden = SO2.rep("0"), SO2.rep("2x0+2x1")
    >>> conv = nn.GridConv(image, hidden, 5)
    >>> testing.grid_equivariance_error(conv, image, hidden) < 1e-12  # quarter turns
    True
    >>> testing.grid_equivariance_error(conv, image, hidden, [0.5], samples=1) < 0.05  # half a radian
    True
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
                worst = max(worst, relative_error(plain, before, f(act_on_grid(rep_in, symmetries[i], x))))
        return worst
    size = size or 33
    v = rep_in.group.vector.dim
    inside = size / 2 - 4.5 if inside is None else inside
    fields = [blobs(rep_in, inside if reach is None else reach, width, seed=seed + 1 + n) for n in range(samples)]
    x = torch.cat([sample_field(field, size, v) for field in fields]).to(dtype)
    errors = []
    f = settled(f, x)
    with torch.no_grad():
        plain = f(x).double()
        spacing = round(size / plain.shape[-1])
        points = offsets(plain.shape[-1], v)
        near = np.linalg.norm(points, axis=-1) * spacing <= inside
        for angle in angles:
            matrix = turn_by(angle, v)
            fibre_in, fibre_out = (fibre(rep, matrix) for rep in (rep_in, rep_out))
            moved = [sample_field(_moved(field, matrix, fibre_in), size, v) for field in fields]
            after = f(torch.cat(moved).to(dtype)).double()
            # Where pixel p of the turned image was before, counted in pixels from the corner.
            was = _index(points @ matrix, plain.shape[-1])
            moved_back = np.array(
                [[map_coordinates(c, was, order=5, mode="nearest") for c in image] for image in plain.numpy()]
            )
            expected = np.einsum("ij,njp->nip", fibre_out, moved_back[:, :, near])
            errors.append(relative_error(plain, torch.tensor(expected), after[:, :, torch.tensor(near)], mean=True))
    return float(np.mean(errors))


def turn_by(angle: float, dimensions: int) -> NDArray[np.float64]:
    """Rotation matrix by an angle, of the plane or about (1, 2, 3)."""
    if dimensions == 2:
        return turn(angle)
    return Rotation.from_rotvec(angle * np.array([1.0, 2.0, 3.0]) / np.sqrt(14.0)).as_matrix()


def fibre(rep: Rep, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """How a turn acts on features; a trivial rep needs no group element."""
    if all(a.is_trivial for _, a in rep.blocks):
        return np.eye(rep.dim)
    return rep(rep.group.from_matrix(matrix))[0]


def _index(points: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Raw coordinates (..., v) about the centre as array indices (v, ...): the inverse of `offsets`."""
    rows = np.stack([-points[..., 1], points[..., 0]]) if points.shape[-1] == 2 else np.moveaxis(points, -1, 0)
    return rows + (size - 1) / 2
