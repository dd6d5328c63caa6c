"""The exercises of notebook 14."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqlib import groups
from eqlib.exercises.check import attempt, check, require


@check(wrong=[0, 2, 4, 6, "three"])
def tetrahedral_degree(answer: Any) -> None:
    """The lowest degree l >= 1 at which the rotations of a tetrahedron leave a spherical harmonic alone."""
    require(isinstance(answer, int | np.integer), f"a whole number is wanted, not a {type(answer).__name__}")
    require(answer != 4, "4 is the cube's degree: a tetrahedron has fewer symmetries, so it leaves more alone")
    require(answer == 3, f"not {answer}: count the trivial irrep in each degree, from 1 upwards")


@check(
    wrong=[
        lambda x: float(x @ x),
        lambda x: float(x @ x) ** 1.5,
        lambda x: 0.0,
        lambda x: float((x**3).sum()),
        lambda x: np.asarray(x),
        "d",
    ]
)
def cubic_invariant(answer: Any) -> None:
    """A function of an octet (8,) of SU(3) that the group does not change, odd and of degree three, and not zero."""
    group = groups.SU(3)
    octet = group.irrep("(1,1)")(group.sample(4, seed=1))
    for seed, turn in enumerate(octet):
        x = np.random.default_rng(seed).normal(size=8)
        value = np.asarray(attempt(answer, x), dtype=np.float64)
        require(value.shape == (), f"it should return one number, it returns an array of shape {value.shape}")
        require(abs(value) > 1e-9, "it is zero: f(x, x) = 0, because f is antisymmetric")
        moved = np.asarray(attempt(answer, turn @ x))
        require(np.isclose(moved, value), f"turning the octet changes it from {value:.3f} to {moved:.3f}")
        doubled = np.asarray(attempt(answer, 2 * x))
        require(np.isclose(doubled, 8 * value), f"2x should give 8 times F(x), it gives {doubled / value:.3f} times")
        opposite = np.asarray(attempt(answer, -x))
        require(np.isclose(opposite, -value), "-x should give -F(x): a power of the length does not")


@check(
    wrong=[
        np.zeros((6, 4, 4)),
        np.eye(4)[None],
        np.zeros((3, 3, 3)),
        [np.outer(a, b) - np.outer(b, a) for a in np.eye(4)[:3] for b in np.eye(4)[:3] if a @ np.arange(4) < b @ np.arange(4)],
        [np.outer(a, b) + np.outer(b, a) for a in np.eye(4) for b in np.eye(4) if a @ np.arange(4) < b @ np.arange(4)],
        "six",
    ]
)  # fmt: skip
def rotations_of_four(answer: Any) -> None:
    """Generators (6, 4, 4) of SO(4)."""
    try:
        x = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError):
        x = np.zeros(0)
    require(x.ndim == 3 and x.shape[1:] == (4, 4), f"an array of shape (n, 4, 4) is wanted, this has shape {x.shape}")
    require(np.abs(x + x.swapaxes(1, 2)).max() < 1e-9, "a rotation's generator is antisymmetric: not all of these are")
    rank = np.linalg.matrix_rank(x.reshape(len(x), 16))
    require(rank == len(x), f"these {len(x)} matrices are not independent: they span {rank} dimensions")
    require(len(x) == 6, f"these are {len(x)} generators: there is one for each plane of two axes")
