"""The exercises of notebook 13."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, require


@check(wrong=[72, 432, 144, 12, "many"])
def schur_weights(answer: Any) -> None:
    """Weights of the equivariant linear map from 4 to 6 copies each of (1,1), (2,0) and (2,2) of the Lorentz group."""
    require(isinstance(answer, int | np.integer), f"a whole number is wanted, not a {type(answer).__name__}")
    require(answer != 72, "72 counts one real number for each pair of copies: (2,0) is of complex type")
    require(answer != 432, "432 joins copies of different irreps too: Schur's lemma forbids that")
    require(answer != 144, "144 takes all three irreps for complex: (1,1) and (2,2) are real")
    require(answer == 96, f"not {answer}: one 6 x 4 matrix for each irrep, and of what kind are its entries?")


@check(
    wrong=[
        lambda p, q: 2 * (p[0] * q[0] + p[1] * q[1] - p[2] * q[2] - p[3] * q[3]),
        lambda p, q: p[0] * q[1] + p[1] * q[0] - p[2] * q[2] - p[3] * q[3],
        lambda p, q: 2 * (p[0] * q[1] + p[1] * q[0] + p[2] * q[2] + p[3] * q[3]),
        lambda p, q: 2 * float(np.dot(p, q)),
        lambda p, q: p,
    ]
)
def pair_mass_squared(answer: Any) -> None:
    """A function of two massless momenta in light-cone components (4,), GeV -> their invariant mass squared, GeV^2."""
    rng = np.random.default_rng(0)
    for _ in range(3):
        plus, x, y = rng.uniform(1, 50, 2), rng.normal(size=2), rng.normal(size=2)
        p, q = np.stack([plus, (x**2 + y**2) / (2 * plus), x, y], -1)
        found = np.asarray(attempt(answer, p, q), dtype=np.float64)
        require(found.shape == (), f"it should return one number, it returns an array of shape {found.shape}")
        t = p + q
        exact = 2 * t[0] * t[1] - t[2] ** 2 - t[3] ** 2
        require(not np.isclose(found, exact / 2), "half of it: p.q comes twice in (p + q) squared")
        require(not np.isclose(found, 2 * (p @ q)), "this is Euclid's product: the metric joins plus with minus")
        require(np.isclose(found, exact), f"at p = {p.round(2)}, q = {q.round(2)} it should be {exact:.3f}")
