"""A function on the unit sphere, as a picture of the half that faces the reader."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from eqlib.viz.pictures import colours

FINE = 2  # drawn this many times as large, then reduced, so that the rim is smooth
MOST = 8192  # points at once: harmonics of a high degree would take a hundred megabytes for all


def plot_on_sphere(
    function: Callable[[NDArray[np.float64]], ArrayLike], towards: ArrayLike = (0, 0, 1), size: int = 220
) -> Image.Image:
    """The values of a function on the sphere, orange positive and blue negative, darker towards the rim.

    function: points (n, 3) of length 1 -> values (n,). towards: the direction (3,) from the centre to the reader's eye; the
    z axis (or, seen along z, the y axis) points up.
    """
    eye = np.asarray(towards, dtype=np.float64)
    if eye.shape != (3,) or not np.isfinite(eye).all() or np.linalg.norm(eye) == 0:
        raise ValueError(f"towards must be a direction of three numbers, not all zero, got {towards!r}")
    eye = eye / np.linalg.norm(eye)
    above = np.array([0.0, 0.0, 1.0]) if abs(eye[2]) < 0.999 else np.array([0.0, 1.0, 0.0])
    up = above - eye * (above @ eye)
    up /= np.linalg.norm(up)
    right = np.cross(up, eye)
    side = FINE * size
    grid = (np.arange(side) + 0.5) * 2 / side - 1
    x, y = np.meshgrid(1.02 * grid, -1.02 * grid)
    inside = x**2 + y**2 < 1
    depth = np.sqrt(1 - x[inside] ** 2 - y[inside] ** 2)
    where = x[inside, None] * right + y[inside, None] * up + depth[:, None] * eye
    values = np.zeros(x.shape)
    values[inside] = np.concatenate([_values(function, part) for part in np.array_split(where, -(-len(where) // MOST))])
    pixels = colours(values).astype(np.float64)
    pixels[inside] *= (0.62 + 0.38 * depth)[:, None]
    pixels[~inside] = 255
    return Image.fromarray(pixels.round().astype(np.uint8)).resize((size, size), Image.Resampling.BOX)


def _values(function: Callable[[NDArray[np.float64]], ArrayLike], where: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.asarray(function(where), dtype=np.float64)
    if found.shape != (len(where),):
        raise ValueError(f"function must give ({len(where)},) values for as many points, got {found.shape}")
    return found
