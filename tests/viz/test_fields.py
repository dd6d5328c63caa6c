"""Arrow fields and matrix-valued kernels, drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.quiver import Quiver

from eqlib import viz

POINTS = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])


def test_arrows_stand_where_they_belong_on_one_scale() -> None:
    """Arrows begin at their points, keep their directions, and have one scale over all panels; a zero is a dot."""
    small, large = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]), np.array([[0.0, 2.0], [-2.0, 0.0], [1.0, 1.0]])
    figure = viz.plot_fields({"one": (POINTS, small), "two": (POINTS, large)}, columns=1)
    one, two = (next(c for c in axes.collections if isinstance(c, Quiver)) for axes in figure.axes)
    assert [axes.get_title() for axes in figure.axes] == ["one", "two"]
    assert np.allclose(one.get_offsets(), POINTS[:2]) and np.allclose(two.get_offsets(), POINTS)
    longest = 0.25 * 1.35
    assert np.allclose(np.stack([one.U, one.V], 1), small[:2] * longest / 2)
    assert np.allclose(np.stack([two.U, two.V], 1), large * longest / 2)
    (dots,) = [c for c in figure.axes[0].collections if isinstance(c, PathCollection)]
    assert np.allclose(dots.get_offsets(), POINTS[2:])
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim() == (-1.35, 1.35)


def test_a_field_of_zeros_is_dots() -> None:
    figure = viz.plot_fields({"nothing": (POINTS, 0 * POINTS)})
    (dots,) = [c for c in figure.axes[0].collections if isinstance(c, PathCollection)]
    assert len(dots.get_offsets()) == 3


def test_a_kernel_is_a_matrix_of_pictures() -> None:
    """Entry (out, in) stands in row out and column in, with row 0 of its pixels at the top; black lines between."""
    kernel = np.zeros((2, 3, 2, 2))
    kernel[1, 2, 0, 1], kernel[0, 0, 1, 0] = 1.0, -0.5
    image = viz.plot_kernel(kernel, size=60)
    assert image.size == (3 * 20 + 2, 2 * 20 + 1)
    white = image.getpixel((5, 5))
    orange, blue = viz.colours([[1.0, -0.5, 0.0]], limits=(-1, 1))[0, :2]
    assert image.getpixel((2 * 21 + 15, 21 + 5)) == tuple(orange) and image.getpixel((5, 15)) == tuple(blue)
    assert image.getpixel((20, 5)) == image.getpixel((5, 20)) == (0, 0, 0)
    assert np.count_nonzero((np.asarray(image) != white).any(-1)) == 2 * 100 + 2 * 41 + 60
    assert viz.plot_kernel(kernel, limit=2.0).getpixel((5, 15)) != tuple(blue)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: viz.plot_fields({}), "fields must not be empty"),
        (lambda: viz.plot_fields({"a": (POINTS, POINTS[:2])}), r"fields\['a'\] must be .* got \(3, 2\) and \(2, 2\)"),
        (lambda: viz.plot_fields({"a": (np.ones((3, 3)), np.ones((3, 3)))}), r"one shape \(n, 2\)"),
        (lambda: viz.plot_kernel(np.zeros((2, 5, 5))), r"shape \(out, in, height, width\) .* got \(2, 5, 5\)"),
    ],
)
def test_wrong_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
