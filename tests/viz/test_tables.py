"""Multiplication tables and letters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import ImageColor

from eqlib import groups, viz
from eqlib.viz.tables import SHADES

NAMES = ["1", "r", "r²", "r³", "f", "rf", "r²f", "r³f"]


def test_a_cell_has_the_colour_of_its_product() -> None:
    """Row g, column h shows the shade of g h: the corner of each cell, which no name reaches."""
    table = groups.Dihedral(4).table
    sheet = viz.plot_table(table, NAMES, cell=40)
    assert sheet.size == (361, 361)
    for (g, h), product in np.ndenumerate(table):
        assert sheet.getpixel((40 * (h + 1) + 4, 40 * (g + 1) + 4)) == ImageColor.getrgb(SHADES[product])
    assert len(set(SHADES)) == 8


def test_names_stand_on_the_left_and_above() -> None:
    sheet = np.asarray(viz.plot_table([[0, 1], [1, 0]], ["1", "g"], cell=40)).astype(int)
    ink = sheet.sum(-1) < 600
    assert ink[41:, :40].any() and ink[:40, 41:].any() and not ink[:40, :40].any()


def test_letters_have_eight_poses_each() -> None:
    """No two of the eight turned and mirrored copies of a letter are alike, so a picture tells its element."""
    found = viz.letters("FLGRPQ75", size=15)
    assert found.shape == (8, 15, 15) and found.min() == 0 and found.max() > 0.9
    for letter in found:
        poses = [np.rot90(x, k) for x in (letter, letter[::-1]) for k in range(4)]
        apart = [np.abs(a - b).sum() / letter.sum() for i, a in enumerate(poses) for b in poses[:i]]
        assert min(apart) > 0.1
    left, top = found[1][:, :7].sum(), found[1][:7].sum()
    assert left > found[1][:, 8:].sum() and top < found[1][8:].sum()  # an L is heavy on the left and below


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: viz.plot_table([[0, 1]], ["1", "g"]), r"table must have shape \(2, 2\) for 2 names, got \(1, 2\)"),
        (lambda: viz.plot_table([[0, 2], [1, 0]], ["1", "g"]), "whole numbers from 0 to 1"),
        (lambda: viz.plot_table([[0, 0.5], [1, 0]], ["1", "g"]), "whole numbers from 0 to 1"),
        (lambda: viz.letters(""), "text must not be empty"),
        (lambda: viz.letters("F", size=3), "at least 5 pixels, got 3"),
    ],
)
def test_wrong_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
