"""Neighbours in open space and in crystals, with every periodic image: a k-d tree of points and of what they repeat into.

Points are wrapped into a short cell of the same lattice and repeated as far as the cut-off reaches. Pairs found there are
only candidates: the vectors that are returned come from the points as they were given, and decide.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib.doors import typed
from eqlib.graphs import search
from eqlib.graphs.edges import Edges, finite, in_range
from eqlib.graphs.search import Floats, Ints


@typed
def neighbours(
    positions: Tensor,
    cutoff: float,
    cell: Tensor | None = None,
    pbc: bool | Sequence[Any] | Tensor | None = None,
    batch: Tensor | None = None,
    loops: bool = False,
    to: Tensor | None = None,
    to_batch: Tensor | None = None,
) -> Edges:
    """Edges from every point to those at most `cutoff` away, in positions' unit, with every periodic image; O(N).

    Ordered by target, then source, then shift. A crystal smaller than the cut-off has several edges from one atom to
    another, and from an atom to itself. Vectors are differentiable in positions, `to` and cell, and it is their squares, in
    positions' dtype, that are compared with cutoff^2. The search runs on the CPU.

    Args:
        positions: (N, v), finite; a point may lie outside its cell.
        cell: (v, v), a row for each lattice vector, of any handedness; (bodies, v, v) for crystals in a batch. None: open space.
        pbc: along which lattice vectors it repeats: (v,) or (bodies, v), or one bool; None: all of them, where there is a
            cell. A vector along which it does not may be zero.
        batch: (N,), integers, the body of each point; None: all in one. No edge joins two bodies.
        loops: whether a point in its own place is its own neighbour. Its images always are.
        to: (M, v), positions of the targets, where they are another set; `loops` then says nothing.
        to_batch: (M,), the body of each target.

    ValueError for shapes and dtypes that do not fit, NaN or inf, a negative cut-off, a lattice without volume, and an endless
    cut-off in a lattice.

    >>> import torch
    >>> from eqlib import graphs
    >>> edges = graphs.neighbours(torch.zeros(1, 3), cutoff=1.2, cell=torch.eye(3))  # a simple cubic crystal
    >>> len(edges), edges.source.unique().tolist()  # six neighbours, all images of the one atom
    (6, [0])
    >>> chain = torch.tensor([[0.0, 0.0], [0.0, 0.9]])
    >>> graphs.neighbours(chain, cutoff=0.5, cell=torch.eye(2), pbc=[False, True]).vectors
    tensor([[ 0.0000, -0.1000],
            [ 0.0000,  0.1000]])
    """
    ends = positions if to is None else to
    search.check_positions("positions", positions)
    bodies, here, there = _bodies(positions, ends, batch, to_batch if to is not None else batch, cell)
    v = positions.shape[1]
    if not isinstance(cutoff, numbers.Real | np.number) or not cutoff >= 0:
        raise ValueError(f"cutoff: got {cutoff!r}, expected a length >= 0")
    lattice = _lattice(cell, pbc, bodies, v)
    x, y = search.as_float64(positions), search.as_float64(ends)
    size = max(float(np.abs(a).max(initial=0.0)) for a in (x, y, lattice))
    radius = search.reach(cutoff, v, positions.dtype, size)
    if lattice.any() and radius == float("inf"):
        raise ValueError(f"cutoff: got {cutoff!r}, expected a finite length where points repeat")
    found, shift = _candidates(x, None if to is None else y, here, there, lattice, radius, loops)
    pairs = torch.from_numpy(found).to(positions.device)
    if cell is None or shift is None:
        edges = Edges.between(positions, pairs, to=to)
    else:
        cell = cell.to(positions.device)
        if cell.ndim == 3:
            cell = cell[0] if len(cell) == 1 else cell[torch.from_numpy(there[found[1]]).to(cell.device)]
        edges = Edges.between(positions, pairs, torch.from_numpy(shift).to(positions.device), cell, to)
    inside = edges.vectors.detach().square().sum(1) <= cutoff**2
    if inside.all():
        return edges
    return Edges(edges.source[inside], edges.target[inside], edges.vectors[inside], edges.targets)


def _candidates(
    x: Floats, y: Floats | None, here: Ints, there: Ints, lattice: Floats, radius: float, loops: bool
) -> tuple[Ints, NDArray[Any] | None]:
    """All pairs (2, E) within the radius, source above target, in order, and their shifts (E, v); none where nothing repeats."""
    basis = _shortened(lattice)
    short = basis @ lattice
    wrapped, fractions, cells = _wrapped(x, here, short)
    others, _, cells_there = (wrapped, None, cells) if y is None else _wrapped(y, there, short)
    point, step = _images(fractions, here, short, radius, half=y is None)
    moved = wrapped[point] + _times(step, short, here[point])
    apart = len(lattice) > 1
    target, image = search.near_others(others, moved, radius, [there, here[point]] if apart else None)
    step = _times(step, basis, here[point])
    # In one set half of the images are enough: the pair of i with an image of j is that of j with the opposite one of i.
    both = np.concatenate([step, -step, np.zeros((1, x.shape[1]), dtype=np.int64)])
    steps, place = np.unique(both, axis=0, return_inverse=True)  # sorted
    place = place.reshape(-1)
    found: list[tuple[Ints, Ints, Ints]] = [(target, point[image], place[image])]
    if y is None:
        i, j = search.near(wrapped, radius, here if apart else None)
        own = np.arange(len(x) if loops else 0)
        found += [(point[image], target, place[image + len(point)])]
        found += [(i, j, place[-1]), (j, i, place[-1]), (own, own, place[-1])]
    # For one source and one target the order of these steps is that of the shifts from where the points were given.
    pairs, which = search.ordered(found, (len(others), len(x), len(steps)))
    if not lattice.any():
        return pairs, None
    kind = np.int32 if max(np.abs(a).max(initial=0) for a in (steps, cells, cells_there)) < 2**28 else np.int64
    shift = np.take(steps.astype(kind), which, axis=0)
    if cells.any() or cells_there.any():
        before, behind = _times(cells, basis, here).astype(kind), _times(cells_there, basis, there).astype(kind)
        shift += np.take(behind, pairs[1], axis=0) - np.take(before, pairs[0], axis=0)
    return pairs, shift


def _times(rows: NDArray[Any], matrices: NDArray[Any], body: Ints) -> Any:
    """Each row (N, v) times the matrix of its body."""
    return np.einsum("na,nab->nb", rows, matrices[body])


def _wrapped(x: Floats, body: Ints, lattice: Floats) -> tuple[Floats, Floats, Ints]:
    """Points moved into their cells (N, v), where they lie there in units of it (N, v), and by how many cells (N, v)."""
    fractions: Floats = _times(x, _reciprocal(lattice), body)
    if fractions.size and np.abs(fractions).max() > 2**50:
        raise ValueError(f"positions: got a point {np.abs(fractions).max():.3g} cells away, expected at most 1e15")
    cells = np.floor(fractions).astype(np.int64)
    return x - _times(cells, lattice, body), fractions - cells, cells


def _reciprocal(lattice: Floats) -> Floats:
    """(bodies, v, v): x @ this is x in units of the lattice vectors; exactly 0 for one that is zero."""
    lengths = np.linalg.norm(lattice, axis=2, keepdims=True)
    scale = np.where(lengths > 0, lengths, 1.0)
    found = np.linalg.pinv(lattice / scale, rcond=1e-12) * (lengths > 0).transpose(0, 2, 1) / scale.transpose(0, 2, 1)
    return np.asarray(found, dtype=np.float64)


def _images(fractions: Floats, body: Ints, lattice: Floats, radius: float, half: bool) -> tuple[Ints, Ints]:
    """Which point (P,), and moved by how many cells (P, v), of all images that a point of the cell may see.

    half: of an image and the opposite one only the first, and no point in its place.
    """
    periodic = (lattice != 0).any(axis=2)  # (bodies, v)
    # 1 / the height of the cell over each pair of its faces is the length of a reciprocal vector.
    inverse = np.linalg.norm(_reciprocal(lattice), axis=1)
    far = np.where(inverse > 0, radius, 0.0) * inverse + 1e-9
    point, step = np.arange(len(fractions)), np.zeros(fractions.shape, dtype=np.int64)
    for axis in np.flatnonzero(periodic.any(0)):
        f, reach, repeats = fractions[point, axis], far[body[point], axis], periodic[body[point], axis]
        low = np.where(repeats, np.ceil(-reach - f), 0).astype(np.int64)
        high = np.where(repeats, np.floor(1 + reach - f), 0).astype(np.int64)
        if half:
            low = np.where(step.any(1), low, np.maximum(low, 0))
        count = np.maximum(high - low + 1, 0)
        if (total := count.sum(dtype=np.float64)) > 2**31:
            raise ValueError(f"cutoff: got one that reaches {total:.3g} images of points, expected at most 2^31")
        row = np.repeat(np.arange(len(point)), count)
        point, step = point[row], step[row]
        step[:, axis] = np.arange(len(row)) + (low - (np.cumsum(count) - count))[row]
    if half:
        point, step = point[step.any(1)], step[step.any(1)]
    return point, step


def _shortened(lattice: Floats) -> Ints:
    """Integer matrices (bodies, v, v) that make short, nearly square bases of lattices (bodies, v, v): Gauss, pair by pair.

    A sheared cell would else repeat into many more points than are near.
    """
    basis = np.broadcast_to(np.eye(lattice.shape[1], dtype=np.int64), lattice.shape).copy()
    for _ in range(1000):
        before = basis.copy()
        for i, j in np.argwhere(~np.eye(lattice.shape[1], dtype=bool)):
            a, b = (np.einsum("na,nab->nb", basis[:, k], lattice) for k in (i, j))
            square = (b * b).sum(1)
            shorter = (square > 0) & (square <= (a * a).sum(1))
            times = np.rint((a * b).sum(1) / np.where(shorter, square, 1.0)) * shorter
            basis[:, i] -= times.astype(np.int64)[:, None] * basis[:, j]
        if (basis == before).all():
            break
    return basis


def _bodies(
    positions: Tensor, to: Tensor, batch: Tensor | None, to_batch: Tensor | None, cell: Tensor | None
) -> tuple[int, Ints, Ints]:
    """How many bodies there are, and the body of each source and of each target."""
    for name, points in (("positions", positions), ("to", to)):
        search.check_positions(name, points)
    if to.shape[1] != positions.shape[1] or to.dtype != positions.dtype:
        expected = f"{positions.dtype} (M, {positions.shape[1]}), as positions"
        raise ValueError(f"to: got {to.dtype} {tuple(to.shape)}, expected {expected}")
    if (batch is None) != (to_batch is None):
        given, lacking = ("batch", "to_batch") if to_batch is None else ("to_batch", "batch")
        raise ValueError(f"{lacking}: got None with {given}, expected the body of each point of both sets")
    single = cell is None or cell.ndim < 3
    if batch is None or to_batch is None:
        if not single and cell is not None and len(cell) != 1:
            raise ValueError(f"batch: got None with {len(cell)} cells, expected the body of each point")
        return 1, np.zeros(len(positions), dtype=np.int64), np.zeros(len(to), dtype=np.int64)
    search.check_batch("batch", batch, len(positions))
    search.check_batch("to_batch", to_batch, len(to))
    both = torch.cat([batch.cpu().long(), to_batch.cpu().long()])
    if single or cell is None:
        found, both = both.unique(return_inverse=True)
        bodies = len(found)
    else:
        bodies = len(cell)
        in_range("batch", both, bodies)
    return bodies, both[: len(positions)].numpy(), both[len(positions) :].numpy()


def _lattice(cell: Tensor | None, pbc: bool | Sequence[bool] | Tensor | None, bodies: int, v: int) -> Floats:
    """(bodies, v, v), float64: the lattice vectors along which each body repeats, and zero for the others."""
    try:
        repeats = torch.as_tensor(cell is not None if pbc is None else pbc).cpu()
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"pbc: got {pbc!r}, expected truth values, one of each lattice vector") from error
    if repeats.dtype != torch.bool or tuple(repeats.shape) not in ((), (v,), (bodies, v)):
        got = f"{repeats.dtype} {tuple(repeats.shape)}"
        raise ValueError(f"pbc: got {got}, expected torch.bool ({v},) or ({bodies}, {v}), a lattice vector each")
    if cell is None:
        if repeats.any():
            raise ValueError(f"cell: got None with pbc {pbc!r}, expected lattice vectors ({v}, {v})")
        return np.zeros((bodies, v, v))
    if tuple(cell.shape) not in ((v, v), (bodies, v, v)) or not cell.is_floating_point():
        got = f"{cell.dtype} {tuple(cell.shape)}"
        raise ValueError(f"cell: got {got}, expected floating point ({v}, {v}) or ({bodies}, {v}, {v})")
    finite("cell", cell)
    lattice = np.broadcast_to(search.as_float64(cell), (bodies, v, v)) * repeats.expand(bodies, v).numpy()[..., None]
    if (_volume(lattice, repeats.expand(bodies, v).numpy()) < 1e-10).any():
        raise ValueError(f"cell: got {cell.tolist()}, expected independent lattice vectors where pbc is true")
    return lattice


def _volume(lattice: Floats, repeats: NDArray[np.bool_]) -> Floats:
    """(bodies,): of the cells, between 0 and 1: each vector along which they repeat taken with length 1, the others left out."""
    lengths = np.linalg.norm(lattice, axis=2, keepdims=True)
    values = np.linalg.svd(lattice / np.where(lengths > 0, lengths, 1.0), compute_uv=False)
    rank = repeats.sum(1, keepdims=True)
    return np.where(np.arange(values.shape[1]) < rank, values, 1.0).prod(axis=1)
