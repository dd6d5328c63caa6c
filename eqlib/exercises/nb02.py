"""The exercises of notebook 02."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from eqlib.exercises.check import check, numbers, require, whole
from eqlib.groups import SO2, Irrep, Rep
from eqlib.groups.planar import turn


@check(
    likely=[
        ("1", "as fast as the input"),
        ("2x0", "not turn at all"),
        ("0", "f has two components"),
        ("3", "by 3 quarter"),
        ("4", "by 4 quarter"),
    ],
    wrong=["5", "6", "1+1", "1+2", "-2", "1/2", "", 2, 2.0, ["2"], "z^2"],
)
def output_rep(answer: Any) -> None:
    """The rep string of SO(2) that f(x, y) = (x^2 - y^2, 2 x y) turns by."""
    group = SO2()
    kind = type(answer).__name__
    article = "an" if kind[0] in "aeiou" else "a"
    require(isinstance(answer, str | Rep | Irrep), f'a string such as "1" is wanted, not {article} {kind}')
    try:
        rep = group.rep(answer)
    except ValueError as error:
        require(False, str(error))
    require(rep.dim == 2, f"f has two components, and {rep or 'an empty string'} has {rep.dim}")
    require(
        any(a.label != "0" for _, a in rep.blocks),
        f"by {rep} the output would not turn at all: compare f(1, 0) with f(0, 1), a quarter turn further",
    )
    require(
        rep.multiplicity("1") == 0,
        f"by {rep} the output would turn as fast as the input: f(1, 0) is (1, 0); where is f(0, 1), a quarter turn further?",
    )
    for m in ("3", "4"):
        by = f"by {m} quarter turns: f(1, 0) is (1, 0); where is f(0, 1)?"
        require(rep.multiplicity(m) == 0, f"by {rep} a quarter turn of the input would turn the output {by}")
    g, v = group.sample(6, seed=0), np.random.default_rng(0).normal(size=(6, 2))
    first, last = _square(np.einsum("nij,nj->ni", group.vector(g), v)), np.einsum("nij,nj->ni", rep(g), _square(v))
    require(np.allclose(first, last), f"turning first and turning last differ where the output turns by {rep}")


@check(
    likely=[
        (np.zeros((2, 2)), "the zero matrix"),
        (np.eye(2), "leaves every vector as it is"),
        ([[0, -1], [1, 0]], "turns commute with turns"),
        ([[1, 0], [0, -1]], "upper left entry"),
        ([[1, 0], [0, 0]], "sends some vectors to zero"),
    ],
    wrong=[
        np.array([[0, 1], [1, 0]]) + 1j * np.eye(2),
        [["0", "1"], ["1", "0"]],
        [[0, 1], [1, 1e-3]],
        [[0, 2], [1, 0]],
        [[3, 4], [4, -3]],
        [[1, 0], [0, 1.1]],
        1e-9 * turn(1.0),
        -3 * np.eye(2),
        turn(2 * np.pi / 3),
        [[0, 0], [1, 0]],
        [[1, 1], [1, -1.001]],
        [[np.nan, 0], [0, 1]],
        [1, 0, 0, -1],
        np.ones(3),
        -1,
        "M",
    ],
)
def aliased(answer: Any) -> None:
    """A matrix that is not zero, though its upper left entry is, from frequency 1 to frequency 2 of C3."""
    if hasattr(answer, "tolist") and not hasattr(answer, "dtype"):  # a matrix of sympy
        with contextlib.suppress(TypeError):  # entries that are no real numbers: refused below
            answer = np.array(answer.tolist(), float)
    matrix = numbers(answer, (2, 2), "a matrix of two rows and two columns of real numbers")
    size = np.abs(matrix).max()
    require(size > 0, "the zero matrix commutes with everything: find another")
    matrix = matrix / size
    first, second = turn(2 * np.pi / 3), turn(4 * np.pi / 3)
    require(
        not np.allclose(matrix, matrix[0, 0] * np.eye(2)),
        "this leaves every vector as it is, up to a factor: then D_2 M = M D_1 would say that D_2 is D_1",
    )
    require(
        not np.allclose(matrix @ first, first @ matrix),
        "this is a turn, up to a factor, and turns commute with turns: M D_1 is D_1 M, and it should be D_2 M",
    )
    require(
        abs(np.linalg.det(matrix)) > 1e-9,
        "this sends some vectors to zero; then also their turned copies, and these fill the plane: M would be zero",
    )
    require(
        np.allclose(second @ matrix, matrix @ first),
        "for the turn by a third, M after D_1 and D_2 after M differ: compare the two products entry by entry",
    )
    require(
        abs(matrix[0, 0]) < 1e-6,
        "this M does satisfy the equation, but its upper left entry is not 0: there is another that has 0 there",
    )


@check(
    likely=[
        (5, "one number for each pair"),
        (6, "counts the copies"),
        (18, "joins different frequencies"),
        (20, "all four entries"),
        (8, "leaves out the frequency 2"),
        (9, "3 copies with 3 copies"),
    ],
    wrong=[36, 16, 4, 12, 2, 13, -10, 10.5, True, np.nan, [10], "ten"],
)
def commuting(answer: Any) -> None:
    """Free numbers of a linear map of SO(2) from "2x1+1x2" to "2x1+1x2"."""
    number = whole(answer)
    require(number != 5, "5 is one number for each pair of copies: what is endo for an irrep of complex type?")
    require(
        number != 6,
        "6 counts the copies, two numbers each: each copy on the left may be joined to each like it on the right",
    )
    require(number != 18, "18 joins different frequencies too: Schur's lemma leaves nothing between them")
    require(number != 20, "20 leaves all four entries of a block free: commuting with the turns leaves fewer")
    require(
        number != 8, "8 leaves out the frequency 2: its copy may be joined to the copy of frequency 2 on the other side"
    )
    require(
        number != 9,
        "9 joins 3 copies with 3 copies: between different frequencies nothing is left, and endo says what one pair gives",
    )
    require(number != 36, "36 is every entry of the matrix: most are zero")
    require(number == 10, f"not {number}: count pairs of copies of one irrep, then multiply by endo")


def _square(v: Any) -> Any:
    """(x^2 - y^2, 2 x y) of vectors (n, 2)."""
    return np.stack([v[:, 0] ** 2 - v[:, 1] ** 2, 2 * v[:, 0] * v[:, 1]], axis=1)
