"""The eight Tetris shapes of Thomas et al. (2018), as points and as voxels; drawn from their geometry at any orientation.

A shape is four unit cubes. A volume is (batch, 1, x, y, z), float32; a cube counts 1 inside and 0 outside, and a voxel holds
that indicator smeared by a Gaussian. For a cube turned by R the integral is a product of three error functions of R^T x, so no
voxel is ever interpolated, and a turned volume is as sharp as an upright one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation
from scipy.special import erf

Array = NDArray[np.float64]

#: Places of four unit cubes, after Thomas et al., Tensor field networks (2018); the first two are mirror images.
TETRIS: dict[str, list[tuple[int, int, int]]] = {
    "left screw": [(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 1, 0)],
    "right screw": [(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, -1, 0)],
    "square": [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)],
    "line": [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 3)],
    "corner": [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)],
    "L": [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0)],
    "T": [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 1)],
    "zigzag": [(0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 1, 0)],
}
#: The classes of `tetris_volumes`: mirror images are one, so that each shape but the first is its own mirror image, turned.
SHAPES = ("screw", "square", "line", "corner", "L", "T", "zigzag")
SIZE, BLUR = 15, 1.4  # voxels along a side; standard deviation of the smearing, voxels
EDGE, SHIFT = (2.1, 2.2), 0.5  # of a cube, and how far a shape's centre is off the volume's at most, voxels

#: The one orientation: cubes that stand parallel to the voxels would look unlike any that are turned.
TILT = Rotation.from_rotvec([0.2, 0.4, 0.6]).as_matrix()


def tetris() -> Array:
    """Centres of the cubes of the eight shapes, (8, 4, 3), in edges of a cube, each shape about its centre of mass.

    >>> from eqlib import data
    >>> data.tetris()[3].tolist()  # the line
    [[0.0, 0.0, -1.5], [0.0, 0.0, -0.5], [0.0, 0.0, 0.5], [0.0, 0.0, 1.5]]
    """
    places = np.array(list(TETRIS.values()), dtype=np.float64)
    return places - places.mean(axis=1, keepdims=True)


def draw_cubes(centres: ArrayLike, edge: ArrayLike, turns: ArrayLike, size: int = SIZE, blur: float = BLUR) -> Array:
    """Bodies of cubes as volumes, (n, size, size, size): the share of a Gaussian about each voxel that lies in the cubes.

    centres: (n, cubes, 3), of the cubes, voxels from the middle of the volume. edge: (n,), voxels. turns: (n, 3, 3), how the
    cubes are turned about their centres: rotations, or reflections. blur: the Gaussian's standard deviation, voxels. Cubes that
    overlap count twice. ValueError for another shape, NaN or inf, an edge or a blur that is not above 0, and matrices
    that are not orthogonal.

    >>> import numpy as np
    >>> from eqlib import data
    >>> cube = data.draw_cubes(np.zeros((1, 1, 3)), [3.0], np.eye(3)[None], size=15)
    >>> round(float(cube.sum()), 1), bool(cube.max() < 1)  # its volume
    (27.0, True)
    """
    at, length, matrices = (np.asarray(a, dtype=np.float64) for a in (centres, edge, turns))
    if at.ndim != 3 or at.shape[2] != 3:
        raise ValueError(f"centres: got shape {at.shape}, expected (n, cubes, 3)")
    if length.shape != at.shape[:1] or not (np.isfinite(length) & (length > 0)).all():
        raise ValueError(f"edge: got {length.shape}, expected ({len(at)},) lengths above 0, one for each body")
    if matrices.shape != (len(at), 3, 3):
        raise ValueError(f"turns: got shape {matrices.shape}, expected ({len(at)}, 3, 3)")
    if not np.isfinite(at).all():
        raise ValueError("centres: got NaN or inf, expected finite numbers")
    if not np.abs(matrices @ matrices.swapaxes(1, 2) - np.eye(3)).max(initial=0.0) < 1e-6:
        raise ValueError("turns: got a matrix that is not orthogonal, expected rotations or reflections")
    if not 0 < blur < np.inf:
        raise ValueError(f"blur: got {blur!r}, expected voxels above 0")
    line = np.arange(size) - (size - 1) / 2
    grid = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    volumes = np.zeros((len(at), len(grid)))
    for volume, cubes, half, matrix in zip(volumes, at, length / 2, matrices, strict=True):
        for cube in cubes:
            own = ((grid - cube) @ matrix).T / (blur * 2**0.5)  # coordinates along the cube's axes
            reach = half / (blur * 2**0.5)
            volume += np.prod(erf(own + reach) - erf(own - reach), axis=0) / 8
    return volumes.reshape(-1, size, size, size)


@dataclass(frozen=True, eq=False)
class Volumes:
    """Tetris shapes as volumes with noise; `training.fit` takes them as they are, and `outlines()` to draw them anew.

    images: (n, 1, size, size, size), float32: shapes and noise. labels: (n,), int64, in the order of `SHAPES`.
    centres: (n, 4, 3), of the cubes before the turn, voxels from the shape's centre. edges: (n,), voxels. shifts: (n, 3),
    voxels. turns: (n, 3, 3), from the orientation of `TETRIS`, rotations or reflections.
    noise: (n, 1, size, size, size), float32, as it stands in `images`.

    >>> from eqlib import data
    >>> images, labels = data.tetris_volumes(16, seed=0).batch(np.array([3, 1]))
    >>> images.shape, labels.tolist()
    ((2, 1, 15, 15, 15), [3, 1])
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    centres: Array
    edges: Array
    shifts: Array
    turns: Array
    noise: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Volumes and labels of these indices."""
        return self.images[indices], self.labels[indices]

    def outlines(self) -> Outlines:
        """The same shapes as geometry, for `data.turn_volumes` to draw."""
        return Outlines(self)


@dataclass(frozen=True, eq=False)
class Outlines:
    """Volumes before they are drawn: what `data.turn_volumes` takes, so that a turned shape is exact."""

    volumes: Volumes

    def __len__(self) -> int:
        return len(self.volumes)

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.generic], ...]:
        """Centres (b, 4, 3), edges (b,), shifts (b, 3), noise (b, 1, size, size, size), labels (b,) of these indices."""
        v = self.volumes
        return v.centres[indices], v.edges[indices], v.shifts[indices], v.noise[indices], v.labels[indices]


def tetris_volumes(
    number: int, turned: bool = False, mirrored: bool = False, seed: int = 0, size: int = SIZE, noise: float = 0.005
) -> Volumes:
    """Tetris shapes in turn, 0 ... 6, 0 ... 6, ..., each with an edge, a shift and noise of its own.

    turned: each by a rotation of its own, uniformly; else all by the same one, `TILT`, the screw left-handed. mirrored: half of
    them, by chance, are reflected, too. noise: standard deviation of white noise on every voxel; the inside of a large body
    would be 1, and the largest voxel of these is about 0.5. seed: draws everything. ValueError for a negative number, noise
    that is negative or not finite, and a size in which the longest shape has no room.

    >>> from eqlib import data
    >>> made = data.tetris_volumes(7, turned=True, seed=1, noise=0.0)
    >>> bool(abs(made.images.sum((1, 2, 3, 4)) / (4 * made.edges**3) - 1).max() < 0.01)  # four cubes each
    True
    """
    room = 2 * (EDGE[1] * np.linalg.norm([0.5, 0.5, 2.0]) + 3**0.5 * SHIFT)
    if number < 0:
        raise ValueError(f"number: got {number!r}, expected 0 or more")
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise: got {noise!r}, expected a standard deviation, 0 or more")
    if size < room:
        raise ValueError(f"size: got {size!r}, expected at least {room:.0f} voxels, or the longest shape has no room")
    # RandomState, because its streams are frozen: a logged run must find the same volumes again.
    random = np.random.RandomState(seed)
    labels = np.arange(number, dtype=np.int64) % len(SHAPES)
    edges, shifts = random.uniform(*EDGE, number), random.uniform(-SHIFT, SHIFT, (number, 3))
    turns, signs = rotations(random.normal(size=(number, 4))), random.choice([-1.0, 1.0], number)
    turns = turns if turned else np.tile(TILT, (number, 1, 1))
    turns = turns * signs[:, None, None] if mirrored else turns
    white = np.empty((number, 1, size, size, size), dtype=np.float32)
    for volume in white:  # one by one, or float64 would take twice the memory of all that is returned
        volume[0] = noise * random.normal(size=(size, size, size))
    centres = edges[:, None, None] * np.delete(tetris(), 1, axis=0)[labels]
    images = white.copy()
    for n in range(number):
        one = slice(n, n + 1)
        images[one, 0] += draw_outlines(centres[one], edges[one], shifts[one], turns[one], size).astype(np.float32)
    return Volumes(images, labels, centres, edges, shifts, turns, white)


def rotations(normal: Array) -> Array:
    """Rotation matrices (n, 3, 3), uniform over the group where `normal` (n, 4) is.

    >>> import numpy as np
    >>> from eqlib.data.volumes import rotations
    >>> rotations(np.array([[0.0, 0.0, 0.0, 2.0]]))[0].tolist()  # a quaternion's real part stands last
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    return Rotation.from_quat(normal).as_matrix() if len(normal) else np.zeros((0, 3, 3))


def draw_outlines(centres: ArrayLike, edges: ArrayLike, shifts: ArrayLike, turns: Array, size: int) -> Array:
    """Shapes turned about their centres, then shifted, as volumes (n, size, size, size); see `Volumes` for what they are."""
    placed = np.asarray(centres) @ turns.swapaxes(1, 2) + np.asarray(shifts)[:, None]
    return draw_cubes(placed, edges, turns, size)
