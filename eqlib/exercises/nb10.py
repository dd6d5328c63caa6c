"""The exercises of notebook 10."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqlib.exercises.check import attempt, check, numbers, require

Array = NDArray[np.float64]


def _gap(a: float, b: float) -> float:
    """Of a chain with springs of strength 1."""
    return float(np.sqrt(2 / min(a, b)) - np.sqrt(2 / max(a, b)))


@check(
    likely=[
        (lambda a, b: -_gap(a, b), "lighter"),
        (lambda a, b: abs(2 / a - 2 / b), "squares"),
        (lambda a, b: _gap(a, b) / 2**0.5, "two springs"),
        (lambda a, b: np.sqrt(2 * (1 / a + 1 / b)) - np.sqrt(2 / max(a, b)), "k = 0"),
    ],
    wrong=[
        lambda a, b: 0.0,
        lambda a, b: np.sqrt(2 / a) - np.sqrt(2 / b),
        lambda a, b: abs(a - b),
        lambda a, b: _gap(a, b) + 1e-3,
        lambda a, b: [_gap(a, b)] * 2,
        lambda a, b: "a gap",
    ],
)
def chain_gap(answer: Any) -> None:
    """A function (m_1, m_2) -> the width of the gap between the two branches, for springs of strength 1."""
    for a, b in ((1.0, 3.0), (2.5, 0.5), (2.0, 2.0)):
        found, right = float(numbers(attempt(answer, a, b), (), "one number, a width")), _gap(a, b)

        def is_(value: float, found: float = found) -> bool:
            return bool(np.isclose(found, value, rtol=0, atol=1e-9))

        if right:
            swapped = "negative: the *lighter* mass swings at the lower end of the upper branch"
            require(not is_(-right), swapped)
            require(not is_(abs(2 / a - 2 / b)), "these are squares of frequencies: take each root first")
            require(not is_(right / 2**0.5), "each mass hangs on two springs: its square of a frequency is 2 / m")
            top = np.sqrt(2 * (1 / a + 1 / b)) - np.sqrt(2 / max(a, b))
            require(not is_(top), "the upper branch is highest at k = 0; the gap ends where it is lowest")
        require(is_(right), "not the gap: at the zone's edge one mass rests while the other swings between two springs")


def _images(cell: Array, cutoff: float) -> Array:
    """How many cells to each side, along each lattice vector."""
    return np.ceil(cutoff / _heights(cell))


def _heights(cell: Array) -> Array:
    areas = np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
    return np.asarray(abs(np.linalg.det(cell)) / areas)


def _by_lengths(cell: Array, cutoff: float) -> Array:
    return np.asarray(np.ceil(cutoff / np.linalg.norm(cell, axis=1)))


def _rounded_down(cell: Array, cutoff: float) -> Array:
    return np.asarray(np.floor(cutoff / _heights(cell)))


def _one_for_all(cell: Array, cutoff: float) -> Array:
    return np.full(3, _images(cell, cutoff).max())


@check(
    likely=[
        (_by_lengths, "lengths"),
        (_rounded_down, "rounded down"),
        (lambda cell, cutoff: _images(cell.T, cutoff), "columns"),
        (_one_for_all, "more than needed"),
    ],
    wrong=[
        lambda cell, cutoff: np.ones(3),
        lambda cell, cutoff: cutoff / _heights(cell),
        lambda cell, cutoff: _images(cell, cutoff) + 1,
        lambda cell, cutoff: _images(cell, cutoff).sum(),
        lambda cell, cutoff: _images(cell, cutoff)[::-1],
        lambda cell, cutoff: "27",
    ],
)
def images_needed(answer: Any) -> None:
    """A function (cell (3, 3), cutoff) -> three whole numbers, the cells to each side along each lattice vector."""
    cells = [
        np.diag([2.5, 4.5, 9.0]),
        np.array([[3.0, 0, 0], [2.6, 1.2, 0], [0.3, 0.4, 5.0]]),
        1.8 * (1 - np.eye(3)),
    ]
    ways: list[tuple[str, Callable[[Array, float], Array]]] = [
        ("these are by the *lengths* of the lattice vectors: in an oblique cell the planes lie nearer", _by_lengths),
        ("rounded down: a part of a cell needs a whole one", _rounded_down),
        ("lattice vectors are the cell's rows, these are by its columns", lambda cell, r: _images(cell.T, r)),
        ("more than needed: each lattice vector has its own number", _one_for_all),
    ]
    found = [numbers(attempt(answer, cell.copy(), 4.0), (3,), "three whole numbers") for cell in cells]
    right = [_images(cell, 4.0) for cell in cells]
    if np.array_equal(found, right):
        return
    for fault, way in ways:
        require(not np.array_equal(found, [way(cell, 4.0) for cell in cells]), fault)
    require(False, "not those: divide the cut-off by the distance between the planes that two lattice vectors span")


def _heat(spectrum: Array, x: Array, factor: float = 3.0, half: float = 0.5, normal: bool = True) -> float:
    """By x = h c nu / (k_B T)."""
    with np.errstate(all="ignore"):
        y = half * x
        each = np.where(x > 0, (y / np.sinh(np.where(x > 0, y, 1.0))) ** 2, 1.0)
    return float(factor * (spectrum @ each) / (spectrum.sum() if normal else 1.0))


@check(
    likely=[
        (lambda g, x: _heat(g, x, factor=1.0), "one direction"),
        (lambda g, x: _heat(g, x, normal=False), "a density's maximum"),
        (lambda g, x: _heat(g, x, half=1.0), "x / 2"),
    ],
    wrong=[
        lambda g, x: 3.0,
        lambda g, x: g @ x,
        lambda g, x: _heat(g, x) + 1e-3,
        lambda g, x: g * _heat(g, x),
        lambda g, x: "Dulong and Petit",
        lambda g, x: 3 * float(g @ np.where(x > 0, x / np.expm1(np.where(x > 0, x, 1.0)), 1.0)) / g.sum(),
    ],
)
def heat(answer: Any) -> None:
    """A function (g (F,), x (F,)) -> heat capacity, k_B an atom; x = h c nu / (k_B T), of which the first is 0."""
    for seed, top in ((0, 2.0), (1, 9.0)):
        g, x = np.random.default_rng(seed).uniform(size=21), np.linspace(0, top, 21)
        result = numbers(attempt(answer, g.copy(), x.copy()), None, "one number")
        require(result.shape == (), f"wanted: one number; this has shape {result.shape}")
        found = float(result)
        require(not np.isnan(found), "it is NaN: at x = 0 it is 0 / 0, and the limit there is 1")

        def is_(value: float, found: float = found) -> bool:
            return bool(np.isclose(found, value, rtol=0, atol=1e-9))

        require(not is_(_heat(g, x, factor=1.0)), "this is for one direction: an atom moves along three")
        fault = "the sum of g is missing: a density's maximum is 1 here, not its integral"
        require(not is_(_heat(g, x, normal=False)), fault)
        require(
            not is_(_heat(g, x, half=1.0)), "x stands where x / 2 should: slow modes are right, fast ones freeze early"
        )
        require(is_(_heat(g, x)), "not the mean of (x / 2)^2 / sinh^2(x / 2): try x near 0, where it is 3")
