"""The tables of a map on edges: plain, with harmonics or another feature of each edge, or at the axis, between frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eqlib.groups import Irrep
from eqlib.harmonics import restricted, steps
from eqlib.kernels.alignment import Alignment
from eqlib.kernels.steerable import angular_basis, elements
from eqlib.products import EdgeMap

Array = NDArray[np.float64]
Path = tuple[int, int, int]  # output block, input block, element
# Matrices from one irrep to another: (elements, rows, columns, entries of what they are linear in).
Basis = Callable[[Irrep, Irrep], Array]


def paths(ins: Sequence[Irrep], outs: Sequence[Irrep], degree: int) -> tuple[list[Path], list[int]]:
    """All paths with harmonics up to `degree`, by output block, input block and element, and each one's degree.

    >>> from eqlib import groups
    >>> from eqlib.kernels import edge_maps
    >>> scalar, vector = groups.O3().irrep("0e"), groups.O3().irrep("1o")
    >>> edge_maps.paths([scalar, vector], [vector], degree=2)
    ([(0, 0, 0), (0, 1, 0), (0, 1, 1)], [1, 0, 2])
    """
    found: list[Path] = []
    degrees: list[int] = []
    for i, b in enumerate(outs):
        for j, a in enumerate(ins):
            counts = [len(angular_basis(a, b, J)) for J in range(degree + 1)]
            found += [(i, j, n) for n in range(sum(counts))]
            degrees += [J for J, count in enumerate(counts) for _ in range(count)]
    return found, degrees


def starts(irreps: Sequence[Irrep]) -> list[int]:
    """First row of each block, and behind them how many there are."""
    return [0, *np.cumsum([a.dim for a in irreps], dtype=int).tolist()]


def slices(irreps: Sequence[Irrep]) -> list[slice]:
    """Rows of each block."""
    ends = starts(irreps)
    return [slice(a, b) for a, b in zip(ends[:-1], ends[1:], strict=True)]


def identity(rows: int) -> list[list[int]]:
    """The table of matrices that change nothing."""
    return [[-1, 0, 0, rows, rows, 0, 0]]


@dataclass(frozen=True)
class Plain:
    """Each edge's harmonics times Clebsch-Gordan tensors as matrices: from each input block to all its elements.

    Attributes:
        angular: (entries, harmonics); the matrices' rows are angular Y.
        before: their table, see `EdgeMap`.
        places: for an input block and an irrep the first row behind the matrices, of rows (element, component).
        counts: for an input block and an irrep how many elements.
        size: how many rows there are behind the matrices.
    """

    angular: Array
    before: list[list[int]]
    places: dict[tuple[int, Irrep], int]
    counts: dict[tuple[int, Irrep], int]
    size: int

    def depthwise(self, ins: Sequence[Irrep], outs: Sequence[Irrep]) -> EdgeMap:
        """Each path (output block, input block, element) has a weight for each channel."""
        to = starts(outs)
        found = [
            (i, j, n) for i, b in enumerate(outs) for j in range(len(ins)) for n in range(self.counts.get((j, b), 0))
        ]
        sums = [[(p, 1.0)] for p in range(len(found))]
        pairs = [
            [(to[i] + k, self.places[j, outs[i]] + n * outs[i].dim + k, 1) for k in range(outs[i].dim)]
            for i, j, n in found
        ]
        return EdgeMap((starts(ins)[-1], self.size, to[-1], to[-1]), self.before, identity(to[-1]), sums, pairs)

    def radial(self, ins: Sequence[Irrep], number: int) -> EdgeMap:
        """All elements times each of `number` functions: rows (function, row behind the matrices), channels to be mixed later."""
        pairs = [[(f * self.size + k, k, 1) for k in range(self.size)] for f in range(number)]
        rows = number * self.size
        sums = [[(f, 1.0)] for f in range(number)] if self.size else []
        sizes = starts(ins)[-1], self.size, rows, rows
        return EdgeMap(sizes, self.before, identity(rows), sums, pairs if self.size else [])


def plain(ins: Sequence[Irrep], outs: Sequence[Irrep], degree: int) -> Plain:
    """`Plain` for input blocks `ins`, every irrep among `outs`, and harmonics up to `degree`.

    >>> from eqlib import groups
    >>> from eqlib.kernels import edge_maps
    >>> scalar, vector = groups.O3().irrep("0e"), groups.O3().irrep("1o")
    >>> found = edge_maps.plain([vector], [scalar, vector], degree=2)
    >>> found.size, found.angular.shape  # 1 + 2 * 3 rows, matrices of 7 x 3 entries on nine harmonics
    (7, (21, 9))
    """
    return joined(ins, outs, lambda a, b: elements(a, b, degree))


def joined(ins: Sequence[Irrep], outs: Sequence[Irrep], basis: Basis) -> Plain:
    """`Plain` for any matrices: basis(a, b) are those from irrep a to irrep b, linear in something of each edge.

    >>> import numpy as np
    >>> from eqlib import groups
    >>> from eqlib.kernels import edge_maps
    >>> vector = groups.O3().irrep("1o")
    >>> cross = groups.O3().clebsch_gordan("1o", "1e", "1o").dense()  # (elements, in, second feature, out)
    >>> edge_maps.joined([vector], [vector], lambda a, b: np.moveaxis(cross, 3, 1)).counts[0, vector]
    1
    """
    angular: list[Array] = []
    known: dict[Irrep, tuple[int, int, dict[Irrep, tuple[int, int]]]] = {}
    before: list[list[int]] = []
    places: dict[tuple[int, Irrep], int] = {}
    counts: dict[tuple[int, Irrep], int] = {}
    first = to = 0
    for j, (a, at) in enumerate(zip(ins, starts(ins), strict=False)):
        if a not in known:
            inside: dict[Irrep, tuple[int, int]] = {}
            height = 0
            for b in dict.fromkeys(outs):
                found = basis(a, b)
                if len(found):
                    inside[b] = height, len(found)
                    angular.append(found.reshape(-1, found.shape[3]))
                    height += len(found) * b.dim
            known[a] = first, height, inside
            first += height * a.dim
        start, height, inside = known[a]
        if height:
            before.append([start, a.dim, 1, height, a.dim, at, to])
            places |= {(j, b): to + place for b, (place, _) in inside.items()}
            counts |= {(j, b): count for b, (_, count) in inside.items()}
            to += height
        else:  # no path leads on from here; said all the same, so that the gradient is 0
            before.append([-2, a.dim, 1, 0, a.dim, at, to])
    return Plain(np.concatenate(angular) if angular else np.zeros((0, 0)), before, places, counts, to)


def aligned(frames: Alignment, ins: Sequence[Irrep], outs: Sequence[Irrep], degree: int) -> EdgeMap:
    """The same map between two frames: back, mix by the kernel at the axis, forth; each path has a weight for each channel.

    Entries of the kernel at the axis that are the same sum of weights are one coefficient.

    >>> from eqlib import groups, kernels
    >>> from eqlib.kernels import edge_maps
    >>> vector = groups.O3().irrep("1o")
    >>> found = edge_maps.aligned(kernels.Alignment(groups.O3(), [vector]), [vector], [vector], degree=2)
    >>> [len(entries) for entries in found.pairs]  # across the axis twice, and along it
    [2, 1]
    """
    group = frames.group
    ambient = group.ambient
    assert ambient.axis is not None
    # Harmonics at the axis, of length 1 in each degree, from the recursion's own tensors.
    value, parts = np.ones(1), [restricted(group, 0)[1][0]]
    for j, step in enumerate(steps(ambient, degree), start=1):
        value = np.einsum("i,a,iak->k", value, ambient.axis, step)
        parts.append(value @ restricted(group, j)[1])
    y = np.concatenate(parts)
    at, to = starts(ins), starts(outs)
    sums: list[list[tuple[int, float]]] = []
    pairs: list[list[tuple[int, int, int]]] = []
    path = 0
    for i, b in enumerate(outs):
        for j, a in enumerate(ins):
            kernel = elements(a, b, degree) @ y
            kernel[np.abs(kernel) < 1e-12] = 0.0
            found: dict[tuple[float, ...], int] = {}
            for k, m in np.argwhere(kernel.any(axis=0)):
                values = kernel[:, k, m]
                sign = 1 if values[values != 0][0] > 0 else -1
                key = tuple(np.round(sign * values, 12).tolist())
                if key not in found:
                    found[key] = len(sums)
                    sums.append([(path + n, float(sign * v)) for n, v in enumerate(values) if v])
                    pairs.append([])
                pairs[found[key]].append((to[i] + int(k), at[j] + int(m), sign))
            path += len(kernel)
    back = [[frames.first[a], 1, a.dim, a.dim, a.dim, row, row] for a, row in zip(ins, at, strict=False)]
    forth = [[frames.first[b], b.dim, 1, b.dim, b.dim, row, row] for b, row in zip(outs, to, strict=False)]
    return EdgeMap((at[-1], at[-1], to[-1], to[-1]), back, forth, sums, pairs)
