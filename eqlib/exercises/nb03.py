"""The exercises of notebook 03."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqlib.exercises.check import attempt, check, numbers, require

NAMES = ["1", "r", "r²", "r³", "f", "rf", "r²f", "r³f"]


def _product(g: int, h: int) -> int:
    """r^k f^s r^l f^t = r^(k + l) f^t or r^(k - l) f^(1 + t); element k + 4 s is r^k f^s."""
    k, s, l, t = g % 4, g // 4, h % 4, h // 4
    return (k + (-1) ** s * l) % 4 + 4 * ((s + t) % 2)


def _of_pairs(rule: Callable[[int, int], int]) -> NDArray[np.int64]:
    """The table of a rule (g, h) -> number."""
    return np.array([[rule(g, h) for h in range(8)] for g in range(8)])


TABLE = _of_pairs(_product)
BACK = (TABLE == 0).argmax(1)  # h -> h^-1


# Exercise 1: the table. Each wrong rule, and what it overlooks.


def _unmirrored(g: int, h: int) -> int:
    return (g + h) % 4 + 4 * ((g // 4 + h // 4) % 2)


def _second_mirrors(g: int, h: int) -> int:
    return (g % 4 + (-1) ** (h // 4) * (h % 4)) % 4 + 4 * ((g // 4 + h // 4) % 2)


RULES: list[tuple[Callable[[int, int], int], str]] = [
    (
        lambda g, h: (g + h) % 8,
        "this adds the numbers round a circle of eight: turns and mirrors must be counted apart",
    ),
    (_unmirrored, "this treats mirrors as if they left the turns alone: r f and f r are different elements"),
    (lambda g, h: _product(h, g), "this is the table of h g: in g h the element on the right is done first"),
    (_second_mirrors, "the wrong mirror turns the sense round: which turn has to pass which f on its way to the left?"),
]


@check(
    likely=[(rule, reason) for rule, reason in RULES],
    wrong=[
        lambda g, h: NAMES[_product(g, h)],
        lambda g, h: 0,
        lambda g, h: _product(g, h) + 8,
        lambda g, h: _product(g, h) + 0.5,
        lambda g, h: (g, h),
        lambda g, h: _product(g, h) if g < 4 else _product(g - 4, h) + 4 * (h < 4),
    ],
)
def product_rule(answer: Any) -> None:
    """(g, h) -> index of g h in D4's eight, element k + 4 s being r^k f^s."""
    found = np.zeros((8, 8))
    for g, h in product(range(8), repeat=2):
        found[g, h] = number = float(numbers(attempt(answer, g, h), (), "a whole number from 0 to 7"))
        require(
            number in range(8),
            f"it should return a whole number from 0 to 7, for g = {g}, h = {h} it returns {number:g}",
        )
    for rule, reason in RULES:
        require((found != _of_pairs(rule)).any(), reason)
    for g, h in np.argwhere(found != TABLE):
        names, right = f"{NAMES[g]} times {NAMES[h]}", TABLE[g, h]
        require(False, f"{names} is {NAMES[right]}, element {right}, and not element {found[g, h]:g}")


# Exercise 2: a layer. Where psi is read for the output h and the input g, wrongly, and what that means.


def _sums(f: Any, psi: Any, index: Any) -> Any:
    """The sums over g of f(g) psi(index(h, g)), for each h."""
    return np.array([sum(f[g] * psi[index(h, g)] for g in range(8)) for h in range(8)])


