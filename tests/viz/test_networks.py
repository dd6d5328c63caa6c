"""Drawings of a dense, a convolutional and a graph network hold the numbers that they were given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, Rectangle

from eqlib import viz
from eqlib.viz.pictures import colours

VALUES = [[1.0, -2.0], [0.5, 0.0, 4.0]]
WEIGHTS = [np.array([[1.0, -0.5], [0.25, 0.0], [-1.0, 2.0]])]


def fill(value: float, largest: float) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colours([[value]], limits=(-largest, largest))[0, 0])


def test_a_dense_network_has_a_circle_for_each_unit_and_a_line_for_each_weight() -> None:
    (axes,) = viz.plot_dense({"one": (VALUES, WEIGHTS)}).axes
    circles = [patch for patch in axes.patches if isinstance(patch, Circle)]
    assert [c.center for c in circles] == [(0, 0.5), (0, -0.5), (2, 1), (2, 0), (2, -1)]
    assert [to_hex(c.get_facecolor()) for c in circles] == [fill(v, 4) for layer in VALUES for v in layer]
    assert [text.get_text() for text in axes.texts] == ["1.0", "-2.0", "0.5", "0.0", "4.0"]
    lines = {tuple(map(tuple, line.get_xydata())): line for line in axes.lines}
    assert len(lines) == 6
    for (j, i), weight in np.ndenumerate(WEIGHTS[0]):
        line = lines[(0, 0.5 - i), (2, 1 - j)]
        assert line.get_linewidth() == pytest.approx(0.3 + 2.2 * abs(weight) / 2)  # 2 is the largest
        assert weight == 0 or (line.get_color() == "#E69F00") == (weight > 0)
    assert axes.get_title() == "one"
    assert len(viz.plot_dense({"a": (VALUES, WEIGHTS), "b": (VALUES, WEIGHTS)}).axes) == 2


def test_a_window_leads_to_the_pixel_that_is_computed_from_it() -> None:
    """Two stages: the lines from the window's corners end in the middle of the pixel's square."""
    rng = np.random.default_rng(0)
    stages = [rng.uniform(size=(1, 6, 6)), rng.normal(size=(2, 4, 4))]
    figure = viz.plot_convolutional(stages, [(1, 2, 3), (1, 2, 1)], ["image", "maps", "scores"], [0.5, -1.0, 2.0])
    (axes,) = figure.axes
    image, *maps = axes.images
    assert image.get_extent() == [0, 6, -3, 3]
    assert (np.asarray(image.get_array()) == colours(stages[0][0], "grey", (0, stages[0].max()))).all()
    assert [m.get_extent()[1] - m.get_extent()[0] for m in maps] == [4, 4]
    limit = np.abs(stages[1]).max()
    front = max(maps, key=lambda m: m.get_zorder())
    assert (np.asarray(front.get_array()) == colours(stages[1][0], limits=(-limit, limit))).all()
    orange = [p for p in axes.patches if isinstance(p, Rectangle) and to_hex(p.get_edgecolor()) == "#d55e00"]
    window, pixel = (p.get_bbox() for p in orange)
    assert (window.x0, window.y1, window.width) == (2, 2, 3)  # column 2; row 1 of six, from the top
    left = front.get_extent()[0]
    assert (pixel.x0, pixel.y1, pixel.width) == pytest.approx((left + 2, 1, 1))
    ends = [line.get_xydata()[-1] for line in axes.lines if line.get_color() == "#D55E00"]
    assert len(ends) == 2
    assert np.allclose(ends, [left + 2.5, 0.5])
    bars = [p for p in axes.patches if isinstance(p, Rectangle) and p.get_zorder() == 1 and p not in orange]
    assert [np.sign(bar.get_width()) for bar in bars] == [1, -1, 1]
    assert bars[2].get_width() == pytest.approx(-2 * bars[1].get_width())
    assert len({to_hex(bar.get_facecolor()) for bar in bars[:2]}) == 1
    assert to_hex(bars[2].get_facecolor()) != to_hex(bars[0].get_facecolor())
    assert [t.get_text() for t in axes.texts] == ["image", "maps", "0", "1", "2", "scores"]


def test_graphs_share_their_colours_and_join_neighbours() -> None:
    places = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    adjacency = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    figure = viz.plot_graphs({"in": (places, adjacency, [1, 2, 3]), "out": (places, adjacency, [0, -6, 3])})
    first, second = figure.axes
    joined = {tuple(map(tuple, line.get_xydata())) for line in first.lines}
    assert joined == {((0, 0), (1, 0)), ((1, 0), (0, 1))}
    inks = [[to_hex(p.get_facecolor()) for p in axes.patches] for axes in (first, second)]
    assert inks == [[fill(v, 6) for v in values] for values in ([1, 2, 3], [0, -6, 3])]
    assert [t.get_text() for t in first.texts] == ["1", "2", "3"]
    assert second.texts[1].get_color() == "white"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: viz.plot_dense({}), "at least one panel"),
        (
            lambda: viz.plot_dense({"a": (VALUES, [WEIGHTS[0].T])}),
            r"networks\['a'\]: weights must have shapes \[\(3, 2\)\]",
        ),
        (lambda: viz.plot_dense({"a": (VALUES, [])}), "weights must have shapes"),
        (
            lambda: viz.plot_convolutional([np.zeros((3, 3))], [(0, 0, 1)], ["a", "b"], [1]),
            r"\(channels, height, width\)",
        ),
        (
            lambda: viz.plot_convolutional([np.zeros((1, 3, 3))], [], ["a", "b"], [1]),
            "1 stages need 1 windows and 2 names",
        ),
        (
            lambda: viz.plot_graphs({"a": (np.zeros((2, 2)), np.zeros((3, 3)), [1, 2])}),
            r"\(n, 2\), \(n, n\) and \(n,\)",
        ),
        (lambda: viz.plot_graphs({}), "at least one panel"),
    ],
)
def test_wrong_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
