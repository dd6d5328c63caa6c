"""Which points are near: k-d trees below the graphs. Candidates only: a graph decides with its own numbers who is in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.spatial import cKDTree
from torch import Tensor

from eqlib.graphs.edges import PIECE, finite

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def check_positions(name: str, positions: Tensor) -> None:
    """ValueError but for finite floating point (N, v), small enough that squares stay finite in float64."""
    if not isinstance(positions, Tensor):
        raise ValueError(f"{name}: got {type(positions).__name__}, expected a floating point tensor (N, v)")
    if positions.ndim != 2 or not positions.is_floating_point():
        raise ValueError(f"{name}: got {positions.dtype} {tuple(positions.shape)}, expected floating point (N, v)")
    finite(name, positions)
    if positions.numel() and (largest := float(positions.detach().abs().max())) > 1e150:
        raise ValueError(f"{name}: got numbers up to {largest:.3g}, expected at most 1e150")


def check_batch(name: str, batch: Tensor, n: int) -> None:
    """ValueError but for integers (n,)."""
    if batch.shape != (n,) or batch.is_floating_point() or batch.is_complex():
        raise ValueError(f"{name}: got {batch.dtype} {tuple(batch.shape)}, expected integers of shape ({n},)")


def as_float64(values: Tensor) -> Floats:
    """A copy on the CPU."""
    return values.detach().to("cpu", torch.float64).numpy()


def reach(cutoff: float, v: int, dtype: torch.dtype, size: float = 0.0) -> float:
    """The radius in float64 beyond which nobody is within the cut-off when distances are taken in `dtype`.

    size: of the numbers that were rounded to float64 on the way.
    """
    kind = torch.finfo(dtype)
    if cutoff**2 > kind.max:  # its square is infinite in that dtype, and so nobody's is larger
        return float("inf")
    # Squares that vanish come from lengths up to the root of the least number.
    return cutoff * (1 + (v + 8) * kind.eps) + 2 * kind.tiny**0.5 + 32 * size * float(np.finfo(np.float64).eps)


def near(points: Floats, radius: float, body: Ints | None = None) -> tuple[Ints, Ints]:
    """Every pair of points (N, v) of one body at most so far from each other, once: i < j, both (P,)."""
    (tree,), radius = _trees([points], radius, None if body is None else [body])
    found = tree.query_pairs(radius, output_type="ndarray")
    return found[:, 0], found[:, 1]


def near_others(a: Floats, b: Floats, radius: float, bodies: list[Ints] | None = None) -> tuple[Ints, Ints]:
    """Every pair of one of a (N, v) and one of b (M, v), in one of `bodies` (those of a, of b), at most so far apart."""
    (first, second), radius = _trees([a, b], radius, bodies)
    found = first.sparse_distance_matrix(second, radius, output_type="ndarray")
    return found["i"].astype(np.int64), found["j"].astype(np.int64)


def nearest(points: Floats, k: int, dtype: torch.dtype, body: Ints | None = None) -> Iterator[tuple[Ints, Ints]]:
    """For some points at a time, (R,), rows (R, K) with their k nearest and all that are as near in `dtype`, in any order.

    Each point is in its own row; N stands for nobody. Points of other bodies do not come.
    """
    n, size = len(points), _extent([points])
    (tree,), _ = _trees([points], size, None if body is None else [body])
    absolute = reach(0.0, points.shape[1], dtype)
    relative = reach(1.0, points.shape[1], dtype) - absolute
    left, wanted = np.arange(n), k + 8
    while len(left):
        wanted, behind = min(wanted, n), []
        step = max(1, (1 << 20) // wanted)
        for rows in (left[i : i + step] for i in range(0, len(left), step)):
            far, found = tree.query(tree.data[rows], k=np.arange(1, wanted + 1), distance_upper_bound=1.5 * size)
            # As near as the k-th may be more than were asked for.
            done = np.isinf(far[:, -1]) | (far[:, -1] > far[:, min(k, wanted) - 1] * relative + absolute)
            done |= wanted == n
            yield rows[done], found[done].astype(np.int64)
            behind.append(rows[~done])
        left, wanted = np.concatenate(behind), 4 * wanted


def ordered(parts: Sequence[tuple[Ints, Ints, Any]], sizes: tuple[int, int, int]) -> tuple[Ints, Ints]:
    """Lists of (target, source, kind), each below its size, as one, sorted by the first, the second, the third.

    Returns pairs (2, E), source above target, and kinds (E,). Where there is one kind alone, each pair comes once.
    """
    if sizes[2] <= 1:
        return _counted(parts, sizes[:2])
    sizes = (max(sizes[0], 1), max(sizes[1], 1), max(sizes[2], 1))
    key = np.concatenate([np.ravel_multi_index(columns, sizes) for columns in parts])
    key = torch.from_numpy(key).sort().values.numpy()  # numpy's takes longer
    pairs, kinds = np.empty((2, len(key)), dtype=np.int64), np.empty(len(key), dtype=np.int64)
    for start in range(0, len(key), PIECE):
        piece = slice(start, start + PIECE)
        pairs[1, piece], pairs[0, piece], kinds[piece] = np.unravel_index(key[piece], sizes)
    return pairs, kinds


def _counted(parts: Sequence[tuple[Ints, Ints, Any]], sizes: tuple[int, int]) -> tuple[Ints, Ints]:
    """`ordered` for one kind: scipy counts how many pairs each target has, which takes time in proportion, as no sort does."""
    target, source = (np.concatenate([columns[axis] for columns in parts]) for axis in (0, 1))
    rows = coo_array((np.ones(len(target), dtype=np.int8), (target, source)), shape=sizes).tocsr()
    rows.sort_indices()
    pairs = np.empty((2, len(target)), dtype=np.int64)
    pairs[0], pairs[1] = rows.indices, np.repeat(np.arange(sizes[0]), np.diff(rows.indptr))
    return pairs, np.zeros(len(target), dtype=np.int64)


def _extent(sets: list[Floats]) -> float:
    """The diagonal of the box that holds these points, or 1."""
    points = np.concatenate(sets)
    return float(np.linalg.norm(np.ptp(points, axis=0))) * (1 + 1e-9) or 1.0 if points.size else 1.0


def _trees(sets: list[Floats], radius: float, bodies: list[Ints] | None) -> tuple[list[cKDTree], float]:
    """A tree for each set of points, and the radius, no more than all points are apart.

    A further coordinate keeps bodies more than the radius apart. Midpoints, not medians: those of a crystal's coordinates,
    many of them equal, split badly.
    """
    radius = min(radius, _extent(sets))
    if bodies is not None:
        sets = [np.column_stack([x, b * (4 * radius + 1)]) for x, b in zip(sets, bodies, strict=True)]
    return [cKDTree(x, balanced_tree=False) for x in sets], radius
