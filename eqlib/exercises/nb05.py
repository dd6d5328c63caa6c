"""The exercises of notebook 05."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqlib.exercises.check import NotYet, attempt, check, numbers, require


@check(
    likely=[
        (lambda m, theta: (np.cos(m * theta), -np.sin(m * theta)), "clockwise"),
        (lambda m, theta: (np.cos(theta), np.sin(theta)), "frequency is missing"),
        (lambda m, theta: (np.cos(theta / m), np.sin(theta / m)), "theta / m"),
        (lambda m, theta: (np.cos(np.deg2rad(m * theta)), np.sin(np.deg2rad(m * theta))), "in radians already"),
        (lambda m, theta: np.exp(-1j * m * theta), "the phase itself"),
        (lambda m, theta: print(np.cos(m * theta), np.sin(m * theta)), "returns nothing"),
    ],
    wrong=[
        lambda m, theta: (np.sin(m * theta), np.cos(m * theta)),
        lambda m, theta: (np.cos(m * theta), np.sin(theta)),
        lambda m, theta: {"a": np.cos(m * theta), "b": np.sin(m * theta)},
        lambda m, theta: (1.0, 0.0),
        lambda m, theta: np.cos(m * theta),
        lambda m, theta: (np.nan, np.nan),
        lambda m, theta: ("a", "b"),
    ],
)
def mixture(answer: Any) -> None:
    """A function (m, theta) -> (a, b) with Re W_m, turned by theta, equal to a Re W_m + b Im W_m."""
    for m, theta in ((2, 0.6), (3, -1.1), (1, 2.0), (0, 0.4)):
        result = attempt(answer, m, theta)
        if isinstance(result, complex | np.ndarray | tuple | list):
            phase = "this is the phase itself, or has one in it: a and b are two real numbers"
            require(not np.iscomplexobj(np.asarray(result)), phase)
        found = numbers(result, (2,), "two real numbers, a and b, as a pair (a, b)")
        a, b = np.cos(m * theta), np.sin(m * theta)
        if b:
            require(not np.allclose(found, (a, -b)), "b has the other sign: this turns the picture clockwise")
            require(not np.allclose(found, (b, a)), "a and b have changed places: at theta = 0 nothing should happen")
            degrees = "theta is in radians already: NumPy's cos and sin want no conversion"
            require(not np.allclose(found, _pair(np.deg2rad(m * theta))), degrees)
        if m > 1:
            short = "the frequency is missing: a turn by theta is a phase of m theta"
            require(not np.allclose(found, _pair(theta)), short)
            require(not np.allclose(found, _pair(theta / m)), "theta / m goes the wrong way: the phase grows with m")
        reason = f"for m = {m} and theta = {theta} this gives {found.round(3)}, and that is not the turned picture"
        require(np.allclose(found, (a, b)), reason)


@check(
    likely=[
        ((2, 2), "without their phases"),
        ((4, 4), "under O(2) as under SO(2)"),
        ((2, 1), "one wave only"),
        ((2, 4), "changed places"),
    ],
    wrong=[(4, 1), (1, 2), (8, 4), (12, 6), 4, 2, True, [4], (4, 2, 0), [1, 5], (4.5, 2), (4j, 2), "two"],
)
def angular_parts(answer: Any) -> None:
    """Angular parts of a steerable kernel from frequency 2 to frequency 3: of SO(2), and of O(2)."""
    if isinstance(answer, tuple) and any(part is ... for part in answer):
        raise NotYet
    turns, both = numbers(answer, (2,), "two whole numbers, for SO(2) and for O(2)").tolist()
    given = f"not ({turns:g}, {both:g})"
    require((turns, both) != (2, 2), f"{given}: it counts waves without their phases, which SO(2) leaves free")
    require((turns, both) != (4, 4), f"{given}: it leaves each phase free under O(2) as under SO(2)")
    require((turns, both) != (2, 1), f"{given}: it counts one wave only, of the difference and the sum")
    require((turns, both) != (2, 4), f"{given}: the two have changed places, SO(2) comes first")
    require((turns, both) == (4, 2), f"{given}: which waves are allowed, and how many parts has each?")


@check(
    likely=[
        (lambda z1, z2: z1 * np.conj(z2), "to the power -1 "),
        (lambda z1, z2: z1**2 * z2, "to the power 4 "),
        (lambda z1, z2: abs(z1) + abs(z2), "lengths only"),
        (lambda z1, z2: 2 * np.angle(z1) - np.angle(z2), "full turns"),
    ],
    wrong=[
        lambda z1, z2: z1 * z2,
        lambda z1, z2: np.angle(z2) - np.angle(z1),
        lambda z1, z2: 2 * np.angle(z1, deg=True) - np.angle(z2, deg=True),
        lambda z1, z2: abs(z1 + z2),
        lambda z1, z2: abs(z1 * np.conj(z2)),
        lambda z1, z2: z1**2 * z2.conj() + 1e-3 * z1,
        lambda z1, z2: 0 * z1,
        lambda z1, z2: 1.0,
        lambda z1, z2: np.nan,
        lambda z1, z2: "z1",
        lambda z1, z2: print(z1**2 * z2.conj()),
    ],
)
def invariant(answer: Any) -> None:
    """A function of responses of frequency 1 and 2 that a turn of the image leaves alone and a turn of one does not."""

    def value_at(z1: complex, z2: complex) -> complex:
        return _number(attempt(answer, np.complex128(z1), np.complex128(z2)))

    rng = np.random.default_rng(0)
    values = []
    for _ in range(5):
        z1, z2 = rng.normal(size=2) + 1j * rng.normal(size=2)
        value = value_at(z1, z2)
        require(np.isfinite(value), f"at z1 = {z1:.2f}, z2 = {z2:.2f} it is {value}, not a finite number")
        values.append(value)
        for theta in rng.uniform(-np.pi, np.pi, 3):
            phase = np.exp(1j * theta)
            turned = value_at(phase * z1, phase**2 * z2)
            for name, full in (("2 pi", 2 * np.pi), ("360", 360.0)):
                jumps = np.round((turned - value).real / full)
                require(
                    not jumps or not np.isclose(turned, value + full * jumps, rtol=0, atol=1e-9),
                    f"it is right up to full turns: a turn of the image may add a multiple of {name}, because an angle "
                    "jumps there; hand on something that does not, such as the cosine of the angle",
                )
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
                not np.isclose(value_at(z1, phase * z2), value, atol=1e-9),
                "it does not change when z2 alone is turned: it sees lengths only, or nothing",
            )
    require(not np.allclose(values, values[0]), "it has one value for all responses: a number that says nothing")


def _pair(angle: float) -> tuple[float, float]:
    return np.cos(angle), np.sin(angle)


def _number(value: Any) -> complex:
    """A number of any kind, also an array or tensor of one entry."""
    try:
        found = np.asarray(value.detach() if hasattr(value, "detach") else value)
        kind, entries = found.dtype.kind, found.size
    except (TypeError, ValueError):
        kind, entries = "O", 0
    require(entries == 1 and kind in "iufc", f"a number is wanted, not {value!r}")
    return complex(found.reshape(())[()])
