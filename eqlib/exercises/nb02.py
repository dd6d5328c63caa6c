"""The exercises of notebook 02."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, require


@check(wrong=[16, 4, 5, 12, "ten"])
def commuting(answer: Any) -> None:
    """Free numbers of a linear map of SO(2) from "2x1+1x2" to "2x1+1x2"."""
    require(isinstance(answer, int | np.integer), f"a whole number is wanted, not a {type(answer).__name__}")
    require(answer != 5, "5 gives each pair of copies one number: irreps of complex type have two")
    require(answer == 10, f"not {answer}: count pairs of copies of one irrep, then multiply by endo")


@check(wrong=[lambda v: np.maximum(v, 0), lambda v: v**2, lambda v: v + 1, lambda v: 0 * v, lambda v: v])
def activation(answer: Any) -> None:
    """A function of a vector (2,) that commutes with every turn and is not linear."""
    rng = np.random.default_rng(0)
    linear = True
    for _ in range(5):
        v, angle = rng.normal(size=2), rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        f = np.asarray(attempt(answer, v), dtype=np.float64)
        require(f.shape == (2,), f"it should return a vector of shape (2,), it returns {f.shape}")
        require(np.linalg.norm(f) > 1e-9, "it returns zero, which commutes with everything and says nothing")
        after = np.asarray(attempt(answer, turn @ v), dtype=np.float64)
        require(
            np.allclose(after, turn @ f), "turning first and turning last differ: use the length of the vector only"
        )
        linear &= bool(np.allclose(attempt(answer, 2 * v), 2 * f))
    require(not linear, "it is equivariant, but doubling the vector doubles the result: it may still be linear")
