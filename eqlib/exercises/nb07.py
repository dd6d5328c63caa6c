"""The exercises of notebook 07."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, numbers, require


@check(
    likely=[
        (lambda m, tensors: m @ tensors / m.sum(), "twice too much"),
        (lambda m, tensors: tensors.mean(0) / 2, "all points alike"),
        (lambda m, tensors: m @ tensors / 2, "whole mass"),
    ],
    wrong=[
        lambda m, tensors: tensors[0],
        lambda m, tensors: 0 * tensors[0],
        lambda m, tensors: np.full(6, np.nan),
        lambda m, tensors: m[:, None] * tensors,
        lambda m, tensors: "six numbers",
        lambda m, tensors: m @ tensors / len(m) / 2,
    ],
)
def about_centre(answer: Any) -> None:
    """(masses (n,), tensors about the points (n, 6)) -> the tensor about the centre of mass (6,)."""
    from eqlib.data import rigid_bodies

    for seed, points in ((0, 4), (1, 7)):
        body = rigid_bodies(1, points, seed=seed, spread=2.0)
        m, tensors, exact = body.masses, body.about_points, body.about_centres[0]
        found = numbers(attempt(answer, m.copy(), tensors.copy()))
        require(found.shape == (6,), f"it should return six components, it returns an array of shape {found.shape}")
        require(not np.allclose(found, 2 * exact), "exactly twice too much: which term is counted twice?")
        require(
            not np.allclose(found, tensors.mean(0) / 2),
            "this counts all points alike: weigh each point's tensor with its mass",
        )
        require(
            not np.allclose(found, m.sum() * exact),
            "too much by a factor, the whole mass: a mean with weights is divided by their sum",
        )
        require(np.allclose(found, exact), "not the tensor about the centre: what is the mean of Steiner's extra term?")


@check(
    likely=[(12, "SO(3)'s number"), (9, "every pair of copies once"), (7, "each type once")],
    wrong=[3, 5, 6, 30, 10.5, [3, 4, 3], True, "ten"],
)
def paths(answer: Any) -> None:
    """Weights, for one radial function, of an O(3) layer from "2x0e + 1x1o" to "1x0e + 1x1o + 1x2e", degrees up to 2."""
    found = numbers(answer)
    require(found.size == 1 and float(found.sum()).is_integer(), f"a whole number is wanted, not {answer}")
    number = int(found.sum())
    require(number != 12, "12 is SO(3)'s number: parity forbids 1o -> 1o by degree 1 and 1o -> 2e by degree 2")
    require(number != 9, "9 is every pair of copies once: some pairs are joined by two degrees")
    require(number != 7, "7 takes each type once: there are two copies of 0e, with weights of their own")
    require(number == 10, f"not {number}: for each pair of copies count the degrees 0, 1, 2 that l and parity allow")


@check(
    likely=[
        (lambda r: 3 * r**2, "has length (2/3)^(1/2)"),
        (lambda r: np.sqrt(2 / 3) * r**2, "the factor 3"),
        (lambda r: -np.sqrt(6) * r**2, "the sign"),
    ],
    wrong=[
        lambda r: -np.sqrt(2 / 3) * r**2,
        lambda r: np.sqrt(6) * r,
        lambda r: np.sqrt(6),
        lambda r: np.nan,
        lambda r: 3 * np.sqrt(3 / 2) * r**2,
        lambda r: np.array([1.0, 2.0]),
    ],
)
def quadrupole(answer: Any) -> None:
    """A function r -> R(r), for l = 2 with |Y| = 1, that gives the quadrupole moment; r is a float."""
    for r in (0.5, 1.7, 1.0):
        found = numbers(attempt(answer, r))
        require(found.size == 1, f"one number is wanted for one r, this returns an array of shape {found.shape}")
        value, exact = float(found.sum()), np.sqrt(6) * r**2
        require(not np.isclose(value, -exact), "the sign: here the part along r comes with a plus")
        require(
            not np.isclose(value, 3 * r**2),
            "3 r^2 multiplies a matrix that has length (2/3)^(1/2), the harmonic has length 1",
        )
        require(not np.isclose(value, exact / 3), "the factor 3 of the quadrupole moment is missing")
        require(np.isclose(value, exact), f"at r = {r} this gives {value:.3f}, it should be {exact:.3f}")
