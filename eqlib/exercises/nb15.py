"""The exercises of notebook 15."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, numbers, require, whole

METRIC = np.diag([1.0, -1.0, -1.0, -1.0])


def _squares(r: Any, u: Any) -> tuple[Any, Any]:
    return np.einsum("...i,ij,...j->...", r, METRIC, r), np.einsum("...i,ij,...j->...", r, METRIC, u)


@check(
    likely=[
        (lambda r, u, R: abs(_squares(r, u)[0]) < R**2, "has no bound"),
        (lambda r, u, R: _squares(r, u)[1] ** 2 - _squares(r, u)[0] < R**2, "the whole tube"),
        (lambda r, u, R: (r[:, 1:] ** 2).sum(1) < R**2, "one observer's"),
    ],
    wrong=[
        lambda r, u, R: (_squares(r, u)[0] < 0) & (_squares(r, u)[0] > -(R**2)),
        lambda r, u, R: _squares(r, u)[0] < 0,
        lambda r, u, R: np.zeros(len(r), dtype=bool),
        lambda r, u, R: np.linalg.norm(r, axis=1) < R,
        lambda r, u, R: (_squares(r, u)[0] < 0) & (_squares(r, u)[1] ** 2 - _squares(r, u)[0] < R),
        lambda r, u, R: True,
    ],
)
def neighbours(answer: Any) -> None:
    """(r (n, 4), u (4,), R) -> (n,) bool: space-like r in the tube of radius R about the line along u."""
    random = np.random.RandomState(0)
    for eta, direction, R in ((1.5, [0.6, 0, 0.8], 2.0), (1.0, [0, 1, 0], 0.7), (0.0, [1, 0, 0], 1.3)):
        u = np.array([np.cosh(eta), *(np.sinh(eta) * np.array(direction))])
        r = random.normal(size=(4000, 4)) * 2
        r_r, r_u = _squares(r, u)
        inside = r_u**2 - r_r < R**2
        found = np.asarray(attempt(answer, r.copy(), u.copy(), R))
        require(found.shape == (4000,), f"it should return one truth value for each r, this has shape {found.shape}")
        found = numbers(found).astype(bool)
        require(not np.array_equal(found, np.abs(r_r) < R**2), "a bound on r.r alone has no bound in space or time")
        require(
            not np.array_equal(found, inside), "this is the whole tube, to the end of time: keep what is space-like"
        )
        if eta:
            require(
                not np.array_equal(found, (r[:, 1:] ** 2).sum(1) < R**2),
                "this is one observer's ball, and another's is another: use the metric and u",
            )
        require(
            np.array_equal(found, inside & (r_r < 0)),
            "not the space-like part of the tube: d^2 = (r.u)^2 - r.r, and space-like is r.r < 0",
        )


@check(
    likely=[(5, "complex type"), (8, "a charge alone"), (7, "vectors to vectors")],
    wrong=[0, 3, 4, 9, 12, 6.5, [3, 3], True, "six"],
)
def weights(answer: Any) -> None:
    """Weights, one radial function, of a Lorentz layer from "(0,0)+(1,1)" to "(0,0)+(1,1)+(2,0)", degrees up to 1."""
    number = whole(answer)
    require(number != 5, "5 counts (2,0) once: it is of complex type, so its path has two kernels")
    require(number != 8, "8 gives (2,0) to a charge alone: (0,0) times (1,1) is a vector")
    require(number != 7, "7 has a kernel of degree 1 from vectors to vectors: two vectors hold no third")
    require(number == 6, f"not {number}: for each pair of irreps multiply the input by (0,0) and by (1,1)")


MU = 3.0


def _profile(r_r: Any, r_u: Any) -> Any:
    return 2**0.5 * (r_r**2 + MU**4) ** 0.25 / (r_u**2 - r_r) ** 1.5


@check(
    likely=[
        (lambda r_r, r_u: _profile(r_r, r_u) / (r_r**2 + MU**4) ** 0.25, "divided by s"),
        (lambda r_r, r_u: _profile(r_r, r_u) / 2**0.5, "2^(1/2)"),
        (lambda r_r, r_u: _profile(r_r, r_u) * (r_u**2 - r_r) ** 0.5, "Coulomb's"),
    ],
    wrong=[
        lambda r_r, r_u: -_profile(r_r, r_u),
        lambda r_r, r_u: 1.0,
        lambda r_r, r_u: abs(r_r) ** -1.5,
        lambda r_r, r_u: _profile(r_r, 0 * r_u),
        lambda r_r, r_u: np.nan,
        lambda r_r, r_u: [1.0, 2.0],
    ],
)
def profile(answer: Any) -> None:
    """(r.r, r.u) -> R, two floats to one, for which the layer with mu = 3 m gives the field exactly."""
    for r_r, r_u in ((-1.0, 0.0), (-4.0, 1.0), (-0.3, -0.4), (-9.0, 2.5)):
        found = numbers(attempt(answer, r_r, r_u))
        require(found.size == 1, f"one number is wanted, this returns an array of shape {found.shape}")
        value, exact = float(found.sum()), float(_profile(r_r, r_u))
        s, d = (r_r**2 + MU**4) ** 0.25, (r_u**2 - r_r) ** 0.5
        require(not np.isclose(value, exact / s), "the harmonic has r divided by s: the profile must multiply it back")
        require(
            not np.isclose(value, exact / 2**0.5), "the factor 2^(1/2) that parts the tensor from E and B is missing"
        )
        if d != 1:
            require(not np.isclose(value, exact * d), "r^u has a length like d: Coulomb's 1 / d^2 takes 1 / d^3 here")
        require(
            np.isclose(value, exact), f"at r.r = {r_r}, r.u = {r_u} this gives {value:.3f}, it should be {exact:.3f}"
        )
