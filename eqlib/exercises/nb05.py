"""The exercises of notebook 05."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, require


@check(wrong=[4, 1, 8, 3, "two"])
def angular_elements(answer: Any) -> None:
    """Angular elements of a steerable kernel of O(2) from frequency 2 to frequency 3."""
    require(isinstance(answer, int | np.integer), f"a whole number is wanted, not a {type(answer).__name__}")
    require(answer != 4, "4 gives each wave a free phase, as under SO(2): the mirror fixes it")
    require(answer != 1, "1 counts one wave: both the difference and the sum of the frequencies are allowed")
    require(answer == 2, f"not {answer}: which waves are allowed, and how many free numbers has each under O(2)?")


@check(
    wrong=[
        lambda z1, z2: abs(z1) + abs(z2),
        lambda z1, z2: z1 * np.conj(z2),
        lambda z1, z2: z1**2 * z2,
        lambda z1, z2: 0 * z1,
        lambda z1, z2: "z1",
    ]
)
def invariant(answer: Any) -> None:
    """A function of responses of frequency 1 and 2 that a turn of the image leaves alone and a turn of one does not."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        z1, z2 = rng.normal(size=2) + 1j * rng.normal(size=2)
        value = _number(attempt(answer, z1, z2))
        for theta in rng.uniform(-np.pi, np.pi, 3):
            phase = np.exp(1j * theta)
            image_turned = _number(attempt(answer, phase * z1, phase**2 * z2))
            require(
                np.isclose(image_turned, value, atol=1e-9),
                f"turning the image by {np.rad2deg(theta):.0f} degrees changes it from {value:.3f} to {image_turned:.3f}",
            )
            one_turned = _number(attempt(answer, z1, phase * z2))
            require(
                not np.isclose(one_turned, value, atol=1e-9),
                "it does not change when z2 alone is turned: it sees lengths only",
            )


def _number(value: Any) -> complex:
    require(isinstance(value, int | float | complex | np.number), f"a number is wanted, not a {type(value).__name__}")
    return complex(value)
