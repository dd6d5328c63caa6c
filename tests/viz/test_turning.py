"""Scenes of space, from any side, and the HTML that turns them; that it turns in a browser is seen there (test_browser.py)."""

from __future__ import annotations

import base64
import json
from typing import Any

import committed
import numpy as np
import pytest

from eqlib import viz
from eqlib.viz.pictures import table
from eqlib.viz.turning import FALLBACK, turntable_html

BLUE, ORANGE = (0, 114, 178), (230, 159, 0)
BALL = viz.Points([(0, 0, 0)], radius=0.4, colour="#0072B2")


def at(scene: Any, x: float, y: float, **options: Any) -> tuple[int, ...]:
    """The colour at a place of a picture of 100 pixels that shows -1 ... 1, x to the right and y up."""
    image = viz.plot_scene(scene, size=100, reach=1.0, **options)
    return tuple(image.getpixel((round(50 + 50 * x), round(50 - 50 * y))))


def test_a_scene_is_seen_from_where_the_eye_is() -> None:
    """Seen along x, y lies to the right and z up; seen from the other side y lies to the left; `up` stands upright."""
    scene = [viz.Points([(0, 0.6, 0.0), (0, 0, 0.6)], radius=0.1, colour=["#0072B2", "#E69F00"])]
    assert at(scene, 0.6, 0, towards=(1, 0, 0)) == BLUE and at(scene, 0, 0.6, towards=(1, 0, 0)) == ORANGE
    assert at(scene, -0.6, 0, towards=(-2, 0, 0)) == BLUE
    assert at(scene, 0, 0.6, towards=(1, 0, 0), up=(0, 3, 0)) == BLUE


def test_what_is_nearer_hides_what_is_farther() -> None:
    behind = viz.Points([(-0.5, 0, 0)], radius=0.3, colour="#E69F00")
    for scene in ([BALL, behind], [behind, BALL]):
        assert at(scene, 0, 0, towards=(1, 0, 0)) == BLUE
        assert at(scene, 0, 0, towards=(-1, 0, 0)) == ORANGE
    through = viz.Sticks(
        [(-1, 0, 0)], [(1, 0, 0)], width=0.2, colour="#000000"
    )  # its near end shows, its far end does not
    sheet = viz.Surface([[(0, -1, -1), (0, 1, -1)], [(0, -1, 1), (0, 1, 1)]], colour="#0072B2")
    assert at([sheet, through], 0.5, 0, towards=(1, -1, 0)) == (0, 0, 0)
    assert at([sheet, through], -0.5, 0, towards=(1, -1, 0))[2] > 90


def test_arrows_point_and_labels_stand_there() -> None:
    scene = [viz.Arrows([(0, 0, 0)], [(0, 0.9, 0)], width=0.1, colour="#0072B2")]
    assert at(scene, 0.3, 0, towards=(1, 0, 0)) == at(scene, 0.8, 0, towards=(1, 0, 0)) == BLUE
    assert at(scene, 0.3, 0.1, towards=(1, 0, 0)) == (255, 255, 255) != at(scene, 0.65, 0.1, towards=(1, 0, 0))
    words = np.asarray(viz.plot_scene([viz.Labels([(0, 0, 0.5)], ["O"])], size=100, reach=1.0, towards=(1, 0, 0)))
    assert words[15:35, 40:60].min() < 60 and words[50:].min() == 255


def test_a_radial_surface_has_the_functions_size_and_sign() -> None:
    """z: two balls of diameter 1, orange above and blue below."""
    surface = viz.radial_surface(lambda x: x[:, 2], scale=0.9)
    grid, values = np.asarray(surface.grid), np.asarray(surface.values)
    above = grid[values > 0]
    assert np.allclose(np.linalg.norm(above - [0, 0, 0.45], axis=1), 0.45)
    top, bottom = (np.array(at([surface], 0, y, towards=(1, 0, 0)), dtype=int) for y in (0.6, -0.6))
    assert top[0] > top[2] and bottom[2] > bottom[0]
    flat = viz.Surface(0.01 + 0 * grid, 0 * values)  # one scale for all: the middle of the map, and no division by zero
    assert viz.plot_scene([flat]).size == (320, 320)
    assert table("diverging")[128].min() > 240


