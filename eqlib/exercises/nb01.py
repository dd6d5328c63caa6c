"""The exercises of notebook 01."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, numbers, require, whole
from eqlib.groups.element import Array


@check(
    likely=[(8, "without the mirror"), (4, "halves the eight differences"), (36, "counts unordered pairs")],
    wrong=[64, 16, 3, 0, -5, 5.5, True, np.nan, [5], "five"],
)
def mirrored_ring(answer: Any) -> None:
    """Free numbers of a linear map of a ring of eight pixels that commutes with all shifts and with the mirror."""
    free = whole(answer)
    require(free != 8, "8 is the number without the mirror: which differences does it exchange?")
    require(free != 4, "4 halves the eight differences: but two of them are their own mirror images")
    require(
        free != 36, "36 counts unordered pairs of pixels, so symmetric matrices: the shifts join many of these pairs"
    )
    require(free == 5, f"not {free}: count orbits of pairs of pixels under shifts and the mirror")


def by_first(x: Array) -> Array:
    """The half whose first pixel is the larger one."""
    return max(x[::2], x[1::2], key=lambda half: float(half[0]))


@check(
    likely=[
        (lambda x: x[::2], "a fixed choice"),
        (lambda x: np.maximum(x[::2], x[1::2]), "one number of each pair"),
        (by_first, "depends on where the ring begins"),
    ],
    wrong=[
        lambda x: x,
        lambda x: x[1::2],
        lambda x: np.full(len(x) // 2, np.max(x)),
        lambda x: (x[::2] + x[1::2]) / 2,
        lambda x: np.sort(x)[::2],
        lambda x: x[: len(x) // 2],
        lambda x: x[::2] if x[::2].sum() > 0 else x[1::2],
        lambda x: np.zeros(len(x) // 2),
        lambda x: np.full(len(x) // 2, np.nan),
        lambda x: max(x[::2], x[1::2], key=np.linalg.norm)[::-1],
        lambda x: x[np.argmax(x) % 2 :: 2] if len(x) < 12 else x[::2],
        lambda x: "half",
        "half",
    ],
)
def pool_ring(answer: Any) -> None:
    """A function from a ring of pixels (2 n,) to half of them (n,), equivariant under every shift."""
    rng = np.random.default_rng(0)
    rings = [rng.normal(size=size) for size in (6, 8, 10, 12, 22)]

    def half_of(x: Array) -> Array:
        half = numbers(attempt(answer, x.copy()))
        require(
            half.shape == (len(x) // 2,), f"{len(x)} pixels should become {len(x) // 2}, they become shape {half.shape}"
        )
        require(np.isfinite(half).all(), "it returns numbers that are not finite")
        return half

    both = [ring for x in rings for ring in (x, np.roll(x, 1))]
    fixed = any(all(np.array_equal(half_of(x), x[start::2]) for x in both) for start in (0, 1))
    require(not fixed, "a fixed choice of every second pixel: a shift by one brings the other half")
    for x in rings:
        even, odd = x[::2], x[1::2]
        halves = [half_of(np.roll(x, steps)) for steps in range(len(x))]
        kept = all(rolled(even, half) or rolled(odd, half) for half in halves)
        equivariant = all(rolled(halves[0], half) for half in halves)
        require(
            equivariant or not kept,
            "it keeps a half, but which one depends on where the ring begins: choose by all pixels of a half",
        )
        pairwise = (halves[0] >= np.minimum(even, odd) - 1e-12) & (halves[0] <= np.maximum(even, odd) + 1e-12)
        require(
            equivariant or not pairwise.all(),
            "it makes one number of each pair of neighbours, and a shift by one pairs the pixels otherwise",
        )
        require(equivariant, "after some shifts the output is not the old one shifted")
        require(kept, "it does not keep every second pixel as it stands, in order")


def rolled(a: Array, b: Array) -> bool:
    """Whether b is a, shifted round."""
    return any(np.allclose(np.roll(a, steps), b, atol=1e-12) for steps in range(len(a)))


def graph(*edges: str) -> Array:
    """(6, 6) adjacency of the graph with these edges, such as "02" from node 0 to node 2."""
    a = np.zeros((6, 6))
    for edge in edges:
        i, j = int(edge[0]), int(edge[1])
        a[i, j] = a[j, i] = 1
    return a


HEXAGON, TRIANGLES = graph("01", "12", "23", "34", "45", "50"), graph("01", "12", "20", "34", "45", "53")
TAILED = graph("01", "12", "20", "23", "34", "45"), graph("01", "12", "20", "03", "14")  # nodes that are not all alike
PATH, STAR = graph("01", "12", "23", "34", "45"), graph("01", "02", "03", "04", "05")  # five edges, as in the next
PENTAGON = graph("01", "12", "23", "34", "40")  # and a node alone
PRISM = TRIANGLES + graph("03", "14", "25")  # three neighbours everywhere, as in the next
BIPARTITE = graph("03", "04", "05", "13", "14", "15", "23", "24", "25")


def degrees_only(a: Array) -> Any:
    """A function of the numbers of neighbours."""
    return np.sort(a.sum(0)) @ np.arange(len(a)) ** 2


@check(
    likely=[
        (lambda a: np.linalg.matrix_power(a, 3)[0, 0], "looks at node 0"),
        (np.sum, "counts the edges"),
        (degrees_only, "counts neighbours"),
    ],
    wrong=[
        lambda a: a[0, 2],
        lambda a: np.linalg.matrix_power(a, 3)[-1, -1],
        lambda a: np.linalg.matrix_power(a, 3)[:2, :2].trace(),
        lambda a: a[0] @ a @ a[0] / 2,
        lambda a: np.linalg.det(a[:3, :3]),
        lambda a: np.trace(a @ a),
        lambda a: np.sum(a @ a @ a),
        lambda a: np.sum(a) / 2,
        lambda a: (a**2).sum(),
        lambda a: np.linalg.norm(a),
        lambda a: np.sort(a.sum(0)).std(),
        lambda a: a.sum(0).min(),
        lambda a: np.trace(np.linalg.matrix_power(a, 4)),
        lambda a: a,
        lambda a: 1.0,
        lambda a: np.nan,
        lambda a: "two triangles",
        "trace",
    ],
)
def tells_apart(answer: Any) -> None:
    """A function of an adjacency matrix, without regard to order, that differs on a hexagon and on two triangles."""

    def value(a: Array) -> float:
        found = numbers(attempt(answer, a.copy()))
        require(found.shape == (), f"it should return one number, it returns an array of shape {found.shape}")
        require(np.isfinite(found), f"it should return a finite number, it returns {found}")
        return float(found)

    rng = np.random.default_rng(0)
    # The nodes of a hexagon are all alike, and so are those of two triangles; those of other graphs show a regard for order.
    for a in (*TAILED, HEXAGON, TRIANGLES):
        orders = np.array([rng.permutation(6) for _ in range(60)])
        found = np.array([value(a[p][:, p]) for p in orders])
        if not np.allclose(found, found[0], atol=1e-9):
            for place, nodes in enumerate(orders.T):
                alone = all(np.allclose(found[nodes == n], found[nodes == n][0], atol=1e-9) for n in range(6))
                require(
                    not alone,
                    f"it looks at node {place} alone, and which node that is is a matter of order: ask them all",
                )
            low, high = found.min(), found.max()
            require(False, f"the nodes of one graph, put into other orders, give from {low:.3f} to {high:.3f}")

    def same(a: Array, b: Array) -> bool:
        return bool(np.isclose(value(a), value(b), atol=1e-9))

    if same(HEXAGON, TRIANGLES):
        both = f"{value(HEXAGON):.3f} for both graphs"
        edges = same(PATH, STAR) and same(PATH, PENTAGON)
        require(not edges or not same(PATH, PRISM), f"{both}, as for others: it gives one number for all")
        require(not edges, f"{both}: it counts the edges, and both have six")
        require(not same(PRISM, BIPARTITE), f"{both}: it counts neighbours, and all nodes of both have two")
        require(False, f"{both}: what does it count, and is there more of that in a triangle?")
