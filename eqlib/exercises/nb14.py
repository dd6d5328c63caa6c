"""The exercises of notebook 14."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqlib import groups
from eqlib.exercises.check import attempt, check, numbers, require, whole
from eqlib.groups.element import Array


def products() -> Array:
    """(2, 8, 8, 8) the two products of octets of SU(3) that are an octet: d, symmetric, and f, antisymmetric."""
    return groups.SU(3).clebsch_gordan("(1,1)", "(1,1)", "(1,1)").dense()


@check(
    likely=[
        (lambda x: np.einsum("ijk,i,j,k", products()[1], x, x, x), "is antisymmetric"),
        (lambda x: np.einsum("ijk,i,j", products()[0], x, x), "eight numbers"),
        (lambda x: float(x @ x) ** 1.5, "power of the length"),
    ],
    wrong=[
        lambda x: float(x @ x),
        lambda x: 0.0,
        lambda x: np.nan,
        lambda x: float((x**3).sum()),
        lambda x: x[:3],
        lambda x: np.sign(np.einsum("ijk,i,j,k", products()[0], x, x, x)) * float(x @ x) ** 1.5,
        lambda x: np.einsum("ijk,i,j,k", products()[0], x, x, x) ** 3,
        lambda x: np.einsum("ijk,i,j,k", products()[0] + products()[0][[1, 0, 2, 3, 4, 5, 6, 7]], x, x, x),
        "d",
    ],
)
def cubic_invariant(answer: Any) -> None:
    """A function of an octet (8,) of SU(3) that the group does not change, a polynomial of degree three, not zero."""
    group = groups.SU(3)

    def value(x: Array) -> float:
        result = numbers(attempt(answer, x.copy()))
        require(
            result.shape != (8,), "it returns eight numbers, an octet: an invariant is one number, so go on from there"
        )
        require(result.shape == (), f"it should return one number, it returns an array of shape {result.shape}")
        return float(result)

    ratios = []
    for seed, turn in enumerate(group.irrep("(1,1)")(group.sample(4, seed=1))):
        x = np.random.default_rng(seed).normal(size=8)
        first = value(x)
        require(np.isfinite(first), f"it should return a number, it returns {first}")
        require(
            abs(first) > 1e-9, "it is zero, as anything made with f(x, x) is: f is antisymmetric, and x meets itself"
        )
        factor = value(2 * x) / first
        require(np.isclose(factor, 8), f"2x should give 8 times F(x), it gives {factor:.3f} times")
        opposite = value(-x)
        require(np.isclose(opposite, -first), "-x should give -F(x): a power of the length does not")
        moved = value(turn @ x)
        require(np.isclose(moved, first), f"an element of SU(3) changes it from {first:.3f} to {moved:.3f}")
        ratios.append(first / np.einsum("ijk,i,j,k", products()[0], x, x, x))
    require(
        np.allclose(ratios, ratios[0]), "the group does not change it, but it is no polynomial of degree three in x"
    )


@check(
    likely=[(2, "is the constant"), (4, "is the cube's degree"), (6, "is the icosahedron's degree")],
    wrong=[0, 1, 5, -3, 3.5, True, np.nan, [3], "three"],
)
def tetrahedral_degree(answer: Any) -> None:
    """The lowest degree l >= 1 at which the rotations of a tetrahedron leave a spherical harmonic alone."""
    degree = whole(answer)
    require(degree != 2, "not 2: of the quadrics they leave x^2 + y^2 + z^2 alone, which on the sphere is the constant")
    require(degree != 4, "4 is the cube's degree: a tetrahedron has fewer symmetries, so it leaves more alone")
    require(degree != 6, "6 is the icosahedron's degree: a tetrahedron has fewer symmetries, so it leaves more alone")
    require(degree == 3, f"not {degree}: count the trivial irrep in each degree, from 1 upwards")


def planes(sign: float, pairs: list[tuple[int, int]]) -> Array:
    """(n, 4, 4) for each pair of axes 1 at (i, j) and `sign` at (j, i)."""
    one = np.eye(4)
    return np.stack([np.outer(one[i], one[j]) + sign * np.outer(one[j], one[i]) for i, j in pairs])


PAIRS = [(i, j) for i in range(4) for j in range(i)]
QUARTER_TURNS = np.stack([x + np.eye(4) - x.T @ x for x in planes(-1.0, PAIRS)])


@check(
    likely=[
        (planes(1.0, PAIRS), "one of the two numbers of a plane needs a minus"),
        (QUARTER_TURNS, "elements of the group"),
        (planes(-1.0, [*PAIRS, *((j, i) for i, j in PAIRS)]), "the same plane in the other order"),
    ],
    wrong=[
        np.zeros((6, 4, 4)),
        np.full((6, 4, 4), np.nan),
        np.eye(4)[None],
        np.zeros((3, 3, 3)),
        planes(-1.0, PAIRS)[0],
        planes(-1.0, PAIRS[:3]),
        planes(-1.0, PAIRS[:5]),
        planes(-1.0, [*PAIRS, (1, 0)]),
        planes(0.0, PAIRS),
        1j * planes(1.0, PAIRS),
        [],
        [np.eye(4), np.eye(3)],
        "six",
    ],
)
def rotations_of_four(answer: Any) -> None:
    """Generators (6, 4, 4) of SO(4)."""
    if isinstance(answer, list | tuple):  # of arrays or of tensors, too
        rows = [numbers(m) for m in answer]
        found = next((m.shape for m in rows if m.shape != (4, 4)), None)
        require(found is None, f"matrices of shape (4, 4) are wanted, here is one of shape {found}")
        answer = np.reshape(rows, (-1, 4, 4))
    x = numbers(answer)
    require(
        x.ndim == 3 and x.shape[1:] == (4, 4) and len(x),
        f"an array of shape (n, 4, 4) is wanted, this has shape {x.shape}",
    )
    turns = np.abs(x @ x.swapaxes(1, 2) - np.eye(4)).max() < 1e-9
    symmetric, even = (np.abs(x + s * x.swapaxes(1, 2)).max() for s in (1, -1))
    generators = symmetric < 1e-9
    require(generators or not turns, "these are elements of the group: a generator is the derivative at the angle zero")
    require(
        generators or even > 1e-9, "these are symmetric, and stretch: one of the two numbers of a plane needs a minus"
    )
    require(generators, "a rotation's generator is antisymmetric: not all of these are")
    rank = np.linalg.matrix_rank(x.reshape(len(x), 16))
    again = f"these {len(x)} matrices span {rank} dimensions: the same plane in the other order is nothing new"
    require(not 0 < rank < len(x), again)
    require(len(x) == rank == 6, f"these are {rank} independent generators: there is one for each plane of two axes")
