"""The exercises of notebook 13."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eqlib import groups
from eqlib.exercises.check import attempt, check, numbers, require, whole
from eqlib.groups.element import Array

# What a wrong rule gives for (p + q)^2 of components (p+, p-, px, py), and what is wrong with it.
PAIRS: list[tuple[Callable[[Any, Any], Any], str]] = [
    (
        lambda p, q: p[0] * q[1] + p[1] * q[0] - p[2] * q[2] - p[3] * q[3],
        "this is half of it: the mixed term stands twice in the square of a sum",
    ),
    (
        lambda p, q: 2 * np.dot(p, q),
        "this is Euclid's product, plus with plus: the metric joins plus with minus, and x and y have a minus sign",
    ),
    (
        lambda p, q: 2 * (p[0] * q[0] - p[1] * q[1] - p[2] * q[2] - p[3] * q[3]),
        "this reads the first two components as E and pz: they are p+ and p-, see the formula for m^2",
    ),
    (
        lambda p, q: 2 * (p[0] * q[1] + p[1] * q[0] + p[2] * q[2] + p[3] * q[3]),
        "look at the signs: in m^2 the squares of px and py are subtracted",
    ),
    (
        lambda p, q: 2 * (p[0] * q[1] + p[1] * q[0]),
        "px and py are missing: two particles that fly apart sideways have a mass, too",
    ),
    (
        lambda p, q: 2 * (p[0] * q[1] - p[2] * q[2] - p[3] * q[3]),
        "p and q should count alike: where is p- q+?",
    ),
    (
        lambda p, q: np.sqrt(2 * (p[0] * q[1] + p[1] * q[0] - p[2] * q[2] - p[3] * q[3])),
        "this is the mass, and its square is wanted",
    ),
]


@check(
    likely=[(PAIRS[0][0], "half of it"), (PAIRS[1][0], "Euclid's"), (PAIRS[2][0], "as E and pz")],
    wrong=[
        *(rule for rule, _ in PAIRS[3:]),
        lambda p, q: p,
        lambda p, q: 0.0,
        lambda p, q: np.nan,
        lambda p, q: "m",
        3.0,
    ],
)
def pair_mass_squared(answer: Any) -> None:
    """A function of two massless momenta in light-cone components (4,), GeV -> their invariant mass squared, GeV^2."""
    rng = np.random.default_rng(0)
    plus, x, y = rng.uniform(1, 50, (3, 2)), rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    trials = np.stack([plus, (x**2 + y**2) / (2 * plus), x, y], -1)
    found = np.array([_number(attempt(answer, p.copy(), q.copy())) for p, q in trials])
    for rule, what in PAIRS:
        require(not np.allclose(found, [rule(p, q) for p, q in trials], rtol=1e-6), what)
    for (p, q), number in zip(trials, found, strict=True):
        t = p + q
        exact = 2 * t[0] * t[1] - t[2] ** 2 - t[3] ** 2
        given = f"at p = {p.round(2).tolist()}, q = {q.round(2).tolist()}"
        require(np.isclose(number, exact, rtol=1e-6), f"{given} it should be {exact:.3f}, and is {number:.3f}")


@check(
    likely=[(72, "one real number"), (144, "all three irreps"), (456, "for each component")],
    wrong=[216, 432, 8664, 30, 48, 24, 12, 96.5, True, "many", [96, 96], np.nan],
)
def schur_weights(answer: Any) -> None:
    """Weights of the equivariant linear map from 4 to 6 copies each of (1,1), (2,0) and (2,2) of the Lorentz group."""
    number = whole(answer)
    require(number != 72, "72 counts one real number for each pair of copies: of which type is (2,0)?")
    require(number != 144, "144 takes all three irreps for complex: (1,1) and (2,2) are of real type")
    require(number != 456, "456 gives a pair of copies a weight for each component: one must do for all of them")
    require(number not in (216, 432), f"{number} joins copies of different irreps too: Schur's lemma forbids that")
    require(number != 8664, "8664 is every entry of the matrix, 76 times 114")
    require(number == 96, f"not {number}: one 6 x 4 matrix for each irrep, and of what kind are its entries?")


def _largest(size: Array, k: int) -> Any:
    return np.argsort(-size, kind="stable")[:k]


def _away(p: Array) -> Array:
    """The cosine of the angle to the jet's axis."""
    axis = p.sum(0)[1:]
    return np.asarray(p[:, 1:] @ axis / np.linalg.norm(p[:, 1:], axis=1) / np.linalg.norm(axis))


# Rules that choose other particles after a boost, or after they were listed anew, and why.
CHOICES: list[tuple[Callable[[Array, int], Any], str]] = [
    (
        lambda p, k: _largest(np.hypot(p[:, 1], p[:, 2]), k),
        "these are the k with the largest pT: pT is measured across the beam, and a boost that is not along the beam changes it",
    ),
    (
        lambda p, k: _largest(p[:, 0], k),
        "these are the k with the largest energy: to another observer other particles have it",
    ),
    (
        lambda p, k: _largest(_away(p), k),
        "these are the k nearest to the jet's axis: a boost opens the cone or shifts it, and changes who is nearest",
    ),
    (
        lambda p, k: _largest(p @ p.sum(0), k),
        "E E' + p.p' is Euclid's product with the sum, which a boost changes: one sign is missing",
    ),
    (
        lambda p, k: np.arange(k),
        "these are the first k of the list: whoever lists the particles in another order gets others",
    ),
]


