"""The exercises of notebook 09."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqlib.exercises.check import NotYet, attempt, check, numbers, require

Array = NDArray[np.float64]


def _right(positions: Array, slope: Callable[[Array], Array], own: float = 1.0, unit: bool = True) -> Array:
    """The forces; own: what an atom's distance from itself is taken for; unit: whether directions have length 1."""
    between = positions[:, None] - positions
    r = np.linalg.norm(between, axis=2) + own * np.eye(len(positions))
    with np.errstate(all="ignore"):
        return np.asarray(-((slope(r) / (r if unit else 1.0))[:, :, None] * between).sum(1))


def _without_direction(positions: Array, slope: Callable[[Array], Array]) -> Array:
    return _right(positions, slope, unit=False)


@check(
    likely=[
        (lambda x, slope: -_right(x, slope), "other way round"),
        (lambda x, slope: 2 * _right(x, slope), "counted twice"),
        (lambda x, slope: _right(x, slope) / 2, "counted half"),
        (_without_direction, "not of length 1"),
        (lambda x, slope: _right(x, slope, own=0.0), "with itself"),
    ],
    wrong=[
        lambda x, slope: x,
        lambda x, slope: 0 * x,
        lambda x, slope: _right(x, slope).sum(0),
        lambda x, slope: np.linalg.norm(_right(x, slope), axis=1),
        lambda x, slope: _right(x, lambda r: r),
        lambda x, slope: _right(x, slope) + 1e-3,
        lambda x, slope: _right(x, slope)[::-1],
        lambda x, slope: "forces",
    ],
)
def pair_forces(answer: Any) -> None:
    """A function (positions (n, 3), slope) -> forces (n, 3) of an energy that is a sum over pairs, slope its derivative."""
    for seed, n in ((0, 5), (1, 2)):
        x = np.random.default_rng(seed).normal(size=(n, 3))

        def slope(r: Array) -> Array:
            return np.asarray(-2 * np.exp(-2 * r) + 0.3 * np.cos(r))

        result = np.asarray(attempt(answer, x.copy(), slope))
        fault = "it returns NaN: an atom with itself is no pair, it has distance 0 and no direction"
        require(not (result.dtype.kind == "f" and np.isnan(result).any()), fault)
        found, right = numbers(result, x.shape, "the forces, an array of the shape of the positions"), _right(x, slope)
        wrong = [
            ("these point the other way round: the force is minus the slope, along the vector from j to i", -right),
            ("each pair is counted twice: atom i has one term for each other atom", 2 * right),
            ("each pair is counted half: both of its atoms feel the whole force", right / 2),
            (
                "the vector between two atoms is not of length 1: divide it by the distance",
                _without_direction(x, slope),
            ),
        ]
        for fault, array in wrong:
            require(not np.allclose(found, array, rtol=0, atol=1e-9), fault)
        reason = "not the slope of that energy: move one atom by 1e-6 and compare the energies"
        require(np.allclose(found, right, rtol=0, atol=1e-9), reason)


@check(
    likely=[
        ((0, 0, 1), "P_2 itself"),
        ((0, 0, 2 / 3), "is missing"),
        ((-1 / 3, 0, 2 / 3), "sign"),
        ((0, 1, 0), "without the square"),
        ((1 / 3, 2 / 3, 0), "changed places"),
        ((1 / 2, 0, 3 / 2), "Legendre polynomial's own"),
    ],
    wrong=[(1, 0, 1), (0.33, 0, 0.67), (0, 0, 0), (1 / 3, 2 / 3), 2 / 3, "thirds", (1 / 3, 0, 2 / 3, 0), (1j, 0, 1)],
)
def angle_energy(answer: Any) -> None:
    """The coefficients of P_0, P_1 and P_2 in cos^2 theta."""
    if isinstance(answer, tuple | list) and any(part is ... for part in answer):
        raise NotYet
    found = numbers(answer, (3,), "three numbers, the coefficients of P_0, P_1 and P_2")

    def is_(*values: float) -> bool:
        return bool(np.allclose(found, values, rtol=0, atol=1e-9))

    require(not is_(0, 0, 1), "this is P_2 itself, which at a right angle is -1/2 and not 0")
    require(not is_(0, 0, 2 / 3), "the constant is missing: at a right angle this is -1/3 and not 0")
    require(not is_(-1 / 3, 0, 2 / 3), "the constant has the wrong sign: at theta = 0 the three should add up to 1")
    require(not is_(0, 1, 0), "this is cos theta, without the square")
    require(not is_(1 / 3, 2 / 3, 0), "P_1 and P_2 have changed places")
    require(not is_(1 / 2, 0, 3 / 2), "these are the Legendre polynomial's own coefficients: solve it for the square")
    require(is_(1 / 3, 0, 2 / 3), "not cos^2 theta: try theta = 0, where all P are 1, and a right angle")
