"""The exercises of notebook 07."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, require


@check(wrong=[12, 9, 3, 30, "ten"])
def paths(answer: Any) -> None:
    """Weights, for one radial function, of an O(3) layer from "2x0e + 1x1o" to "1x0e + 1x1o + 1x2e", degrees up to 2."""
    require(isinstance(answer, int | np.integer), f"a whole number is wanted, not a {type(answer).__name__}")
    require(answer != 12, "12 is SO(3)'s number: parity forbids 1o -> 1o by degree 1 and 1o -> 2e by degree 2")
    require(answer != 9, "9 is every pair of copies once: some pairs are joined by two degrees, some by one")
    require(answer == 10, f"not {answer}: for each pair of copies count the degrees 0, 1, 2 that l and parity allow")


@check(
    wrong=[
        lambda m, tensors: (m[:, None] * tensors).sum(0) / m.sum(),
        lambda m, tensors: tensors.mean(0) / 2,
        lambda m, tensors: (m[:, None] * tensors).sum(0) / 2,
        lambda m, tensors: tensors[0],
    ]
)
def about_centre(answer: Any) -> None:
    """(masses (n,), tensors about the points (n, 6)) -> the tensor about the centre of mass (6,)."""
    from eqlib.data import rigid_bodies

    for seed, points in ((0, 4), (1, 7)):
        body = rigid_bodies(1, points, seed=seed, spread=2.0)
        found = np.asarray(attempt(answer, body.masses, body.about_points), dtype=np.float64)
        require(found.shape == (6,), f"it should return six components, it returns an array of shape {found.shape}")
        expected = body.about_centres[0]
        require(not np.allclose(found, 2 * expected), "exactly twice too much: which term is counted twice?")
        require(
            np.allclose(found, expected), "not the tensor about the centre: weigh each point's tensor with its mass"
        )


@check(
    wrong=[
        lambda r: -(r**2),
        lambda r: np.sqrt(2 / 3) * r**2,
        lambda r: -2 / 3 * r**2,
        lambda r: -np.sqrt(2 / 3) * r,
    ]
)
def radial_of_degree_two(answer: Any) -> None:
    """A function r -> R(r) that the network should learn for l = 2, where |Y| = 1 and components keep lengths."""
    for r in (0.5, 1.0, 1.7):
        found = float(attempt(answer, r))
        exact = -np.sqrt(2 / 3) * r**2
        require(not np.isclose(found, -exact), "the sign: along the axis to a mass there is less inertia, not more")
        require(
            not np.isclose(found, -(r**2)), "-r^2 multiplies a matrix of length (2/3)^(1/2), the harmonic has length 1"
        )
        require(np.isclose(found, exact), f"at r = {r} this gives {found:.3f}, it should be {exact:.3f}")
