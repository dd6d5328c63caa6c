"""Roots, weights, the Fano plane and functions on the sphere, as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.text import Annotation

from eqlib import viz
from eqlib.groups import weights
from eqlib.viz.roots import FINE

SQUARE = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
FANO = [(i + 1, (i + 1) % 7 + 1, (i + 3) % 7 + 1) for i in range(7)]


def cross(a: Any, b: Any) -> float:
    """The area that two vectors of the plane span, positive where the second lies counterclockwise of the first."""
    return float(a[0] * b[1] - a[1] * b[0])


@pytest.mark.parametrize("name", ["A2", "B2", "G2"])
def test_an_arrow_for_each_root(name: str) -> None:
    """Every root is the head of one arrow, on a scale that is the same in both directions; simple roots have names."""
    system = weights.root_system(name)
    simple = np.linalg.cholesky(system.cartan * system.halves)
    roots = np.concatenate([system.roots, -system.roots]) @ simple
    (axes,) = viz.plot_roots({name: (roots, simple)}).axes
    arrows = [text for text in axes.texts if isinstance(text, Annotation)]
    heads = np.array([arrow.xy for arrow in arrows])
    assert len(arrows) == len(roots) + 2
    assert np.allclose(heads, np.concatenate([roots, simple]))
    names = {text.get_text(): text.get_position() for text in axes.texts if text.get_text()}
    assert list(names) == ["α₁", "α₂"]
    for at, root in zip(names.values(), simple, strict=True):  # behind the arrow's head, in its direction
        assert np.dot(at, root) > np.dot(root, root) and abs(cross(root, at)) < 1e-9
    assert axes.get_aspect() == 1 and axes.get_xlim()[1] > np.abs(roots).max()
    assert axes.get_title() == f"{name}: {len(roots)} roots"


def test_weights_show_their_multiplicities() -> None:
    """SU(3)'s octet: six weights that count once, about one that counts twice, in another colour."""
    found = weights.multiplicities("A2", (1, 1))
    figure = viz.plot_weights({"octet": (list(found), list(found.values())), "one": ([[0, 0]], [1])})
    octet, one = figure.axes
    assert octet.get_title() == "octet: 8 dimensions" and one.get_title() == "one: 1 dimensions"
    shown = {text.get_position(): text.get_text() for text in octet.texts}
    assert shown == {tuple(map(float, w)): str(n) for w, n in found.items()}
    colours = {tuple(line.get_xydata()[0]): line.get_color() for line in octet.lines}
    assert len(set(colours.values())) == 2 and colours[0.0, 0.0] not in {colours[w] for w in colours if w != (0, 0)}
    assert octet.get_xlim() == one.get_xlim()


def test_a_projection_shows_points_where_they_are() -> None:
    """x to the right, y up, the origin in the middle; edges are drawn in their ink, below the dots."""
    image = viz.plot_projection(SQUARE, [0, 1, 2, 3], [(0, 1)], limit=2.0, ink="#000000", size=200)
    assert image.size == (200, 200)
    places = {(150, 100): "#0072B2", (100, 50): "#E69F00", (50, 100): "#009E73", (100, 150): "#CC79A7"}
    for at, colour in places.items():
        assert "#{:02X}{:02X}{:02X}".format(*image.getpixel(at)) == colour
    pixels = np.asarray(image).min(axis=-1)
    assert pixels[70:80, 120:130].min() < 150  # the edge, between the first two
    assert pixels[120:130, 70:80].min() == 255
    automatic = np.asarray(viz.plot_projection(SQUARE, [0] * 4, size=100)).min(axis=-1)
    assert automatic[50, 97] < 255 and automatic[3, 50] < 255


