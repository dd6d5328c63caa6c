"""The exercises of notebook 02."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqlib.exercises.check import check, require


@check(wrong=[16, 4, 5, 12, "ten"])
def commuting(answer: Any) -> None:
    """Free numbers of a linear map of SO(2) from "2x1+1x2" to "2x1+1x2"."""
    require(isinstance(answer, int | np.integer), f"a whole number is wanted, not a {type(answer).__name__}")
    require(answer != 5, "5 gives each pair of copies one number: irreps of complex type have two")
    require(answer == 10, f"not {answer}: count pairs of copies of one irrep, then multiply by endo")


@check(wrong=["1", "0", "3", "2x0", "1+2", "-2", 2])
def output_rep(answer: Any) -> None:
    """The rep string of SO(2) that f(x, y) = (x^2 - y^2, 2 x y) turns by."""
    from eqlib import groups

    require(isinstance(answer, str), f'a string such as "1" is wanted, not a {type(answer).__name__}')
    group = groups.SO2()
    try:
        rep = group.rep(answer)
    except ValueError as error:
        require(False, str(error))
    require(rep.dim == 2, f"f has two components, {rep} has {rep.dim}")
    g, v = group.sample(6, seed=0), np.random.default_rng(0).normal(size=(6, 2))
    first, last = _square(np.einsum("nij,nj->ni", group.vector(g), v)), np.einsum("nij,nj->ni", rep(g), _square(v))
    require(np.allclose(first, last), f"turning first and turning last differ where the output turns by {rep}")


@check(wrong=[np.zeros((2, 2)), np.eye(2), [[0, -1], [1, 0]], [[1, 0], [0, 1.1]], np.ones(3), "M"])
def aliased(answer: Any) -> None:
    """A matrix that is not zero from frequency 1 to frequency 2 of C3."""
    try:
        matrix = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    require(matrix.shape == (2, 2), f"a matrix of two rows and two columns is wanted, this has shape {matrix.shape}")
    require(np.linalg.norm(matrix) > 1e-9, "the zero matrix commutes with everything: find another")
    first, second = _turn(2 * np.pi / 3), _turn(4 * np.pi / 3)
    require(
        np.allclose(second @ matrix, matrix @ first),
        "for the turn by a third, M after D_1 and D_2 after M differ: compare the two products entry by entry",
    )


def _square(v: Any) -> Any:
    """(x^2 - y^2, 2 x y) of vectors (n, 2)."""
    return np.stack([v[:, 0] ** 2 - v[:, 1] ** 2, 2 * v[:, 0] * v[:, 1]], axis=1)


def _turn(angle: float) -> Any:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])
