"""The exercises of notebook 06."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, numbers, require


def _wholes(value: Any, wanted: str) -> list[int]:
    """A flat list of whole numbers, sorted from the largest, or a message."""
    found = numbers(list(value) if isinstance(value, (set, range, tuple)) else value, None, wanted)
    require(found.ndim == 1, f"wanted: {wanted}; this has shape {found.shape}")
    require((found == np.round(found)).all(), f"wanted: {wanted}; {found[found != np.round(found)]} are not whole")
    return sorted((int(n) for n in found), reverse=True)


@check(
    likely=[
        (lambda n: list(range(n + 1)), "odd and even"),
        (lambda n: [n], "only what is new"),
        (lambda n: [n, n - 2] if n > 1 else [n], "r² may come out more than once"),
    ],
    wrong=[
        lambda n: [],
        lambda n: list(range(n, -1, -2)) * 2,
        lambda n: (n + 1) * (n + 2) // 2,
        lambda n: [0.5],
        lambda n: ["n"],
        lambda n: [4, 2, 0],
        lambda n: list(range(n % 2, n, 2)),
    ],
)
def degrees_in(answer: Any) -> None:
    """n -> the degrees l whose harmonics make up the homogeneous polynomials of degree n on the sphere."""
    for n in (5, 4, 2, 1, 0, 9):
        found = _wholes(attempt(answer, n), "a list of degrees")
        if found == list(range(n, -1, -1)) and n > 1:
            require(False, "odd and even degrees together: at -x every monomial of degree n has the same sign")
        require(found != [n] or n < 2, f"n = {n}: [{n}] is only what is new in degree n; what comes back times r²?")
        require(n < 4 or found != [n, n - 2], "that is one step of two: r² may come out more than once")
        dims, all_of_them = sum(2 * l + 1 for l in found), (n + 1) * (n + 2) // 2
        require(dims == all_of_them, f"n = {n}: {found} have {dims} dimensions, there are {all_of_them} monomials")
        require(found == list(range(n, -1, -2)), f"n = {n}: not {found}, though the dimensions add up")


TYPES = ["0e", "1o", "1e", "2o"]


@check(
    likely=[
        (["0e", "1o", "1o", "2e"], "parities of the harmonics"),
        (["0e", "1e", "1e", "2o"], "three minus signs: odd"),
        (["0e", "1o", "1o", "2o"], "a pseudoscalar changes sign, too"),
        (["0", "1", "1", "2"], "the parity letter is missing"),
    ],
    wrong=[
        ["0o", "1o", "1e", "2o"],
        ["0e", "1o", "1e", "2e"],
        ["0e", "1o", "1e"],
        [0, 1, 1, 2],
        "0e",
        3,
        ["1e", "1o", "1e", "2o"],
        ["0e", "1o", "1e", "1o"],
    ],
)
def types(answer: Any) -> None:
    """Labels of |a x b|^2, (a x b) x c, (a . (b x c)) a and the symmetric traceless part of a (a x b)^T."""
    wanted = "a list of four labels such as '1o'"
    answer = list(answer) if isinstance(answer, np.ndarray) else answer
    require(isinstance(answer, (list, tuple)) and len(answer) == 4, f"wanted: {wanted}; this is {answer!r}")
    found = [str(label).removeprefix("1x") for label in answer]
    require(not all(label.isdigit() for label in found), "the parity letter is missing: e or o behind each degree")
    require(all(len(label) == 2 and label[1] in "eo" for label in found), f"wanted: {wanted}; this is {answer!r}")
    require(
        found != ["0e", "1o", "1o", "2e"], "these are the parities of the harmonics: count the vectors in each product"
    )
    require(found[1] != "1e", "(a x b) x c has three vectors, so three minus signs: odd")
    require(found != ["0e", "1o", "1o", "2o"], "(a . (b x c)) a: a pseudoscalar changes sign, too, and so does a")
    names = ["|a x b|^2", "(a x b) x c", "(a . (b x c)) a", "the part of a (a x b)^T"]
    for name, one, right in zip(names, found, TYPES, strict=True):
        require(one[0] == right[0], f"{name} has {2 * int(right[0]) + 1} components, {one} has not")
        require(one == right, f"{name} is not {one}: put -a, -b, -c for a, b, c")


@check(
    likely=[
        ([1, 1, 1, 1], "each of them once"),
        ([0, 1, 0, 1], "only the symmetric"),
        ([1, 2, 1, 1], "the path through 0"),
    ],
    wrong=[[0, 3, 0, 1], [1, 3, 2], [1, 3, 2, 1, 0, 1], 27, [6, 7, 0, 0], [0, 0, 4, 1], "1 3 2 1", [1.5, 3, 2, 1]],
)
def third_rank(answer: Any) -> None:
    """How often 0, 1, 2 and 3 are in 1 x 1 x 1."""
    wanted = "four whole numbers, how often 0, 1, 2, 3 occur"
    if isinstance(answer, dict):
        answer = [Counter({int(str(key)[0]): int(n) for key, n in answer.items()})[l] for l in range(4)]
    found = numbers(answer, (4,), wanted)
    require((found == np.round(found)).all() and (found >= 0).all(), f"wanted: {wanted}; this is {found}")
    counts = [int(n) for n in found]
    require(counts != [1, 1, 1, 1], "each of them once: but several of the paths 1 x 1 -> l, l x 1 end in the same one")
    require(
        counts != [0, 1, 0, 1], "these are only the symmetric ones, products of three equal vectors: take any three"
    )
    require(
        counts != [1, 2, 1, 1], "the path through 0 gives a 1, that through 1 gives 0, 1 and 2: add all three paths"
    )
    dims = sum(n * (2 * l + 1) for l, n in enumerate(counts))
    require(dims == 27, f"these have {dims} dimensions, three vectors have 27 dimensions")
    require(counts == [1, 3, 2, 1], f"not {counts}, though the dimensions are 27 dimensions: follow each path")
