"""The exercises of notebook 05."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, require


@check(wrong=[2, 1, 8, 3, "four"])
def angular_elements(answer: Any) -> None:
    """Angular elements of a steerable kernel of SO(2) from frequency 1 to frequency 2."""
    require(isinstance(answer, int | np.integer), f"a whole number is wanted, not a {type(answer).__name__}")
    require(answer != 2, "2 counts one harmonic: both the difference and the sum of the frequencies are allowed")
    require(answer == 4, f"not {answer}: which harmonics are allowed, and how many free numbers has each under SO(2)?")


@check(wrong=[lambda m, theta: m * theta, lambda m, theta: -theta, lambda m, theta: 0.0])
def phase(answer: Any) -> None:
    """A function (m, theta) -> phase that the response at the centre gains when F becomes F(phi + theta)."""
    for m, theta in [(1, 0.3), (2, 0.5), (3, -0.4)]:
        result = float(attempt(answer, m, theta))
        require(not np.isclose(result, m * theta), "the sign: substitute phi' = phi + theta under the integral")
        require(np.isclose(result, -m * theta), f"for m = {m}, theta = {theta} this gives {result:.3f}")
