"""The exercises of notebook 03."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, require

NAMES = ["1", "r", "r²", "r³", "f", "rf", "r²f", "r³f"]


def _product(g: int, h: int) -> int:
    """r^k f^s r^l f^t = r^(k + l) f^t or r^(k - l) f^(1 + t); element k + 4 s is r^k f^s."""
    k, s, l, t = g % 4, g // 4, h % 4, h // 4
    return (k + (-1) ** s * l) % 4 + 4 * ((s + t) % 2)


TABLE = np.array([[_product(g, h) for h in range(8)] for g in range(8)])


@check(
    wrong=[
        lambda g, h: (g + h) % 8,
        lambda g, h: (g % 4 + h % 4) % 4 + 4 * ((g // 4 + h // 4) % 2),
        lambda g, h: _product(h, g),
        lambda g, h: NAMES[_product(g, h)],
        lambda g, h: 0,
    ]
)
def product_rule(answer: Any) -> None:
    """(g, h) -> index of g h in p4m's eight, element k + 4 s being r^k f^s."""
    for g, h in product(range(8), repeat=2):
        found = attempt(answer, g, h)
        require(
            isinstance(found, int | np.integer) and 0 <= found < 8,
            f"a whole number from 0 to 7 is wanted, for g = {g}, h = {h} it returns {found!r}",
        )
        names = f"{NAMES[g]} times {NAMES[h]}"
        require(found == TABLE[g, h], f"{names} is {NAMES[TABLE[g, h]]}, element {TABLE[g, h]}, and not {found}")


def _sums(f: Any, psi: Any, index: Any) -> Any:
    return np.array([sum(f[g] * psi[index(h, g)] for g in range(8)) for h in range(8)])


@check(
    wrong=[
        lambda f, psi: _sums(f, psi, lambda h, g: TABLE[h, g]),
        lambda f, psi: _sums(f, psi, lambda h, g: TABLE[g, (TABLE[h] == 0).argmax()]),
        lambda f, psi: _sums(f, psi, lambda h, g: g),
        lambda f, psi: np.array(f) * psi[0],
        lambda f, psi: np.array(f) * 0,
        lambda f, psi: sum(f),
    ]
)
def group_layer(answer: Any) -> None:
    """(f (8,), psi (8,)) -> (8,), an equivariant linear layer on functions on p4m's eight elements, psi its weights."""
    rng = np.random.default_rng(0)
    f, psi = rng.normal(size=(2, 8))
    y = _eight(attempt(answer, f, psi))
    for u in range(1, 8):
        back = TABLE[(TABLE[u] == 0).argmax()]  # h -> u^-1 h
        moved = _eight(attempt(answer, f[back], psi))
        require(
            np.allclose(moved, y[back]),
            f"moving f by {NAMES[u]} first or last gives different results: where have you put h^-1, and on which side?",
        )
    other = rng.normal(size=8)
    doubled = _eight(attempt(answer, f + 2 * other, psi))
    require(np.allclose(doubled, y + 2 * _eight(attempt(answer, other, psi))), "it is equivariant, but not linear in f")
    columns = np.array([_eight(attempt(answer, f, unit)) for unit in np.eye(8)])
    rank = np.linalg.matrix_rank(columns)
    require(rank == 8, f"it is equivariant, but of the eight weights only {rank} make a difference")


def _eight(value: Any) -> Any:
    found = np.asarray(value, dtype=np.float64)
    require(found.shape == (8,), f"it should return eight numbers, it returns an array of shape {found.shape}")
    return found


@check(
    wrong=[
        lambda v: max(v),
        lambda v: sum(v),
        lambda v: v[0] * v[1],
        lambda v: 0.0,
        lambda v: sum(x * y for x, y in zip(v, v[1:], strict=False)),
        lambda v: v,
    ]
)
def cyclic_invariant(answer: Any) -> None:
    """A function of four orientations (4,) that a cyclic shift leaves alone and an exchange of two neighbours does not."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        v = rng.normal(size=4)
        value = _number(attempt(answer, v))
        for k in (1, 2, 3):
            shifted = _number(attempt(answer, np.roll(v, k)))
            require(np.isclose(shifted, value), f"a shift by {k} changes it from {value:.3f} to {shifted:.3f}")
        exchanged = _number(attempt(answer, v[[1, 0, 2, 3]]))
        require(
            not np.isclose(exchanged, value),
            "exchanging the first two orientations does not change it: like the maximum, it sees no order",
        )


def _number(value: Any) -> float:
    found = np.asarray(value, dtype=np.float64)
    require(found.shape == (), f"it should return one number, it returns an array of shape {found.shape}")
    return float(found)


@check(
    wrong=[
        lambda n, k, s, p: n % 2 == 1,
        lambda n, k, s, p: (n - k) % s == 0,
        lambda n, k, s, p: (n + 2 * p) % s == 0,
        lambda n, k, s, p: s == 1,
        lambda n, k, s, p: True,
    ]
)
def stride_commutes(answer: Any) -> None:
    """(n, k, s, p) -> whether a convolution of n x n pixels, filter k, stride s, padding p commutes with quarter turns."""
    for n, k, s, p in [
        (9, 3, 2, 1),
        (8, 3, 2, 1),
        (8, 2, 2, 0),
        (9, 3, 1, 1),
        (10, 5, 3, 2),
        (9, 5, 3, 2),
        (12, 3, 3, 0),
    ]:
        first = (k - 1) / 2 - p  # where the first filter's centre lies, and the last one's
        last = first + s * ((n + 2 * p - k) // s)
        exact = bool(np.isclose(first + last, n - 1))
        found = attempt(answer, n, k, s, p)
        require(isinstance(found, bool | np.bool_), f"True or False is wanted, not {found!r}")
        require(
            found == exact,
            f"n = {n}, k = {k}, s = {s}, p = {p}: the filter's centres run from {first:g} to {last:g} on pixels "
            f"0 to {n - 1}, so this should be {exact}",
        )