def test_scenes_by_name_stand_in_panels_on_one_scale() -> None:
    sheet = viz.plot_scene(
        {"one": [BALL], "two": [], "three": [viz.Points([(0, 0, 2)])]} | {"two": [BALL]}, size=60, columns=2
    )
    assert sheet.size == (120, 160)
    assert sheet.getpixel((30, 50)) == sheet.getpixel((90, 50)) == BLUE and sheet.getpixel((30, 130)) == (255, 255, 255)
    assert np.asarray(sheet)[:20].min() < 80


def scene_of(page: str) -> dict[str, Any]:
    found = committed.TURNTABLE.fullmatch(page)
    assert found is not None
    return dict(json.loads(found[2]))


def test_the_page_holds_the_scene_and_fetches_nothing() -> None:
    """Points come back to a step of their grid, the view is that of the still picture, and no address is in it."""
    page = turntable_html([viz.Points([(0, 1, 0), (0, 0, -2)])], 'a "sharp" <b>', towards=(0, 1, 1))
    data = scene_of(page)
    points = np.frombuffer(base64.b64decode(data["vertices"]), "<i2").reshape(-1, 3) * data["unit"]
    assert np.allclose(points, [[1, 0, 0], [0, 0, -2]], atol=data["unit"])
    assert data["view"] == [0, 45] and data["alt"] == 'a "sharp" <b>' and "<b>" not in page
    assert page.count(FALLBACK) == 1 and "http" not in page and "src=" not in page and "\\\\" not in page
    assert "//" not in committed.TURNTABLE.fullmatch(page)[1]  # type: ignore[index]  # comments


def test_pictures_that_turn_are_compared_by_their_scenes() -> None:
    """A rounding passes; a moved point, another colour, another script do not."""
    points = np.random.default_rng(0).normal(size=(9, 3))
    page = turntable_html([viz.Points(points)], "nine points")
    assert committed.turn_alike(page, turntable_html([viz.Points(points * (1 + 1e-7))], "nine points"))
    moved = points.copy()
    moved[3, 1] += 0.02
    for other in (
        turntable_html([viz.Points(moved)], "nine points"),
        turntable_html([viz.Points(points, colour="#000000")], "nine points"),
        turntable_html([viz.Points(points[:8])], "nine points"),
        page.replace("beginPath", "startPath"),
        "<p>",
    ):
        assert not committed.turn_alike(page, other) and not committed.turn_alike(other, page)


def test_a_turntable_shows_a_still_picture_too(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, str]] = []
    for module in ("turning", "widgets"):
        monkeypatch.setattr(f"eqlib.viz.{module}.display", lambda bundle, **_: shown.append(bundle))
    viz.turntable([BALL, BALL, viz.Labels([(1, 0, 0)], ["x"])], alt="two balls in one place")
    picture, caption, turns = shown
    assert "image/png" in picture and caption["text/markdown"] == "*two balls in one place*"
    assert turns["text/plain"] == "[a picture that turns: 2 Points, 1 Labels]"
    assert committed.TURNTABLE.fullmatch(turns["text/html"])
    with pytest.raises(ValueError, match=r"scene: got \d+ bytes of HTML, expected at most 60000"):
        viz.turntable([viz.radial_surface(lambda x: x[:, 0], fine=60)], alt="far too fine a ball")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: viz.plot_scene([]), "scene: got nothing"),
        (lambda: viz.plot_scene({"a": []}), "scene: got nothing"),
        (lambda: viz.plot_scene([3]), "scene: got a int, expected Points"),  # type: ignore[list-item]
        (lambda: viz.plot_scene([viz.Points([(0, 0)])]), r"Points.where: got \(1, 2\), expected \(n, 3\)"),
        (lambda: viz.plot_scene([viz.Points([(0, 0, np.nan)])]), "Points.where: got NaN or infinity"),
        (lambda: viz.plot_scene([viz.Points([(0, 0, 0)], colour=["red", "red"])]), "got 2 colours, expected one or 1"),
        (lambda: viz.plot_scene([viz.Sticks(np.zeros((2, 3)), np.zeros((1, 3)))]), r"Sticks.ends: got \(1, 3\), expected"),
        (lambda: viz.plot_scene([viz.Labels([(0, 0, 0)], [])]), "Labels.words: got 0, expected 1"),
        (lambda: viz.plot_scene([BALL], towards=(0, 0, 1)), "expected a direction that does not lie along up"),
        (lambda: viz.radial_surface(lambda x: x), r"function: got \(861, 3\) for 861 points, expected \(861,\)"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