PLACES: list[tuple[Callable[[int, int], int], str]] = [
    (lambda h, g: TABLE[h, g], "psi is read at h g: h is not inverted, its inverse is missing"),
    (lambda h, g: TABLE[g, BACK[h]], "psi is read at g h^-1: h is inverted, but h^-1 stands on the wrong side of g"),
    (
        lambda h, g: TABLE[g, h],
        "psi is read at g h: h is neither inverted, nor in its place in the order of the product",
    ),
    (lambda h, g: g, "psi is read at g whatever h is, so all eight outputs are the same number"),
    (
        lambda h, g: TABLE[-h % 4 + 4 * (h // 4), g],
        "h^-1 is on the right side, but wrong for mirrors: look for the 1 in the rows of rf and r³f",
    ),
]


@check(
    likely=[
        *[((lambda f, psi, at=at: _sums(f, psi, at)), reason) for at, reason in PLACES],
        (lambda f, psi: 2 * np.array(f), "the weights psi are ignored"),
        (lambda f, psi: np.array(f) * psi, "multiplies f and psi entry by entry"),
    ],
    wrong=[
        lambda f, psi: _sums(f, psi, lambda h, g: BACK[TABLE[h, g]]),
        lambda f, psi: _sums(f, psi, lambda h, g: BACK[TABLE[g, h]]),
        lambda f, psi: _sums(f, psi, lambda h, g: TABLE[h, BACK[g]]),
        lambda f, psi: _sums(f, psi, lambda h, g: (g - h) % 8),
        lambda f, psi: np.array(f) * psi[0],
        lambda f, psi: np.array(f) * 0,
        lambda f, psi: np.array(f) * sum(psi),
        lambda f, psi: _sums(f, psi, lambda h, g: TABLE[BACK[h], g] // 4),
        lambda f, psi: _sums(np.abs(f), psi, lambda h, g: TABLE[BACK[h], g]),
        lambda f, psi: _sums(f, np.abs(psi), lambda h, g: TABLE[BACK[h], g]),
        lambda f, psi: _sums(f, psi, lambda h, g: TABLE[BACK[h], g]) + 1,
        lambda f, psi: sum(f),
        lambda f, psi: "eight",
    ],
)
def group_layer(answer: Any) -> None:
    """(f (8,), psi (8,)) -> (8,), an equivariant linear layer on functions on D4's eight elements, psi its weights."""

    def layer(f: Any, psi: Any) -> NDArray[np.float64]:
        return numbers(attempt(answer, f.copy(), psi.copy()), (8,), "an array of eight numbers")

    f, other, psi, further = np.random.default_rng(0).normal(size=(4, 8))
    y = layer(f, psi)
    require(not np.allclose(y, layer(f, further)), "the weights psi are ignored: others give the same output")
    require(np.allclose(layer(f + 2 * other, psi), y + 2 * layer(other, psi)), "it is not linear in f")
    require(np.allclose(layer(f, psi + 2 * further), y + 2 * layer(f, further)), "it is not linear in psi")
    # Linear in both, so this says all: M[k, h, g] is what weight k and f(g) add to y(h).
    M = np.array([[layer(one, weight) for one in np.eye(8)] for weight in np.eye(8)]).swapaxes(1, 2)
    k, h, g = np.indices((8, 8, 8))
    require(not np.allclose(M, (k == h) & (h == g)), "it multiplies f and psi entry by entry: y(h) hears only of f(h)")
    for at, reason in PLACES:
        where = np.array([[at(h, g) for g in range(8)] for h in range(8)])
        for places in (where, BACK[where]):  # the second: the same layer, with the weights in another order
            require(not np.allclose(M, k == places), reason)
    for u in range(1, 8):
        back = TABLE[BACK[u]]  # h -> u^-1 h
        require(
            np.allclose(M[:, back][:, :, back], M),
            f"moving f by {NAMES[u]} first or last gives different results: where psi is read may depend on h^-1 g only",
        )
    rank = np.linalg.matrix_rank(M.reshape(8, 64))
    require(
        rank == 8, f"it is equivariant, but its eight weights are worth only {rank}: one should count for each h^-1 g"
    )


# Exercise 3: an invariant.


def _open_chain(v: Any) -> Any:
    return sum(x * y for x, y in zip(v, v[1:], strict=False))


@check(
    likely=[
        (lambda v: max(v), "sees no order"),
        (_open_chain, "the chain is open"),
        (lambda v: v[0] * v[1], "does not look at orientation 2"),
    ],
    wrong=[
        lambda v: sum(v),
        lambda v: 0.0,
        lambda v: v[0],
        lambda v: np.argmax(v),
        lambda v: np.prod(v),
        lambda v: sum(v**2),
        lambda v: v @ np.arange(4),
        lambda v: sorted(v),
        lambda v: "order",
        lambda v: v,
    ],
)
def cyclic_invariant(answer: Any) -> None:
    """A function of four orientations (4,) that a cyclic shift leaves alone and an exchange of two neighbours does not."""

    def value(v: Any) -> float:
        return float(numbers(attempt(answer, v.copy()), (), "one number"))

    rng = np.random.default_rng(0)
    tries = rng.normal(size=(5, 4))
    found = [value(v) for v in tries]
    shifted = [[value(np.roll(v, k)) for k in (1, 2, 3)] for v in tries]
    if not np.allclose(shifted, np.array(found)[:, None]):
        chain = [_open_chain(v) for v in tries]
        require(
            not np.allclose(found, chain),
            "the chain is open: on the circle the last orientation and the first are neighbours",
        )
        for n in range(4):
            changed = tries.copy()
            changed[:, n] += rng.normal(size=5)
            seen = not np.allclose([value(v) for v in changed], found)
            require(seen, f"it does not look at orientation {n}: a shift puts another value there")
        v, k = tries[0], 1 + int(np.argmax(np.abs(np.array(shifted[0]) - found[0])))
        require(False, f"a shift by {k} changes it from {found[0]:.3f} to {value(np.roll(v, k)):.3f}")
    exchanged = [value(v[[1, 0, 2, 3]]) for v in tries]
    require(
        not np.isclose(exchanged, found).any(),
        "exchanging the first two orientations does not change it: like the maximum, it sees no order",
    )
