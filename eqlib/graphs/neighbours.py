"""Which points see which: edges (2, E), int64, source above target, ordered by target and then by source.

A batch of bodies is one long list of points. `batch` (N,) holds the number of the body that each point belongs to, and no
edge joins two bodies. Every search here is brute force: it looks at all pairs inside a body.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def complete_graph(sizes: Sequence[int] | Tensor, loops: bool = False) -> Tensor:
    """All pairs inside each body, for `sizes` points in body 0, 1, ... that stand in this order; (2, E).

    loops: whether a point is its own neighbour, too. ValueError for negative or fractional sizes.

    >>> from eqlib import graphs
    >>> graphs.complete_graph([2, 1, 2]).tolist()  # bodies of two, one and two points
    [[1, 0, 4, 3], [0, 1, 3, 4]]
    """
    counts = torch.as_tensor(sizes).reshape(-1)
    if counts.numel() == 0:
        return torch.zeros(2, 0, dtype=torch.int64)
    if counts.is_floating_point() or counts.is_complex() or (counts < 0).any():
        raise ValueError(f"sizes: got {sizes!r}, expected integers >= 0")
    counts = counts.to(torch.int64)
    starts = counts.cumsum(0) - counts
    degrees = counts.repeat_interleave(counts)  # of each target, itself included
    target = torch.arange(len(degrees), device=counts.device).repeat_interleave(degrees)
    within = torch.arange(len(target), device=counts.device) - (degrees.cumsum(0) - degrees)[target]
    source = starts.repeat_interleave(counts)[target] + within
    edges = torch.stack([source, target])
    return edges if loops else edges[:, source != target]


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
    squares, apart = _pairs(positions, batch, loops)
    target, source = ((squares <= cutoff**2) & ~apart).nonzero(as_tuple=True)
    return torch.stack([source, target])


def knn_graph(positions: Tensor, k: int, batch: Tensor | None = None, loops: bool = False) -> Tensor:
    """For each target its k nearest in the same body, or all of them where there are fewer; (2, E), E <= k N.

    Of two at one distance the one with the lower index comes first. Edges are ordered by target and then by source, not by
    distance. Arguments and errors as in `radius_graph`; ValueError for a negative or fractional k.

    >>> import torch
    >>> from eqlib import graphs
    >>> positions = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    >>> graphs.knn_graph(positions, k=1).tolist()  # the third sees the second, but not the other way
    [[1, 0, 1], [0, 1, 2]]
    """
    if not isinstance(k, int) or k < 0:
        raise ValueError(f"k: got {k!r}, expected an integer >= 0")
    squares, apart = _pairs(positions, batch, loops)
    order = squares.masked_fill(apart, float("inf")).argsort(dim=1, stable=True)[:, :k]
    chosen = torch.zeros_like(apart).scatter(1, order, True) & ~apart
    target, source = chosen.nonzero(as_tuple=True)
    return torch.stack([source, target])


def _pairs(positions: Tensor, batch: Tensor | None, loops: bool) -> tuple[Tensor, Tensor]:
    """Squared distances (N, N), and which pairs may not be joined (N, N)."""
    if positions.ndim != 2 or not positions.is_floating_point():
        raise ValueError(f"positions: got {positions.dtype} {tuple(positions.shape)}, expected floating point (N, v)")
    if not positions.isfinite().all():
        raise ValueError(f"positions: got {tuple(positions.shape)} with NaN or infinite numbers, expected finite ones")
    n = len(positions)
    # Differences, not |a|^2 + |b|^2 - 2 a.b, which loses short distances far from the origin.
    squares = (positions[:, None] - positions[None]).square().sum(-1)
    apart = torch.zeros(n, n, dtype=torch.bool, device=positions.device)
    if batch is not None:
        if batch.shape != (n,) or batch.is_floating_point() or batch.is_complex():
            raise ValueError(f"batch: got {batch.dtype} {tuple(batch.shape)}, expected integers of shape ({n},)")
        apart = batch[:, None] != batch[None]
    if not loops:
        apart = apart | torch.eye(n, dtype=torch.bool, device=positions.device)
    return squares, apart
