"""The exercises of notebook 05."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, require


@check(
    likely=[
        (lambda m, theta: (np.cos(m * theta), -np.sin(m * theta)), "clockwise"),
        (lambda m, theta: (np.cos(theta), np.sin(theta)), "frequency is missing"),
        (lambda m, theta: np.exp(-1j * m * theta), "the phase itself"),
    ],
    wrong=[
        lambda m, theta: (np.sin(m * theta), np.cos(m * theta)),
        lambda m, theta: (np.cos(m * theta), np.sin(theta)),
        lambda m, theta: (np.cos(np.deg2rad(m * theta)), np.sin(np.deg2rad(m * theta))),
        lambda m, theta: (1.0, 0.0),
        lambda m, theta: np.cos(m * theta),
        lambda m, theta: (np.nan, np.nan),
        lambda m, theta: ("a", "b"),
    ],
)
def mixture(answer: Any) -> None:
    """A function (m, theta) -> (a, b) with Re W_m, turned by theta, equal to a Re W_m + b Im W_m."""
    for m, theta in ((2, 0.6), (3, -1.1), (1, 2.0), (0, 0.4)):
        found = np.asarray(attempt(answer, m, theta))
        require(not np.iscomplexobj(found), "this is the phase itself, or has one in it: a and b are two real numbers")
        require(found.shape == (2,), f"two numbers are wanted, a and b: this returns an array of shape {found.shape}")
        require(found.dtype.kind in "fiu", f"two numbers are wanted, not {found.tolist()}")
        a, b = np.cos(m * theta), np.sin(m * theta)
        if b:
            require(not np.allclose(found, (a, -b)), "b has the other sign: this turns the picture clockwise")
            require(not np.allclose(found, (b, a)), "a and b have changed places: at theta = 0 nothing should happen")
        if m > 1:
            guess = np.cos(theta), np.sin(theta)
            require(not np.allclose(found, guess), "the frequency is missing: a turn by theta is a phase of m theta")
        reason = f"for m = {m} and theta = {theta} this gives {found.round(3)}, and that is not the turned picture"
        require(np.allclose(found, (a, b)), reason)


@check(
    likely=[(4, "a free phase"), (1, "counts one wave"), (6, "adds the frequencies")],
    wrong=[8, 3, 5, 2.5, True, [1, 5], "two"],
)
def angular_elements(answer: Any) -> None:
    """Angular elements of a steerable kernel of O(2) from frequency 2 to frequency 3."""
    number = _number(answer)
    require(not number.imag and number.real.is_integer(), f"a whole number is wanted, not {answer}")
    require(number != 4, "4 gives each wave a free phase, as under SO(2): the mirror fixes it")
    require(number != 1, "1 counts one wave: both the difference and the sum of the frequencies are allowed")
    require(number != 6, "6 adds the frequencies 1 and 5: wanted is how many angular parts there are")
    require(number == 2, f"not {answer}: which waves are allowed, and how many free numbers has each under O(2)?")


@check(
    likely=[
        (lambda z1, z2: z1 * np.conj(z2), "to the power -1 "),
        (lambda z1, z2: z1**2 * z2, "to the power 4 "),
        (lambda z1, z2: abs(z1) + abs(z2), "lengths only"),
    ],
    wrong=[
        lambda z1, z2: z1 * z2,
        lambda z1, z2: np.angle(z2) - np.angle(z1),
        lambda z1, z2: abs(z1 + z2),
        lambda z1, z2: abs(z1 * np.conj(z2)),
        lambda z1, z2: 0 * z1,
        lambda z1, z2: 1.0,
        lambda z1, z2: np.nan,
        lambda z1, z2: "z1",
    ],
)
def invariant(answer: Any) -> None:
    """A function of responses of frequency 1 and 2 that a turn of the image leaves alone and a turn of one does not."""
    rng = np.random.default_rng(0)
    values = []
    for _ in range(5):
        z1, z2 = (complex(z) for z in rng.normal(size=2) + 1j * rng.normal(size=2))
        value = _number(attempt(answer, z1, z2))
        require(np.isfinite(value), f"at z1 = {z1:.2f}, z2 = {z2:.2f} it is {value}, not a finite number")
        values.append(value)
        for theta in rng.uniform(-np.pi, np.pi, 3):
            phase = np.exp(1j * theta)
            turned = _number(attempt(answer, complex(phase * z1), complex(phase**2 * z2)))
            for power in (1, 2, 3, 4, -1, -2, -3, -4):
                require(
                    value == 0 or not np.isclose(turned / value, phase**power, rtol=0, atol=1e-9),
                    f"a turn of the image multiplies it by the phase to the power {power} and not 0: "
                    "count 1 for z1, 2 for z2, with a minus under a conjugate",
                )
            require(
                np.isclose(turned, value, atol=1e-9),
                f"turning the image by {np.rad2deg(theta):.0f} degrees changes it from {value:.3f} to {turned:.3f}",
            )
            require(
                not np.isclose(_number(attempt(answer, z1, complex(phase * z2))), value, atol=1e-9),
                "it does not change when z2 alone is turned: it sees lengths only, or nothing",
            )
    require(not np.allclose(values, values[0]), "it has one value for all responses: a number that says nothing")


def _number(value: Any) -> complex:
    """A number of any kind, also an array or tensor of one entry."""
    try:
        found = np.asarray(value)
        kind, entries = found.dtype.kind, found.size
    except (TypeError, ValueError):
        kind, entries = "O", 0
    require(entries == 1 and kind in "iufc", f"a number is wanted, not {value!r}")
    return complex(found.reshape(())[()])
