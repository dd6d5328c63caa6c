"""The exercises of notebook 00."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, require, whole
from eqlib.groups.element import Array

Turn = Callable[[float, float, float], Any]


@check(
    likely=[
        (110, "every entry"),
        (11, "adds the copies up"),
        (26, "for each component"),
        (30, "pairs all copies"),
        (62, "all nine entries"),
        (8, "leaves out the vectors"),
        (6, "leaves out the scalars"),
        (13, "multiplies for one irrep"),
    ],
    wrong=[12, 0, 7, -14, 14.5, True, np.nan, np.inf, [14], "14"],
)
def free_numbers(answer: Any) -> None:
    """Weights of nn.Linear from "2x0e + 3x1o" to "4x0e + 2x1o", bias not counted."""
    number = whole(answer)
    require(number != 110, "110 is every entry of the matrix: an equivariant layer mixes no scalar with a vector")
    require(number != 11, "11 adds the copies up: a weight belongs to a pair of copies, one on each side")
    require(number != 26, "26 gives a pair of vectors one weight for each component: one number must do for all three")
    require(number != 30, "30 pairs all copies with all, 5 times 6: what joins a scalar and a vector must be zero")
    require(number != 62, "62 leaves all nine entries free where a vector becomes a vector: which of them turn along?")
    require(number != 8, "8 leaves out the vectors: they are mixed with each other, too")
    require(number != 6, "6 leaves out the scalars: they are mixed with each other, too")
    require(number not in (12, 13), f"{number} multiplies for one irrep and adds for the other: both are counted alike")
    require(number == 14, f"not {number}: count pairs of copies of one irrep, then add over the irreps")


def _turned(x: float, y: float, degrees: float) -> tuple[float, float]:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return c * x - s * y, s * x + c * y


def _overwritten(x: float, y: float, degrees: float) -> tuple[float, float]:
    """x = c * x - s * y and then y = s * x + c * y, with the new x in place of the old."""
    c, s = _turned(1.0, 0.0, degrees)
    x = c * x - s * y
    return x, s * x + c * y


def _mirrored(x: float, y: float, degrees: float) -> tuple[float, float]:
    """Both sines with one sign: a turn followed by a mirror."""
    return _turned(x, -y, degrees)


MISTAKES: list[tuple[Turn, str]] = [
    (
        lambda x, y, degrees: _turned(x, y, -degrees),
        "this turns clockwise: +90 degrees should take the x axis to the y axis, so look at the signs of the two sines",
    ),
    (
        lambda x, y, degrees: _turned(x, y, np.rad2deg(degrees)),
        "the angle is in degrees, and numpy's cosine and sine want radians: convert it first",
    ),
    (
        lambda x, y, degrees: _turned(x, y, -np.rad2deg(degrees)),
        "two things: the angle is in degrees where numpy wants radians, and the turn is clockwise",
    ),
    (
        lambda x, y, degrees: _turned(x, y, np.rad2deg(np.rad2deg(degrees))),
        "the angle is converted the wrong way: degrees times pi / 180 are radians",
    ),
    (
        lambda x, y, degrees: _turned(x, y, np.rad2deg(degrees / 180)),
        "degrees / 180 counts half turns, and a half turn is pi radians: pi is missing",
    ),
    (_overwritten, "the new x is right; y is computed after x was overwritten, and needs the old x"),
    (_mirrored, "both sines have the same sign, which makes a mirror image of the turn: one of them needs a minus"),
    (lambda x, y, degrees: (x, y), "this returns the vector as it came, not turned"),
    (
        lambda x, y, degrees: _turned(x, y, degrees)[::-1],
        "the two numbers are right and in the wrong order: return the new x first",
    ),
]


@check(
    likely=[
        (MISTAKES[0][0], "this turns clockwise"),
        (MISTAKES[1][0], "convert it first"),
        (lambda x, y, degrees: np.array([_turned(x, y, degrees)]), "numbers are right, the shape"),
        (lambda x, y, degrees: _turned(x, y, np.rad2deg(degrees / 180)), "pi is missing"),
        (_overwritten, "needs the old x"),
        (lambda x, y, degrees: np.round(_turned(x, y, degrees), 3), "off only by rounding"),
    ],
    wrong=[
        *(mistake for mistake, _ in MISTAKES[2:]),
        lambda x, y, degrees: x,
        lambda x, y, degrees: (0.0, 1.0),
        lambda x, y, degrees: 2 * np.array(_turned(x, y, degrees)),
        lambda x, y, degrees: _turned(x, y, abs(degrees)),
        lambda x, y, degrees: np.round(_turned(x, y, degrees), 2),
        lambda x, y, degrees: _turned(x, y, degrees * 3.14 / np.pi),
        lambda x, y, degrees: np.add(_turned(x, y, degrees), 0.01),
        lambda x, y, degrees: complex(*_turned(x, y, degrees)),
        lambda x, y, degrees: [[1.0, 0.0], [0.0, 1.0]],
        lambda x, y, degrees: "x, y",
        lambda x, y: (x, y),
        (0.0, 1.0),
    ],
)
def turn(answer: Any) -> None:
    """A function (x, y, degrees) -> (x, y) that turns a vector counterclockwise."""
    vectors = [(1.0, 0.0, 90.0), (0.3, -2.0, 25.0), (1.0, 1.0, -130.0)]
    wanted = np.array([_turned(*vector) for vector in vectors])
    found = np.array([_two_numbers(attempt(answer, *v), np.array(w)) for v, w in zip(vectors, wanted, strict=True)])
    for mistake, reason in MISTAKES:
        require(not np.allclose(found, [mistake(*vector) for vector in vectors]), reason)
    if not np.allclose(found, wanted, rtol=0, atol=1e-6):
        near = np.allclose(found, wanted, rtol=0, atol=0.0051)
        require(not near, "this is off only by rounding: return the numbers unrounded, and take np.pi for pi")
    for (x, y, degrees), mine, right in zip(vectors, found, wanted, strict=True):
        tried = f"({x:g}, {y:g}) turned by {degrees:g} degrees"
        before, after = np.hypot(x, y), np.hypot(*mine)
        require(
            np.isclose(before, after, atol=1e-6),
            f"{tried} must keep its length {before:.4g}, and your result has length {after:.4g}",
        )
        require(
            np.allclose(mine, right, atol=1e-6),
            f"{tried}: your result ({mine[0]:.3g}, {mine[1]:.3g}) points in another direction",
        )


def _two_numbers(result: Any, right: Array) -> Array:
    """What the reader's function returned, as an array (2,)."""
    result = result.detach() if hasattr(result, "detach") else result
    try:
        numbers = np.array([float(z) for z in result]) if isinstance(result, tuple | list) else np.asarray(result)
    except (TypeError, ValueError, RuntimeError):
        numbers = np.asarray(result, dtype=object)
    kind = f"a {type(result).__name__}"
    if numbers.dtype.kind in "iuf" and numbers.shape != (2,):
        shape = "a single number" if numbers.shape == () else f"an array of shape {numbers.shape}"
        same = numbers.size == 2 and np.allclose(numbers.ravel(), right)
        require(not same, f"the numbers are right, the shape is not: return x, y, and not {shape}")
        require(numbers.shape != (2, 2), "it returns a matrix: multiply it by the vector (x, y)")
        require(False, f"it should return two numbers, the new x and y, and returns {shape}")
    require(
        numbers.dtype.kind in "iuf" and numbers.shape == (2,), f"it should return two real numbers, and returns {kind}"
    )
    return np.asarray(numbers, dtype=np.float64)
