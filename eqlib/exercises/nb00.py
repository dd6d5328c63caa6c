"""The exercises of notebook 00."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, require


@check(wrong=[110, 11, 26, 13, "many", [14]])
def free_numbers(answer: Any) -> None:
    """Weights of nn.Linear from "2x0e + 3x1o" to "4x0e + 2x1o", bias not counted."""
    require(isinstance(answer, int | np.integer), f"a whole number is wanted, not a {type(answer).__name__}")
    require(answer != 110, "110 is every entry of the matrix: an equivariant layer mixes no scalar with a vector")
    require(answer != 11, "11 adds the copies up: a weight belongs to a pair of copies, one on each side")
    require(answer != 26, "26 gives a pair of vectors one weight for each component: one number must do for all three")
    require(answer == 14, f"not {answer}: count pairs of copies of one irrep, then add over the irreps")


@check(
    wrong=[
        lambda x, y, degrees: _turned(x, y, -degrees),
        lambda x, y, degrees: _turned(x, y, np.rad2deg(degrees)),
        lambda x, y, degrees: (x, y),
        lambda x, y, degrees: x,
    ]
)
def turn(answer: Any) -> None:
    """A function (x, y, degrees) -> (x, y) that turns a vector counterclockwise."""
    for x, y, degrees in [(1.0, 0.0, 90.0), (0.3, -2.0, 25.0), (1.0, 1.0, -130.0)]:
        result = np.asarray(attempt(answer, x, y, degrees), dtype=np.float64)
        require(
            result.shape == (2,), f"it should return two numbers, x and y; it returns an array of shape {result.shape}"
        )
        for guess, reason in [
            (_turned(x, y, -degrees), "this turns clockwise: +90 degrees should take x to y, look at the sine's sign"),
            (_turned(x, y, np.rad2deg(degrees)), "the angle is in degrees, numpy's cosine wants radians"),
        ]:
            require(not np.allclose(result, guess), reason)
        require(np.allclose(result, _turned(x, y, degrees)), f"turning ({x}, {y}) by {degrees} degrees gives {result}")


def _turned(x: float, y: float, degrees: float) -> tuple[float, float]:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return c * x - s * y, s * x + c * y