@check(
    likely=[
        (CHOICES[0][0], "largest pT"),
        (CHOICES[1][0], "largest energy"),
        (CHOICES[2][0], "nearest to the jet's axis"),
    ],
    wrong=[
        *(rule for rule, _ in CHOICES[3:]),
        lambda p, k: _largest(-p[:, 0], k),
        lambda p, k: _largest(p[:, 3], k),
        lambda p, k: _largest(p[:, 0] ** 2 - (p[:, 1:] ** 2).sum(1), k),
        lambda p, k: np.arange(k)[::-1] + len(p) - k,
        lambda p, k: np.zeros(k, dtype=int),
        lambda p, k: np.arange(len(p)),
        lambda p, k: p[:k],
        lambda p, k: [],
        lambda p, k: _largest(p[:, 0], k).astype(float) + 0.5,
        lambda p, k: _largest(p[:, 0], k) + len(p),
        lambda p, k: "the first",
        lambda p, k: p[:, 0] > np.sort(p[:, 0])[-k - 1],
        [0, 1, 2],
    ],
)
def choose(answer: Any) -> None:
    """A function of a jet's momenta (n, 4), raw (E, px, py, pz), and k -> indices of k that boost and order do not change."""
    rng, group = np.random.default_rng(0), groups.Lorentz()
    seen: list[tuple[Array, int, set[int]]] = []
    changes: list[tuple[set[int], set[int], str]] = []
    for n, k in ((12, 4), (12, 4), (20, 7), (20, 7)):
        p = np.abs(rng.normal(size=(n, 1))) * 50 + 1
        p = p * np.concatenate([np.ones((n, 1)), _directions(rng, n)], axis=1)
        here = _chosen(answer, p, k)
        order = rng.permutation(n)
        again = {int(order[i]) for i in _chosen(answer, p[order], k)}
        changes.append((here, again, "if its particles are listed in another order"))
        seen.append((p, k, here))
        for g in np.asarray(group.matrix(_boosts(rng, 3))):
            q = p @ g.T
            there = _chosen(answer, q, k)
            changes.append((here, there, f"after a boost by gamma = {g[0, 0]:.1f}"))
            seen.append((q, k, there))
    for rule, what in CHOICES:
        require(any({int(i) for i in rule(p, k)} != found for p, k, found in seen), what)
    for here, there, when in changes:
        require(here == there, f"in one jet it takes particles {sorted(here)}, and {sorted(there)} {when}")


def _directions(rng: np.random.Generator, n: int) -> Array:
    """Unit vectors about one axis, at some 20 degrees."""
    v = np.array([2.0, -1.0, 1.0]) / np.sqrt(6) + 0.25 * rng.normal(size=(n, 3))
    return np.asarray(v / np.linalg.norm(v, axis=1, keepdims=True))


def _boosts(rng: np.random.Generator, n: int) -> groups.Element:
    v = rng.normal(size=(n, 3))
    v *= rng.uniform(1, 2.5, (n, 1)) / np.linalg.norm(v, axis=1, keepdims=True)
    return groups.Lorentz().element(np.concatenate([np.zeros((n, 3)), v], axis=1))


def _chosen(answer: Any, p: Array, k: int) -> set[int]:
    """What the reader's function chooses, as a set of k indices."""
    result = attempt(answer, p.copy(), k)
    kind = type(result).__name__
    try:
        found = np.asarray(result)
    except (TypeError, ValueError, RuntimeError):
        found = np.asarray(None)
    require(
        found.dtype != bool, f"it should return {k} indices, it returns a mask (np.flatnonzero makes indices of one)"
    )
    require(
        found.dtype.kind in "iuf" and found.ndim == 1,
        f"it should return a list of {k} indices, not a {kind} "
        + (f"of shape {found.shape}" if found.ndim != 1 else f"of {found.dtype}"),
    )
    require(len(found) == k, f"asked for k = {k} particles, it returns {len(found)}")
    require((found == np.round(found)).all(), f"an index is a whole number, it returns {found.tolist()[:1]}")
    require(((found >= 0) & (found < len(p))).all(), f"of {len(p)} particles it names {found.tolist()}")
    require(len(set(found.tolist())) == k, f"it names a particle twice: {found.tolist()}")
    return {int(i) for i in found}


def _number(value: Any) -> float:
    """One real number of the reader's function, also as an array of one entry."""
    found = numbers(value, wanted="one real number")
    require(found.size == 1, f"it should return one number, it returns an array of shape {found.shape}")
    require(np.isfinite(found).all(), f"it should return a finite number, it returns {found}")
    return float(found.reshape(()))