def test_the_fano_plane_has_its_lines() -> None:
    """Three points lie on each straight line, in the order of the product; the first triple is the circle."""
    (axes,) = viz.plot_fano(FANO).axes
    place = {int("₁₂₃₄₅₆₇".index(t.get_text()[1])) + 1: np.array(t.get_position()) for t in axes.texts if t.get_text()}
    assert sorted(place) == [1, 2, 3, 4, 5, 6, 7]
    for i, j, k in FANO[1:]:
        assert abs(cross(place[j] - place[i], place[k] - place[i])) < 1e-9
    assert np.allclose([np.linalg.norm(place[n]) for n in FANO[0]], 1)
    arrows = [(np.array(t.xyann), np.array(t.xy)) for t in axes.texts if isinstance(t, Annotation)]
    assert len(arrows) == 15  # two on a line, three on the circle
    for i, j, k in FANO:
        for one, two in ((i, j), (j, k), (k, i)):
            middle, along = (place[one] + place[two]) / 2, place[two] - place[one]
            near = [end - start for start, end in arrows if np.linalg.norm((start + end) / 2 - middle) < 1e-9]
            assert all(step @ along > 0 for step in near)
    tangents = [(a, b) for a, b in arrows if abs((b - a) @ (a + b)) < 1e-9 and abs(np.linalg.norm(a + b) - 2) < 1e-9]
    assert len(tangents) == 3 and all(cross(a, b) > 0 for a, b in tangents)  # counterclockwise, as the numbers run
    turn = [np.angle(place[n] @ [1, 1j]) for n in FANO[0]]
    assert np.allclose(np.exp(1j * np.diff(turn)), np.exp(2j * np.pi / 3))


def test_a_sphere_shows_the_half_that_is_seen() -> None:
    """Orange where the function is positive, blue where negative, white outside; right, up and towards the eye as said."""
    for towards, right, up in [((1, 0, 0), 1, 2), ((0, 0, 1), 0, 1), ((0, -2, 0), 0, 2)]:
        for axis, (orange, blue) in ((right, ((170, 100), (30, 100))), (up, ((100, 30), (100, 170)))):
            image = viz.plot_on_sphere(lambda p, axis=axis: p[:, axis], towards, size=200)
            assert image.size == (200, 200) and image.getpixel((3, 3)) == (255, 255, 255)
            r, _, b = image.getpixel(orange)
            assert r > b + 40
            r, _, b = image.getpixel(blue)
            assert b > r + 40
    facing = viz.plot_on_sphere(lambda p: p @ [3.0, 0.0, 0.0], (1, 0, 0), size=100)
    assert facing.getpixel((50, 50))[0] > facing.getpixel((50, 50))[2] + 40
    calls: list[int] = []

    def counted(p: Any) -> Any:
        calls.append(len(p))
        return p[:, 0]

    viz.plot_on_sphere(counted, size=200)
    assert max(calls) <= 8192 and abs(sum(calls) / (np.pi / 4 * (200 * FINE) ** 2 / 1.02**2) - 1) < 0.01


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: viz.plot_roots({}), "systems must not be empty"),
        (lambda: viz.plot_roots({"A": (np.eye(3), SQUARE)}), r"systems\['A'\]\[0\] must have shape \(n, 2\).* got \(3, 3\)"),
        (lambda: viz.plot_roots({"A": (SQUARE, [[np.nan, 1]])}), r"systems\['A'\]\[1\] must be finite"),
        (lambda: viz.plot_weights({}), "diagrams must not be empty"),
        (lambda: viz.plot_weights({"w": (SQUARE, [1])}), r"diagrams\['w'\]\[1\] must have shape \(4,\)"),
        (lambda: viz.plot_weights({"w": ([], [])}), r"diagrams\['w'\]\[0\] must have shape \(n, 2\) and not be empty"),
        (lambda: viz.plot_projection(SQUARE, [0]), "shades must be as many as points: got 1 for 4"),
        (lambda: viz.plot_projection(SQUARE, [0] * 4, [(0, 4)]), r"edges must point at 0 \.\.\. 3, got 0 \.\.\. 4"),
        (lambda: viz.plot_projection(SQUARE, [0] * 4, limit=-1), "limit must not be negative, got -1"),
        (lambda: viz.plot_fano([(1, 2, 3)]), "triples must be the seven lines of a Fano plane"),
        (lambda: viz.plot_fano([tuple(n - 1 for n in t) for t in FANO]), r"made of the numbers 1 \.\.\. 7"),
        (lambda: viz.plot_on_sphere(lambda p: p[:, 0], (0, 0, 0)), "towards must be a direction of three numbers"),
        (lambda: viz.plot_on_sphere(lambda p: p), r"function must give \(\d+,\) values"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
