"""Which points see which: pairs (2, E), int64, source above target, ordered by target and then by source.

A batch of bodies is one long list of points. `batch` (N,) holds the number of the body that each point belongs to, and no
edge joins two bodies. Searches take O(N log N); they run on the CPU, and the pairs come back to where the positions are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eqlib import doors
from eqlib.doors import Natural, typed
from eqlib.graphs import search
from eqlib.graphs.edges import PIECE


@typed
def complete_graph(sizes: Sequence[Any] | Tensor | int, loops: bool = False) -> Tensor:
    """All pairs inside each body, for `sizes` points in body 0, 1, ... that stand in this order; (2, E).

    loops: whether a point is its own neighbour, too. ValueError for negative or fractional sizes.

    >>> from eqlib import graphs
    >>> graphs.complete_graph([2, 1, 2]).tolist()  # bodies of two, one and two points
    [[1, 0, 4, 3], [0, 1, 3, 4]]
    """
    counts = checked_sizes(sizes)
    doors.affordable("pairs of all sizes", int((counts.double() ** 2).sum()))
    starts = counts.cumsum(0) - counts
    degrees = counts.repeat_interleave(counts)  # of each target, itself included
    target = torch.arange(len(degrees), device=counts.device).repeat_interleave(degrees)
    within = torch.arange(len(target), device=counts.device) - (degrees.cumsum(0) - degrees)[target]
    source = starts.repeat_interleave(counts)[target] + within
    edges = torch.stack([source, target])
    return edges if loops else edges[:, source != target]


def checked_sizes(sizes: Sequence[Any] | Tensor | int) -> Tensor:
    """Sizes (bodies,), int64; ValueError for negative and fractional ones."""
    try:
        counts = torch.as_tensor(sizes).reshape(-1)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"sizes: got {sizes!r}, expected integers >= 0") from error
    if counts.numel() == 0:
        return counts.to(torch.int64)
    if counts.is_floating_point() or counts.is_complex() or (counts < 0).any():
        raise ValueError(f"sizes: got {sizes!r}, expected integers >= 0")
    doors.affordable("points of all sizes", int(counts.double().sum()))
    return counts.to(torch.int64)


@typed
def radius_graph(positions: Tensor, cutoff: float, batch: Tensor | None = None, loops: bool = False) -> Tensor:
    """Pairs in one body at a Euclidean distance of at most `cutoff`, positions' unit; (2, E).

    positions: (N, v), finite. batch: (N,), integers, the body of each point; None: all in one. Two points in one place are
    neighbours. ValueError for another shape, NaN or inf, and a negative cut-off.

    >>> import torch
    >>> from eqlib import graphs
    >>> positions = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    >>> graphs.radius_graph(positions, cutoff=1.5).tolist()
    [[1, 0], [0, 1]]
    """
    if not cutoff >= 0:
        raise ValueError(f"cutoff: got {cutoff!r}, expected a length >= 0")
    body = _body(positions, batch)
    radius = search.reach(cutoff, positions.shape[1], positions.dtype)
    i, j = search.near(search.as_float64(positions), radius, body)
    own = np.arange(len(positions) if loops else 0)
    found, _ = search.ordered([(i, j, 0), (j, i, 0), (own, own, 0)], (len(positions), len(positions), 1))
    pairs = torch.from_numpy(found)
    x = positions.detach().cpu()
    squares = [_squares(x, *piece) for piece in pairs.split(PIECE, dim=1)]
    inside = torch.cat([pairs.new_zeros(0, dtype=torch.bool), *(some <= cutoff**2 for some in squares)])
    return (pairs if inside.all() else pairs[:, inside]).to(positions.device)


@typed
def knn_graph(positions: Tensor, k: Natural, batch: Tensor | None = None, loops: bool = False) -> Tensor:
    """For each target its k nearest in the same body, or all of them where there are fewer; (2, E), E <= k N.

    Of two at one distance the one with the lower index comes first. Edges are ordered by target and then by source, not by
    distance. Arguments and errors as in `radius_graph`; ValueError for a negative or fractional k.

    >>> import torch
    >>> from eqlib import graphs
    >>> positions = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    >>> graphs.knn_graph(positions, k=1).tolist()  # the third sees the second, but not the other way
    [[1, 0, 1], [0, 1, 2]]
    """
    k = doors.count("k", k)
    body, x, n = _body(positions, batch), positions.detach().cpu(), len(positions)
    if k == 0 or n == 0:
        return torch.zeros(2, 0, dtype=torch.int64, device=positions.device)
    pairs = [torch.zeros(2, 0, dtype=torch.int64)]
    for rows, found in search.nearest(search.as_float64(positions), k + (not loops), positions.dtype, body):
        target, source = torch.from_numpy(rows)[:, None], torch.from_numpy(found).sort(dim=1).values
        nobody = (source == n) | (False if loops else source == target)
        squares = _squares(x, source.clamp(max=n - 1), target)
        order = squares.masked_fill(nobody, float("inf")).argsort(dim=1, stable=True)[:, :k]
        kept = torch.zeros_like(nobody).scatter(1, order, True) & ~nobody
        pairs.append(torch.stack([source[kept], target.expand_as(source)[kept]]))
    edges = torch.cat(pairs, dim=1)
    return edges[:, edges[1].argsort(stable=True)].to(positions.device)


def _body(positions: Tensor, batch: Tensor | None) -> search.Ints | None:
    """The body of each point, counted from 0, on the CPU; ValueError for positions or a batch that will not do."""
    search.check_positions("positions", positions)
    if batch is None:
        return None
    search.check_batch("batch", batch, len(positions))
    return batch.unique(return_inverse=True)[1].cpu().numpy()


def _squares(positions: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Squared distances in positions' own dtype."""
    # Differences, not |a|^2 + |b|^2 - 2 a.b, which loses short distances far from the origin.
    return (positions[source] - positions[target]).square().sum(-1)
