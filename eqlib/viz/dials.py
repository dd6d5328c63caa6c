"""Drawings that explain themselves: a hand on a dial, a matrix whose blocks can be told apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw

from eqlib.viz.pictures import colours

FINE = 3  # drawn this many times as large, then reduced, so that slanted lines have smooth edges
ZERO = (214, 214, 214)


def dial(angle: float, start: float = 0.0, size: int = 186) -> Image.Image:
    """A dial of `size` pixels with a hand at `angle` and a small circle at the rim where it began, `start` (radians).

    Angles run counterclockwise from the right, as everywhere in the course.
    """
    side = FINE * size
    sheet = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(sheet)
    middle, radius = side / 2, 0.46 * side

    def place(at: float, share: float) -> tuple[float, float]:
        return middle + share * radius * np.cos(at), middle - share * radius * np.sin(at)

    draw.ellipse((middle - radius, middle - radius, middle + radius, middle + radius), "#eeeeee", "#888888", FINE)
    for quarter in range(4):
        draw.line([place(quarter * np.pi / 2, 0.92), place(quarter * np.pi / 2, 1)], "#888888", FINE)
    x, y = place(start, 0.88)
    ring = 0.035 * side
    draw.ellipse((x - ring, y - ring, x + ring, y + ring), None, "#D55E00", 2 * FINE)
    draw.line([(middle, middle), place(angle, 0.8)], "#0072B2", 4 * FINE)
    draw.ellipse((middle - ring, middle - ring, middle + ring, middle + ring), "#0072B2")
    return sheet.resize((size, size), Image.Resampling.BOX)


def matrix(array: ArrayLike, edges: Sequence[int], size: int = 240) -> Image.Image:
    """Picture of a square matrix with black lines where its blocks meet; entries that are zero are grey.

    array: (n, n); orange is positive, blue negative, and an entry is zero below 1e-9 of the largest.
    edges: rows (and columns) at which a new block begins. size: about the width in pixels.
    """
    values = np.asarray(array, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ValueError(f"array must have shape (n, n), got {values.shape}")
    if not all(0 <= edge <= len(values) for edge in edges):
        raise ValueError(f"edges must lie in 0 ... {len(values)}, got {list(edges)}")
    pixels = colours(values)
    pixels[np.abs(values) <= 1e-9 * np.abs(values).max()] = ZERO
    times = max(1, round(size / len(values)))
    sheet = Image.fromarray(pixels.repeat(times, axis=0).repeat(times, axis=1))
    draw = ImageDraw.Draw(sheet)
    end = sheet.width - 1
    for edge in {0, *edges, len(values)}:
        at = min(times * edge, end)
        draw.line((at, 0, at, end), "black")
        draw.line((0, at, end, at), "black")
    return sheet
