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
