"""The exercises of notebook 04."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqlib import groups
from eqlib.exercises.check import attempt, check, require

QUARTER = np.array([[0.0, -1.0], [1.0, 0.0]])


def turned(kernel: NDArray[np.float64], quarters: int) -> NDArray[np.float64]:
    """What a number of quarter turns makes of a kernel (2, 2, k, k) from vectors to vectors: R K(R^-1 r) R^-1."""
    R = np.linalg.matrix_power(QUARTER, quarters)
    return np.asarray(np.einsum("ij,jkyx,lk->ilyx", R, np.rot90(kernel, quarters, (-2, -1)), R))


@check(wrong=[25, 400, 16, 26, 50, "many"])
def free_numbers(answer: Any) -> None:
    """Free numbers of a 5 x 5 kernel from the regular rep of C4 to itself."""
    require(isinstance(answer, int | np.integer), f"a whole number is wanted, not a {type(answer).__name__}")
    require(answer != 400, "400 are all entries: the group joins them in fours")
    require(answer != 25, "25 is the kernel that lifts a scalar: here the input, too, has a number for each element")
    require(answer == 100, f"not {answer}: how many entries are there, and in which sets does the group move them?")


# The regular rep, no motion at all, five dimensions, corners that change sign, a label of D4, the wrong mirrors.
@check(wrong=["1x0e+1x0o+1x3e+1x3o+2x1+2x2", "6x0e", "0e+1+2", "0o+3o+1+2", "0e+2e+1", "0e+3o+1+2", 6])
def corners(answer: Any) -> None:
    """Irreps of D6 in the functions on a regular hexagon's corners, one of them on the x axis."""
    D6 = groups.Dihedral(6)
    require(isinstance(answer, str | groups.Rep), f'a string such as "0e+1" is wanted, not a {type(answer).__name__}')
    try:
        given = D6.rep(answer)
    except ValueError as error:
        require(False, str(error))
    require(given.dim == 6, f"a function on six corners is six numbers, this has dimension {given.dim}")
    wanted = groups.induce(groups.Dihedral(1).rep("0e"), D6)[0]
    for a in D6.irreps():
        times, right = given.multiplicity(a), wanted.multiplicity(a)
        require(times == right, f"{times} x {a.label} is wrong: restrict {a.label} to the stabiliser of a corner")


@check(
    wrong=[
        lambda K: K,
        lambda K: 0 * K,
        lambda K: sum(turned(K, k) for k in range(4)),
        lambda K: sum(np.rot90(K, k, (-2, -1)) for k in range(4)) / 4,
        lambda K: sum(turned(np.rot90(K, k, (-2, -1)), k) for k in range(4)) / 4,
        lambda K: (K + turned(K, 2)) / 2,
        lambda K: 0.5 * sum(turned(K, k) for k in range(4)) / 4,
        lambda K: K[0, 0],
        "the mean",
    ]
)
def nearest(answer: Any) -> None:
    """A function that takes a kernel (2, 2, 5, 5) from vectors to vectors to the nearest one that C4 allows."""
    rng = np.random.default_rng(0)
    for _ in range(3):
        K = rng.normal(size=(2, 2, 5, 5))
        found = np.asarray(attempt(answer, K.copy()), dtype=np.float64)
        require(found.shape == K.shape, f"it should return shape {K.shape}, it returns {found.shape}")
        for k in (1, 2, 3):
            gap = np.abs(turned(found, k) - found).max()
            require(gap < 1e-9, f"what it returns is not steerable: {90 * k} degrees change it by up to {gap:.2f}")
        allowed = np.mean([turned(K, k) for k in range(4)], axis=0)
        again = np.asarray(attempt(answer, allowed.copy()), dtype=np.float64)
        require(np.allclose(again, allowed), "it changes a kernel that is steerable already")
        require(np.allclose(found, allowed), "what it returns is steerable, but another steerable kernel is nearer")
