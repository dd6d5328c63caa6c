"""The exercises of notebook 01."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqlib.exercises.check import attempt, check, require


@check(wrong=[8, 4, 64, 16, "five"])
def mirrored_ring(answer: Any) -> None:
    """Free numbers of a linear map of a ring of eight pixels that commutes with all shifts and with the mirror."""
    require(isinstance(answer, int | np.integer), f"a whole number is wanted, not a {type(answer).__name__}")
    require(answer != 8, "8 is the number without the mirror: which differences does it exchange?")
    require(answer != 4, "4 halves the eight differences: but two of them are their own mirror images")
    require(answer == 5, f"not {answer}: count orbits of pairs of pixels under shifts and the mirror")


@check(
    wrong=[
        lambda x: x[::2],
        lambda x: x,
        lambda x: np.maximum(x[::2], x[1::2]),
        lambda x: np.full(len(x) // 2, np.max(x)),
        lambda x: (x[::2] + x[1::2]) / 2,
        lambda x: max(x[::2], x[1::2], key=lambda half: half[0]),
        lambda x: np.sort(x)[::2],
        lambda x: np.zeros(len(x) // 2),
        lambda x: "half",
    ]
)
def pool_ring(answer: Any) -> None:
    """A function from a ring of pixels (2 n,) to half of them (n,), equivariant under every shift."""
    rng = np.random.default_rng(0)
    for size in (6, 8, 10, 12):
        x = rng.normal(size=size)
        half = _array(attempt(answer, x.copy()))
        require(half.shape == (size // 2,), f"{size} pixels should become {size // 2}, they become shape {half.shape}")
        kept = any(_rolled(half, part) for part in (x[::2], x[1::2]))
        for steps in range(1, size):
            moved = _array(attempt(answer, np.roll(x, steps)))
            require(
                moved.shape == half.shape and _rolled(half, moved),
                f"after a shift by {steps} of {size} pixels the output is not the old one shifted, whatever the shift",
            )
        require(kept, "it does not keep every second pixel as it stands, in order")


@check(
    wrong=[
        lambda a: np.sum(a),
        lambda a: a[0, 2],
        lambda a: np.trace(a @ a),
        lambda a: np.sum(a @ a @ a),
        lambda a: np.linalg.norm(a),
        lambda a: a,
        lambda a: 1.0,
    ]
)
def tells_apart(answer: Any) -> None:
    """A function of an adjacency matrix, without regard to order, that differs on a hexagon and on two triangles."""
    hexagon = np.roll(np.eye(6), 1, axis=0) + np.roll(np.eye(6), -1, axis=0)
    triangles = np.kron(np.eye(2), np.ones((3, 3)) - np.eye(3))
    rng, values = np.random.default_rng(0), []
    for graph in (hexagon, triangles):
        value = _array(attempt(answer, graph.copy()))
        require(value.shape == (), f"it should return one number, it returns an array of shape {value.shape}")
        for _ in range(10):
            order = rng.permutation(6)
            renamed = _array(attempt(answer, graph[order][:, order]))
            require(
                np.isclose(renamed, value, atol=1e-9),
                f"the nodes in another order change it from {value:.3f} to {renamed:.3f}",
            )
        values.append(value)
    require(not np.isclose(values[0], values[1], atol=1e-9), f"it gives {values[0]:.3f} for both graphs")


def _array(value: Any) -> Any:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        require(False, f"numbers are wanted, not a {type(value).__name__}")


def _rolled(a: Any, b: Any) -> bool:
    """Whether b is a, rolled."""
    return any(np.allclose(np.roll(a, steps), b, atol=1e-12) for steps in range(len(a)))
