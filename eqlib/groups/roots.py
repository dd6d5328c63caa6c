"""Roots, weights, multiplicities and tensor products of complex simple Lie algebras, in exact integers.

A type is "A3", "B2", ..., "G2", nodes numbered as in Bourbaki. A weight is a tuple of Dynkin labels, its components in the
fundamental weights; a root is also written in simple roots. Everything is derived from the Cartan matrix
A_ij = <alpha_i, alpha_j^vee>, whose row i is alpha_i in fundamental weights. Formulas as in Humphreys, Introduction to Lie
Algebras and Representation Theory (1972): Sec. 9.4 root strings, 22.3 Freudenthal, 24.3 Weyl's dimensions; products by Klimyk's
rule (Sec. 24, exercise 9).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from heapq import heappop, heappush
from math import prod

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Weight = tuple[int, ...]
RANKS = {"A": range(1, 33), "B": range(2, 33), "C": range(2, 33), "D": range(3, 33)}
RANKS |= {"E": range(6, 9), "F": range(4, 5), "G": range(2, 3)}
MOST_LABEL = 1_000_000  # sums of squares of labels stay far below 2^63
MOST_WEIGHTS = 2_000_000  # above, a single module takes gigabytes


class RootSystem:
    """The roots of one simple type, and what is computed from them.

    Attributes:
        type: such as "E8".
        rank: number of simple roots.
        cartan: (rank, rank), row i is alpha_i in fundamental weights.
        halves: (rank,) (alpha_i, alpha_i) / 2 in the form where short roots have squared length 2.
        roots: (P, rank) the positive roots in simple roots, by height, then lexicographically from the left.
        root_weights: (P, rank) the same in fundamental weights.

    >>> root_system("G2").roots.tolist()  # in simple roots
    [[1, 0], [0, 1], [1, 1], [2, 1], [3, 1], [3, 2]]
    """

    def __init__(self, type_: str) -> None:
        self.type, self.cartan = type_, _cartan(type_)
        self.rank = len(self.cartan)
        halves = np.zeros(self.rank, dtype=object)
        halves[0] = 1  # spread along the connected diagram: d_j A_ij = d_i A_ji
        for _ in range(self.rank):
            for i, j in np.argwhere(self.cartan != 0):
                if halves[i] and not halves[j]:
                    halves = halves * -self.cartan[i, j]
                    halves[j] = halves[i] * self.cartan[j, i] // self.cartan[i, j]
        self.halves = (halves // min(halves)).astype(np.int64)
        self.roots = self._positive_roots()
        self.root_weights = self.roots @ self.cartan

    def _positive_roots(self) -> Integers:
        """By root strings: p down from beta along alpha_i, and q = p - <beta, alpha_i^vee> up."""
        one = np.eye(self.rank, dtype=np.int64)
        found = {tuple(e) for e in one.tolist()}
        layer, layers = one, [one]
        while len(layer):
            grown = set()
            for beta in layer:
                up = beta @ self.cartan
                for i in range(self.rank):
                    down = 0
                    while tuple((beta - (down + 1) * one[i]).tolist()) in found:
                        down += 1
                    if down - up[i] > 0:
                        grown.add(tuple((beta + one[i]).tolist()))
            found |= grown
            layer = np.array(sorted(grown, reverse=True), dtype=np.int64).reshape(-1, self.rank)
            layers.append(layer)
        return np.concatenate(layers)

    @cached_property
    def norms(self) -> Integers:
        """(P,) squared length of each positive root."""
        return self.pairing(self.root_weights, self.roots)

    def pairing(self, weights: Integers, roots: Integers) -> Integers:
        """(weight, root) in the form where short roots have squared length 2; the root is given in simple roots."""
        return (weights * self.halves * roots).sum(axis=-1)

    @cached_property
    def chains(self) -> list[tuple[int, int, float]]:
        """For each root above the simple ones (i, beta, N): it is alpha_i + beta with the smallest i, and [e_i, e_beta] = N e.

        N = sqrt(q (p + 1) (alpha_i, alpha_i) / 2) for the string beta - p alpha_i, ..., beta + q alpha_i, where
        [e_alpha, e_-alpha] = h_alpha (Helgason 1978, Ch. III, Sec. 5).
        """
        place = {tuple(r): i for i, r in enumerate(self.roots.tolist())}
        one, found = np.eye(self.rank, dtype=np.int64), []
        for root in self.roots[self.rank :]:
            i = next(i for i in range(self.rank) if tuple((root - one[i]).tolist()) in place)
            p = next(k for k in range(9) if tuple((root - (k + 2) * one[i]).tolist()) not in place)
            beta = place[tuple((root - one[i]).tolist())]
            q = p - int(self.root_weights[beta, i])
            found.append((i, beta, float(np.sqrt(q * (p + 1) * self.halves[i]))))
        return found

    @cached_property
    def determinant(self) -> int:
        """det of the Cartan matrix, the order of the centre of the simply connected group."""
        return round(np.linalg.det(self.cartan))

    @cached_property
    def inverse(self) -> Integers:
        """det(A) A^-1, an integer matrix: row i is det(A) times the fundamental weight i in simple roots."""
        return np.rint(self.determinant * np.linalg.inv(self.cartan)).astype(np.int64)

    def product(self, left: Integers, right: Integers) -> Integers:
        """det(A) (left, right) of two weights, an integer, in the form where short roots have squared length 2."""
        return ((left @ self.inverse) * self.halves * right).sum(axis=-1)

    def dominant(self, weights: Integers) -> tuple[Integers, Integers]:
        """The dominant weight of each Weyl orbit (n, rank) and the sign of the element that leads there (n,)."""
        x = np.array(weights, dtype=np.int64)
        signs = np.ones(len(x), dtype=np.int64)
        while (x < 0).any():
            for i in range(self.rank):
                rows = x[:, i] < 0
                x[rows] -= x[rows, i, None] * self.cartan[i]
                signs[rows] *= -1
        return x, signs

    def orbit(self, weight: Integers) -> Integers:
        """The Weyl orbit of a dominant weight, (n, rank)."""
        layer = np.array([weight], dtype=np.int64)
        layers = [layer]
        while len(layer):
            moved = [layer[layer[:, i] > 0] for i in range(self.rank)]
            layer = np.concatenate([x - x[:, i, None] * self.cartan[i] for i, x in enumerate(moved)])
            layer = np.unique(layer, axis=0)
            layers.append(layer)
        return np.unique(np.concatenate(layers), axis=0)

    def dimension(self, label: Weight) -> int:
        """Weyl's formula, prod (label + rho, beta) / (rho, beta) over the positive roots."""
        rho = np.ones(self.rank, dtype=np.int64)
        above = self.pairing(rho + np.array(label), self.roots).tolist()
        return prod(above) // prod(self.pairing(rho, self.roots).tolist())

    def _dimensions(self, labels: Integers) -> list[int]:
        """`dimension` of many, (n, rank); in floating point where that is exact."""
        rho = np.ones(self.rank, dtype=np.int64)
        ratios = self.pairing((labels + rho)[:, None], self.roots) / self.pairing(rho, self.roots)
        found = ratios.prod(axis=1)
        if found.max(initial=0.0) < 1e12:
            return np.rint(found).astype(np.int64).tolist()
        return [self.dimension(tuple(x)) for x in labels.tolist()]

    @cache  # noqa: B019  root systems live as long as the process
    def dominant_multiplicities(self, label: Weight) -> dict[Weight, int]:
        """Freudenthal's formula on the dominant weights of an irrep, highest first."""
        top = np.array(label, dtype=np.int64)
        found, layer = {label}, [label]
        while layer:
            lower = np.concatenate([np.array(w) - self.root_weights for w in layer])
            fresh = {tuple(w) for w in np.unique(lower[(lower >= 0).all(axis=1)], axis=0).tolist()} - found
            found |= fresh
            layer = sorted(fresh)
        rho = np.ones(self.rank, dtype=np.int64)
        array = np.array(sorted(found), dtype=np.int64)
        depth = (top - array) @ self.inverse  # det(A) times the difference in simple roots
        total = self.product(top + rho, top + rho)
        mult: dict[Weight, int] = {}
        for weight in array[np.argsort(depth.sum(axis=1), kind="stable")]:
            key = tuple(weight.tolist())
            if key == label:
                mult[key] = 1
                continue
            total_here, above = 0, weight + self.root_weights
            alive = np.arange(len(self.roots))
            step = 1
            while len(alive):
                high, _ = self.dominant(above[alive])
                count = np.array([mult.get(tuple(w), 0) for w in high.tolist()], dtype=np.int64)
                alive, count = alive[count > 0], count[count > 0]
                total_here += int((2 * count * self.pairing(above[alive], self.roots[alive])).sum())
                step += 1
                above = weight + step * self.root_weights
            below = total - self.product(weight + rho, weight + rho)
            mult[key] = self.determinant * total_here // int(below)
        return mult

    @cache  # noqa: B019
    def weights(self, label: Weight) -> tuple[Integers, Integers]:
        """All weights of an irrep (n, rank) and their multiplicities (n,), orbit after orbit, the highest first."""
        if self.dimension(label) > MOST_WEIGHTS:
            raise ValueError(
                f"{self.type} {label} has dimension {self.dimension(label)}: weights are listed up to {MOST_WEIGHTS}"
            )
        orbits = [(self.orbit(np.array(w)), m) for w, m in self.dominant_multiplicities(label).items()]
        counts = np.concatenate([np.full(len(x), m, dtype=np.int64) for x, m in orbits])
        return np.concatenate([x for x, _ in orbits]), counts

    @cache  # noqa: B019
    def tensor_product(self, left: Weight, right: Weight) -> dict[Weight, int]:
        """Klimyk's rule: reflect (weight of the smaller + highest weight of the larger + rho), count with signs."""
        if self.dimension(left) > self.dimension(right):
            left, right = right, left
        weights, counts = self.weights(left)
        moved, signs = self.dominant(weights + np.array(right) + 1)
        inside = (moved > 0).all(axis=1)
        tops, place = np.unique(moved[inside] - 1, axis=0, return_inverse=True)
        sums = np.zeros(len(tops), dtype=np.int64)
        np.add.at(sums, place.ravel(), (signs * counts)[inside])
        tops, sums = tops[sums != 0], sums[sums != 0]
        ascending = sorted(zip(self._dimensions(tops), map(tuple, tops.tolist()), sums.tolist(), strict=True))
        return {label: n for _, label, n in ascending}

    @cache  # noqa: B019
    def dual(self, label: Weight) -> Weight:
        """The highest weight of the conjugate irrep, -w_0 label."""
        return tuple(self.dominant(-np.array([label]))[0][0].tolist())

    @cache  # noqa: B019
    def indicator(self, label: Weight) -> int:
        """Frobenius-Schur: 1 real, 0 complex, -1 quaternionic, by the parity of <label, 2 rho^vee> (Bourbaki VIII, Sec. 7)."""
        if self.dual(label) != label:
            return 0
        return 1 - 2 * int((2 * self.pairing(np.array(label), self.roots) // self.norms).sum() % 2)

    def labels(self) -> Iterator[Weight]:
        """All dominant weights by dimension, then the lexicographically larger first; endless."""
        first = (0,) * self.rank
        heap, seen = [(1, first)], {first}
        while True:
            _, negative = heappop(heap)
            label = tuple(-x for x in negative)
            yield label
            for i in range(self.rank):  # the dimension grows in every label, so nothing smaller comes later
                larger = (*negative[:i], negative[i] - 1, *negative[i + 1 :])
                if larger not in seen:
                    seen.add(larger)
                    heappush(heap, (self.dimension(tuple(-x for x in larger)), larger))

    def check(self, label: Iterable[int] | str) -> Weight:
        """A tuple of Dynkin labels from a tuple or a string such as "(1,0)"; ValueError where it is none."""
        parts: list[object] = list(label)
        if isinstance(label, str) and re.fullmatch(r"\(\s*\d+\s*(,\s*\d+\s*)*\)", label.strip(), re.ASCII):
            parts = [int(x) for x in re.findall(r"\d+", label)]
        good = all(isinstance(x, int | np.integer) and not isinstance(x, bool) and 0 <= x <= MOST_LABEL for x in parts)
        if not good or len(parts) != self.rank:
            raise ValueError(
                f"{self.type} has no irrep {label!r}: labels are {self.rank} Dynkin labels, whole numbers from 0 to "
                f"{MOST_LABEL}, such as {text((1, *[0] * (self.rank - 1)))}"
            )
        return tuple(int(x) for x in parts)  # type: ignore[call-overload]


@cache
def root_system(type_: str) -> RootSystem:
    """The root system of a type such as "E8"; ValueError for a type that is not simple or unknown.

    >>> root_system("E8").rank, len(root_system("E8").roots)
    (8, 120)
    """
    return RootSystem(type_)


def text(label: Weight) -> str:
    """Dynkin labels as an irrep's label, "(1,0)".

    >>> text((1, 0))
    '(1,0)'
    """
    return "(" + ",".join(map(str, label)) + ")"


def _cartan(type_: str) -> Integers:
    match = re.fullmatch(r"([A-G])(\d{1,2})", type_, re.ASCII) if isinstance(type_, str) else None
    if match is None or int(match[2]) not in RANKS[match[1]]:
        known = "A1.., B2.., C2.., D3.. up to rank 32, E6, E7, E8, F4 and G2"
        raise ValueError(f"unknown simple type {type_!r}: there are {known}")
    letter, n = match[1], int(match[2])
    a = 2 * np.eye(n, dtype=np.int64)
    bonds = [(i, i + 1) for i in range(n - 1)]
    if letter == "D":
        bonds[-1] = (n - 3, n - 1)
    if letter == "E":
        bonds = [(0, 2), (1, 3), *((i, i + 1) for i in range(2, n - 1))]
    for i, j in bonds:
        a[i, j] = a[j, i] = -1
    # The row is the long root, the column the short one.
    if letter == "B":
        a[n - 2, n - 1] = -2
    if letter == "C":
        a[n - 1, n - 2] = -2
    if letter == "F":
        a[1, 2] = -2
    if letter == "G":
        a[1, 0] = -3
    return a
