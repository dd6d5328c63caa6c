"""The exercises of notebook 12."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, numbers, require
from eqlib.groups.element import Array


def _sum(u: Array, v: Array) -> Array:
    """The velocity seen by us, of what has velocity v on board a ship that has velocity u."""
    gamma = 1 / np.sqrt(1 - u @ u)
    return np.asarray((v / gamma + u * (1 + gamma / (1 + gamma) * (u @ v))) / (1 + u @ v))


# What a wrong rule gives for velocities u of the ship and v on board, and what is wrong with it.
SUMS: list[tuple[Callable[[Any, Any], Any], str]] = [
    (lambda u, v: u + v, "this is Galilei's sum: u and v along one line can make more than 1, the speed of light"),
    (
        lambda u, v: (u + v) / (1 + u @ v),
        "this is right along one line: across u the ship's slow clocks count, too, see gamma",
    ),
    (
        lambda u, v: _sum(v, u),
        "u and v are the wrong way round: v is measured on board the ship, and the ship has velocity u",
    ),
    (
        lambda u, v: _sum(-u, v),
        "this boosts the other way: it is what a ball of velocity v for us has as seen from the ship",
    ),
    (
        lambda u, v: _sum(u, v) / np.sqrt(1 - _sum(u, v) @ _sum(u, v)),
        "this is gamma times the velocity, the momentum over the mass: divide by the time component",
    ),
    (
        lambda u, v: _sum(u * np.tanh(np.linalg.norm(u)) / max(float(np.linalg.norm(u)), 1e-300), v),
        "this takes u for a rapidity: its length is tanh r, so r is arctanh of it",
    ),
    (lambda u, v: u, "v does not seem to matter: what velocity has a ball that moves on board?"),
]


@check(
    likely=[(SUMS[0][0], "Galilei's"), (SUMS[1][0], "across u"), (SUMS[2][0], "wrong way round")],
    wrong=[
        *(rule for rule, _ in SUMS[3:]),
        lambda u, v: v,
        lambda u, v: np.append(1, _sum(u, v)),
        lambda u, v: float(np.linalg.norm(_sum(u, v))),
        lambda u, v: _sum(u, v) if u.any() else np.nan * u,
        lambda u, v: "fast",
        [0.1, 0.2, 0.3],
    ],
)
def add(answer: Any) -> None:
    """A function of two velocities (3,), in units of light's -> the velocity for us of what has v on board a ship with u."""
    rng = np.random.default_rng(0)
    trials = rng.normal(size=(4, 2, 3))
    trials *= rng.uniform(0.3, 0.9, (4, 2, 1)) / np.linalg.norm(trials, axis=-1, keepdims=True)
    found = [_velocity(attempt(answer, u.copy(), v.copy())) for u, v in trials]
    for rule, what in SUMS:
        require(not np.allclose(found, [rule(u, v) for u, v in trials], atol=1e-6), what)
    still = np.zeros(3)
    cases = [*zip(trials[:, 0], trials[:, 1], found, strict=True)]
    for u, v in ((still, trials[0, 1]), (trials[0, 0], still), (still, still)):
        cases.append((u, v, _velocity(attempt(answer, u.copy(), v.copy()))))
    for u, v, sum_of_them in cases:
        given, exact = f"for u = {u.round(2).tolist()}, v = {v.round(2).tolist()}", _sum(u, v)
        wanted = f"it should be {exact.round(3).tolist()}, and is {sum_of_them.round(3).tolist()}"
        require(np.allclose(sum_of_them, exact, atol=1e-6), f"{given} {wanted}")


def _velocity(value: Any) -> Array:
    return numbers(value, (3,), "a velocity, three numbers")


def _degrees(k: int, n: int) -> list[float]:
    return [l / 2 for l in range(abs(k - n), k + n + 1, 2)]


@check(
    likely=[
        (lambda k, n: [(k + n) / 2], "the largest only"),
        (lambda k, n: list(range(abs(k - n), k + n + 1)), "k and n are twice the spins"),
        (lambda k, n: [l / 2 for l in range(k + n, -1, -2)], "down to 0"),
        (lambda k, n: [k / 2, n / 2], "the two spins themselves"),
    ],
    wrong=[
        lambda k, n: [],
        lambda k, n: _degrees(k, n) * 2,
        lambda k, n: [l / 2 for l in range(abs(k - n), k + n + 1)],
        lambda k, n: [int(l) for l in _degrees(k, n)],
        lambda k, n: (k + 1) * (n + 1),
        lambda k, n: [[l] for l in _degrees(k, n)],
        lambda k, n: ["l"],
        lambda k, n: _degrees(k, n) if k >= n else [],
        [0, 1, 2],
    ],
)
def degrees(answer: Any) -> None:
    """k, n -> the degrees l (spins) that turns alone see in the complex irrep (k, n)."""
    for k, n in ((3, 1), (2, 2), (2, 0), (1, 2), (1, 1), (0, 0), (0, 3), (5, 4)):
        result = attempt(answer, k, n)
        value = list(result) if isinstance(result, (set, range, tuple)) else result
        found = numbers(value, None, "a list of degrees")
        require(found.ndim == 1, f"wanted: a list of degrees; this has shape {found.shape}")
        given, held = f"({k}, {n})", sorted(found.tolist())
        if (k, n) == (3, 1):
            require(held != [2], f"{given}: [2] is the largest only; two spins add up to smaller ones as well")
            require(held != [2, 3, 4], f"{given}: from 2 to 4, in whole steps: but k and n are twice the spins")
            require(held != [0, 1, 2], f"{given}: down to 0 it goes only where the two spins are equal")
            require(held != [0.5, 1.5], f"{given}: these are the two spins themselves: what does their product hold?")
        dims = sum(2 * l + 1 for l in held)
        require(dims == (k + 1) * (n + 1), f"{given}: {held} have {dims:g} components, {given} has {(k + 1) * (n + 1)}")
        require(held == _degrees(k, n), f"{given}: not {held}, though the components add up")


@check(
    likely=[
        ([1, 0, 0, 1], "conjugate"),
        ([2, 0, 0, 2], "as two"),
        ([1, 1, 1, 1], "each of them once"),
    ],
    wrong=[
        [0, 1, 2, 0],
        [6, 0, 0, 0],
        [2, 0, 0, 1, 0],
        [2, 0, 1],
        24,
        "2 0 0 1",
        [2.5, 0, 0, 1],
        [-1, 0, 0, 1],
        [3, 2, 0, 0],
    ],
)
def field_times_momentum(answer: Any) -> None:
    """How often the real irreps (1,1), (2,0), (2,2) and (3,1) are in (2,0) x (1,1)."""
    wanted = "four whole numbers, how often (1,1), (2,0), (2,2), (3,1) occur"
    found = numbers(answer, (4,), wanted)
    require((found == np.round(found)).all() and (found >= 0).all(), f"wanted: {wanted}; this is {found}")
    counts = [int(n) for n in found]
    require(counts != [1, 0, 0, 1], "that is what the complex (2,0) gives; its conjugate (0,2) is there too")
    require(counts != [2, 0, 0, 2], "(3,1) and (1,3) are counted as two: together they are one real irrep")
    require(counts != [1, 1, 1, 1], "each of them once: add the spins, k of one to k of the other, n to n")
    dims = sum(n * d for n, d in zip(counts, (4, 6, 9, 16), strict=True))
    require(dims == 24, f"these have {dims} components, a field and a momentum have 6 x 4 = 24 components")
    require(counts == [2, 0, 0, 1], f"not {counts}, though there are 24 components: which k and n can occur?")
