"""The globe of stars: what lies where, and what is pale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import ImageColor

from eqlib import viz

WHITE, BLACK = (255, 255, 255), (34, 34, 34)


def test_stars_stand_where_they_are() -> None:
    """Seen along x: y points to the right and z up; a star behind is pale; outside the globe it is white."""
    stars = np.array([(2, 1, 2), (-2, -2, 1)]) / 3
    image = viz.plot_sky(stars, towards=(1, 0, 0), size=200)
    near, far = image.getpixel((131, 37)), image.getpixel((37, 69))  # the globe's radius is 94 pixels
    globe = image.getpixel((100, 100))
    assert image.size == (200, 200) and image.getpixel((1, 1)) == WHITE and globe != WHITE
    assert near == BLACK
    assert all(b < f < g for b, f, g in zip(BLACK, far, globe, strict=True))
    behind = viz.plot_sky(stars, towards=(-1, 0, 0), size=200)
    assert behind.getpixel((163, 69)) == BLACK  # from the other side left and right are exchanged


def test_lines_are_closed_and_hidden_behind_near_ones() -> None:
    """A line joins its last point to its first, in its own colour; the near half is drawn over the far one."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    tilted = np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1)  # the equator, seen from above the x axis
    image = viz.plot_sky(np.zeros((0, 3)), [tilted], towards=(1, 0, 1), size=200)
    down = round(100 + 94 * np.sqrt(0.5))
    near = image.getpixel((100, down))
    assert near == ImageColor.getrgb(viz.PALETTE[0])
    up = round(100 - 94 * np.sqrt(0.5))
    around = [image.getpixel((100, y)) for y in range(up - 3, up + 4)]
    assert (
        near not in around and min(colour[0] for colour in around) < image.getpixel((100, 100))[0] - 40
    )  # pale, and there
    across, behind = [(0.8, 0.6, 0), (0.8, -0.6, 0)], [(-0.8, 0, 0.6), (-0.8, 0, -0.6)]
    crossing = viz.plot_sky(np.zeros((0, 3)), [across, behind], towards=(1, 0, 0), size=200)
    assert near in [crossing.getpixel((100, y)) for y in (99, 100, 101)]
    assert near not in [crossing.getpixel((x, 80)) for x in range(200)]
    square = [(1, 0, 0), (0.8, 0.6, 0), (0.8, 0, 0.6)]
    pixels = np.asarray(viz.plot_sky([(0, 0, 1)], [square], towards=(1, 0, 0), size=200)).astype(int)
    middle = pixels[round(100 - 94 * 0.3), 100]  # half way from the third point back to the first
    assert middle.tolist() == list(near)
    two = viz.plot_sky(np.zeros((0, 3)), [tilted, np.roll(tilted, 1, axis=1)], towards=(1, 1, 1), size=100)
    colours = {two.getpixel((x, y)) for x in range(100) for y in range(100)}
    assert {ImageColor.getrgb(c) for c in viz.PALETTE[:2]} <= colours


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: viz.plot_sky([(1, 0)]), r"stars: got \(1, 2\), expected directions \(n, 3\) of length 1"),
        (lambda: viz.plot_sky([(1, 0, 1)]), "stars: got other lengths, expected directions"),
        (lambda: viz.plot_sky([(np.nan, 0, 1)]), "stars: got other lengths, expected directions"),
        (lambda: viz.plot_sky([(1, 0, 0)], [[(0, 2, 0)]]), r"lines\[0\]: got other lengths"),
        (lambda: viz.plot_sky([(1, 0, 0)], towards=(0, 0, 1)), "towards: got"),
    ],
)
def test_wrong_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
