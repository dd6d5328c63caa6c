"""The exercises of notebook 08."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqlib.exercises.check import NotYet, attempt, check, numbers, require

Array = NDArray[np.float64]


@check(
    likely=[
        (lambda v: np.rot90(v, -1, (1, 2)), "the other way round"),
        (lambda v: v.swapaxes(1, 2), "mirror image"),
        (lambda v: np.rot90(v, 1, (0, 1)), "about the z axis"),
        (lambda v: np.rot90(v, 1, (2, 0)), "about the y axis"),
        (lambda v: v[:, ::-1, ::-1], "half a turn"),
    ],
    wrong=[
        lambda v: v,
        lambda v: v[::-1],
        lambda v: v.T,
        lambda v: np.zeros_like(v),
        lambda v: np.rot90(v, 1, (1, 2))[0],
        lambda v: np.rot90(v, 1, (1, 2)) + 1e-3,
        lambda v: np.rot90(v, 1, (1, 0)),
        lambda v: np.rot90(v),
        lambda v: "volume",
    ],
)
def quarter_turn(answer: Any) -> None:
    """A function that turns a volume (x, y, z) by a quarter about x: from the y axis to the z axis."""
    for seed, size in ((0, 5), (1, 4)):
        volume = np.random.default_rng(seed).normal(size=(size, size, size))
        result = attempt(answer, volume.copy())
        found = numbers(result, volume.shape, "the turned volume, an array of the same shape")
        wrong = [
            ("this is the other way round: the y axis went to the negative z axis", np.rot90(volume, -1, (1, 2))),
            ("this is a mirror image: two axes are exchanged, and none is read backwards", volume.swapaxes(1, 2)),
            ("this is half a turn: the y axis went to the negative y axis", volume[:, ::-1, ::-1]),
        ]
        for name, axes in (("z", (0, 1)), ("y", (2, 0))):
            fault = f"this turns about the {name} axis, and the x axis should stay where it is"
            wrong += [(fault, np.rot90(volume, turns, axes)) for turns in (1, -1)]
        for fault, array in wrong:
            require(not np.allclose(found, array), fault)
        reason = "not the quarter turn: follow the voxel next to the middle on the y axis, it should come to the z axis"
        require(np.allclose(found, np.rot90(volume, 1, (1, 2)), rtol=0, atol=1e-9), reason)


@check(
    likely=[
        ((3, 3), "without parity"),
        ((1, 3), "the smallest degree"),
        ((3, 2), "changed places"),
        ((2, 2), "SO(3) has no parity"),
        ((1, 2), "the other parity"),
    ],
    wrong=[(2, 5), (0, 3), (6, 9), (4, 3), 2, 3, True, [2], (2, 3, 0), (2.5, 3), (2j, 3), "two", [5, 3]],
)
def degrees(answer: Any) -> None:
    """How many degrees of harmonics lead from l = 2 to l = 1: under O(3) from 2e to 1o, and under SO(3)."""
    if isinstance(answer, tuple | list) and any(part is ... for part in answer):
        raise NotYet
    both, turns = numbers(answer, (2,), "two whole numbers, for O(3) and for SO(3)").tolist()
    given = f"not ({both:g}, {turns:g})"
    require((both, turns) != (3, 3), f"{given}: it counts O(3) without parity, which an even degree does not keep here")
    require((both, turns) != (1, 3), f"{given}: under O(3) it counts the smallest degree only")
    require((both, turns) != (3, 2), f"{given}: the two have changed places, O(3) comes first")
    require((both, turns) != (2, 2), f"{given}: SO(3) has no parity that could forbid a degree")
    require((both, turns) != (1, 2), f"{given}: it counts the other parity under O(3), or misses a degree under both")
    require(
        (both, turns) == (2, 3), f"{given}: write down the J with |2 - J| <= 1 <= 2 + J, then look at their parities"
    )


@check(
    likely=[
        (lambda v: np.maximum(v, 0), "component by component"),
        (lambda v: np.linalg.norm(v, axis=1), "lengths"),
        (lambda v: 2 * v, "is linear"),
        (lambda v: v * np.linalg.norm(v), "all vectors together"),
        (lambda v: v * (1 + v[:, 2:]), "one direction of space"),
    ],
    wrong=[
        np.tanh,
        np.abs,
        lambda v: 0 * v,
        lambda v: v,
        lambda v: v + 1,
        lambda v: v * np.abs(v).max(axis=1, keepdims=True),
        lambda v: v / v.sum(axis=1, keepdims=True),
        lambda v: np.full_like(v, np.nan),
        lambda v: v[:1],
        lambda v: np.cross(v, np.roll(v, 1, axis=0)),
        lambda v: np.cross(v, [0.0, 0.0, 1.0]),
        lambda v: "vectors",
    ],
)
def bend(answer: Any) -> None:
    """A function of vectors (n, 3) that commutes with turns and mirrors and is not linear."""
    from eqlib.groups import O3

    group, random = O3(), np.random.default_rng(0)
    v = random.normal(size=(6, 3))

    def at(vectors: Array) -> Array:
        return numbers(attempt(answer, vectors.copy()))

    found = at(v)
    require(found.shape != (6,) and found.shape != (6, 1), "these are lengths, or scalars: vectors are wanted, (n, 3)")
    require(found.shape == v.shape, f"it should return vectors (6, 3), it returns an array of shape {found.shape}")
    require(np.isfinite(found).all(), "it returns NaN or infinity for ordinary vectors")
    require(np.abs(found).max() > 1e-6, "it returns zero for every vector")
    alone = np.concatenate([at(v[n : n + 1]) for n in range(6)])
    require(
        np.allclose(alone, found, atol=1e-9), "it looks at all vectors together: each should be bent by itself alone"
    )
    separate = all(np.allclose(at(np.where(np.arange(3) == k, v, 0.0))[:, k], found[:, k], atol=1e-9) for k in range(3))
    elements = group.matrix(group.sample(8, seed=1))
    errors = [np.abs(at(v @ m.T) - found @ m.T).max() for m in elements]
    if max(errors) > 1e-9 and separate:
        require(False, "it works component by component, and a turn mixes the components")
    proper = [error for error, m in zip(errors, elements, strict=True) if np.linalg.det(m) > 0]
    require(max(proper) < 1e-9, "a turn before it and a turn behind it differ: it prefers one direction of space")
    require(max(errors) < 1e-9, "turns are right, mirrors are not")
    linear = np.allclose(at(2 * v), 2 * found, atol=1e-9) and np.allclose(at(v + v[::-1]), found + found[::-1])
    require(not linear, "it is linear: a network of linear maps is one linear map")
