"""The exercises of notebook 04."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqlib import groups
from eqlib.exercises.check import attempt, check, numbers, require, whole

QUARTER = np.array([[0.0, -1.0], [1.0, 0.0]])

# Exercise 1: the projection. Wrong ones take the mean over something else. (Turning the components the other way is no mistake:
# R^-1 and R differ by a sign, which K between two vectors meets twice.)


def mean(
    kernel: NDArray[np.float64], places: int = 1, out: int = 1, into: int = 1, step: int = 1
) -> NDArray[np.float64]:
    """The mean over quarter turns k of R^(out k) K(R^(-places k) r) R^(-into k), of a kernel (2, 2, size, size)."""
    terms = []
    for k in range(0, 4, step):
        left, right = (np.linalg.matrix_power(QUARTER, times * k % 4) for times in (out, into))
        terms.append(np.einsum("ij,jkyx,lk->ilyx", left, np.rot90(kernel, places * k, (-2, -1)), right))
    return np.asarray(np.mean(terms, axis=0))


MEANS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda K: K, "it returns K as it came: nothing has been averaged"),
    (lambda K: 4 * mean(K), "this is the sum over the four turns: four times too large to be the nearest"),
    (lambda K: mean(K, out=0, into=0), "this turns the places and leaves the components: both vectors turn along"),
    (lambda K: mean(K, places=0), "this turns the components and leaves the places: the pixels of K move too"),
    (lambda K: mean(K, into=0), "this turns the output's vector and not the input's, which K takes in"),
    (lambda K: mean(K, out=0), "this turns the input's vector and not the output's, which K gives out"),
    (lambda K: mean(K, step=2), "this is the mean over half turns only: a quarter turn still changes it"),
]


@check(
    likely=MEANS,
    wrong=[
        lambda K: 0 * K,
        lambda K: 0.5 * mean(K),
        lambda K: mean(K, into=-1),
        lambda K: mean(K) + 1,
        lambda K: mean(K).transpose(1, 0, 2, 3),
        lambda K: mean(np.abs(K)),
        lambda K: mean(K)[0, 0],
        lambda K: "the mean",
        "the mean",
    ],
)
def nearest(answer: Any) -> None:
    """A function that takes a kernel (2, 2, 5, 5) from vectors to vectors to the nearest one that C4 allows."""

    def made(K: NDArray[np.float64]) -> NDArray[np.float64]:
        return numbers(attempt(answer, K.copy()), K.shape, "an array of shape (2, 2, 5, 5)")

    for K in np.random.default_rng(0).normal(size=(3, 2, 2, 5, 5)):
        found = made(K)
        for wrong, reason in MEANS:
            require(not np.allclose(found, wrong(K)), reason)
        gap = np.abs(mean(found) - found).max()
        require(
            gap < 1e-9, f"what it returns is not steerable: turned by C4 and averaged, it changes by up to {gap:.2f}"
        )
        require(np.allclose(made(mean(K)), mean(K)), "it changes a kernel that is steerable already")
        require(np.allclose(found, mean(K)), "what it returns is steerable, but another steerable kernel is nearer")


# Exercise 2: irreps. Likely: the regular rep, no motion at all, frequency 3 of the other mirrors, signs in mirrors.
@check(
    likely=[
        ("0e+0o+3e+3o+2x1+2x2", "D6 itself has twelve"),
        ("6x0e", "nothing moves"),
        ("0e+3o+1+2", "through the edges"),
        ("0o+3o+1+2", "changes no sign"),
    ],
    wrong=["0e+1+2", "0e+2e+1", "0o+3e+1+2", "0e+3e+2x1", "0e+0o+1+2", "2x0e+1+2", "corners", "", 6],
)
def corners(answer: Any) -> None:
    """Irreps of D6 in the functions on a regular hexagon's corners, one of them on the x axis."""
    D6 = groups.Dihedral(6)
    require(isinstance(answer, str | groups.Rep), f'a string such as "0e+1" is wanted, not a {type(answer).__name__}')
    try:
        given = D6.rep(answer)
    except ValueError as error:
        require(False, str(error))
    times = {a.label: given.multiplicity(a) for a in D6.irreps()}
    require(given.dim != 12, "twelve dimensions: D6 itself has twelve elements, the hexagon six corners")
    require(given.dim == 6, f"a function on six corners is six numbers, this has dimension {given.dim}")
    require(times["0e"] < 6, "six scalars: as if nothing moves the corners, but D6 exchanges them")
    require(times["0o"] == 0, "0o changes its sign in mirrors: a function on corners is moved and changes no sign")
    swapped = (times["3e"], times["3o"]) == (0, 1)
    require(
        not swapped,
        "alternate signs on the corners are kept by the mirror y -> -y, not by the mirrors through the edges",
    )
    wanted = groups.induce(groups.Dihedral(1).rep("0e"), D6)[0]
    for a in D6.irreps():
        right = wanted.multiplicity(a)
        require(
            times[a.label] == right,
            f"{times[a.label]} x {a.label} is wrong: restrict {a.label} to the stabiliser of a corner",
        )


# Exercise 3: a number. What each wrong one counts.
COUNTS = {
    400: "400 are all entries: the group joins them in fours",
    25: "25 is the kernel that lifts a scalar: here the input, too, has a number for each element",
    112: "112 counts seven orbits of pixels, with 16 numbers each: where the pixel stays, at the centre, the entries still move",
    16: "16 is one entry for each pair of elements: there is a matrix of them at each pixel",
}


@check(likely=[(count, reason) for count, reason in COUNTS.items()], wrong=[26, 50, 4, 200, 100.5, [100, 100], "many"])
def free_numbers(answer: Any) -> None:
    """Free numbers of a 5 x 5 kernel from the regular rep of C4 to itself."""
    number = whole(answer)
    require(number not in COUNTS, COUNTS.get(number, ""))
    require(number == 100, f"not {number}: how many entries are there, and in which sets does the group move them?")
