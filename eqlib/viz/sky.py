"""The sky as a globe of stars, seen from outside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageColor, ImageDraw

from eqlib.viz.pictures import PALETTE
from eqlib.viz.views import frame

FINE = 2  # drawn this many times as large, then reduced, so that lines are smooth
GLOBE, STAR = "#e6edf3", "#222222"


def plot_sky(
    stars: ArrayLike, lines: Sequence[ArrayLike] = (), towards: ArrayLike = (1.0, 0.2, 0.3), size: int = 240
) -> Image.Image:
    """A globe of `size` pixels with a dot for each star, and closed lines in colours; what is on the far side is pale.

    stars: directions (n, 3) of length 1. lines: for each its points (m, 3), of length 1 too. towards: the direction (3,) from
    the globe's middle to the reader's eye; z points up.

    >>> from eqlib import viz
    >>> viz.plot_sky([(1, 0, 0)], towards=(1, 0, 0), size=200).getpixel((100, 100))  # a star before us
    (34, 34, 34)
    """
    points = [_unit("stars", stars), *(_unit(f"lines[{i}]", line) for i, line in enumerate(lines))]
    side, view = FINE * size, frame(towards, (0, 0, 1))
    radius = 0.47 * side
    sheet = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(sheet)
    middle = side / 2
    draw.ellipse((middle - radius, middle - radius, middle + radius, middle + radius), GLOBE, "#aab4bd", FINE)
    seen = [(p @ view.T) * [radius, -radius, 1] + [middle, middle, 0] for p in points]
    for near in (False, True):  # the far side first
        for number, place in enumerate(seen[1:]):
            colour = _shade(PALETTE[number % len(PALETTE)], near)
            for start, end in zip(place, np.roll(place, -1, axis=0), strict=True):
                if (start[2] + end[2] > 0) == near:
                    draw.line((*start[:2], *end[:2]), colour, 2 * FINE)
        dot = 0.0075 * side
        for x, y, depth in seen[0]:
            if (depth > 0) == near:
                draw.ellipse((x - dot, y - dot, x + dot, y + dot), _shade(STAR, near))
    return sheet.resize((size, size), Image.Resampling.BOX)


def _unit(name: str, directions: ArrayLike) -> NDArray[np.float64]:
    """Directions as (n, 3), or a ValueError."""
    found = np.asarray(directions, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] != 3 or not (np.abs((found**2).sum(1) - 1) < 1e-6).all():
        what = found.shape if found.ndim != 2 or found.shape[1] != 3 else "other lengths"
        raise ValueError(f"{name}: got {what}, expected directions (n, 3) of length 1")
    return found


def _shade(colour: str, near: bool) -> tuple[int, int, int]:
    """The colour, or a pale one for the far side."""
    own, globe = (np.array(ImageColor.getrgb(c)[:3], dtype=np.float64) for c in (colour, GLOBE))
    r, g, b = (own if near else 0.25 * own + 0.75 * globe).round().astype(int).tolist()
    return r, g, b
