"""Several graphs as one: points body after body, and edges with indices that say so."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from eqlib.doors import typed
from eqlib.graphs.edges import Edges, in_range
from eqlib.graphs.pairs import checked_sizes


@typed
def batch_index(sizes: Sequence[Any] | Tensor | int) -> Tensor:
    """The body that each point belongs to, (N,), int64, for `sizes` points in body 0, 1, ... that stand in this order.

    `radius_graph`, `neighbours` and pooling take it. ValueError for negative or fractional sizes.

    >>> from eqlib import graphs
    >>> graphs.batch_index([2, 0, 3])
    tensor([0, 0, 2, 2, 2])
    """
    counts = checked_sizes(sizes)
    return torch.arange(len(counts), device=counts.device).repeat_interleave(counts)


def join(graphs: Sequence[Edges], sizes: Sequence[int] | Tensor | None = None) -> Edges:
    """The edges of several graphs as those of one, for points that are put together in the same order (`torch.cat`).

    sizes: how many sources each graph has; None: as many as targets, the same points. Vectors stay differentiable. Outputs
    at the targets are told apart by `batch_index([g.targets for g in graphs])`, or by `torch.split`. No graph at all gives
    no edges of vectors in space.

    ValueError for sizes that do not fit, and for graphs that differ in dtype, device or number of dimensions.

    >>> import torch
    >>> from eqlib import graphs
    >>> molecules = [torch.rand(3, 3), torch.rand(4, 3)]  # angstrom
    >>> edges = [graphs.neighbours(positions, cutoff=5.0) for positions in molecules]
    >>> joined = graphs.join(edges)
    >>> len(edges[0]), len(edges[1]), len(joined), joined.targets, int(joined.source.max())
    (6, 12, 18, 7, 6)
    """
    targets = [g.targets for g in graphs]
    counts = targets if sizes is None else checked_sizes(sizes).tolist()
    if len(counts) != len(targets):
        raise ValueError(f"sizes: got {len(counts)} of them, expected {len(targets)}, one for each graph")
    if not graphs:
        none = torch.zeros(0, dtype=torch.int64)
        return Edges(none, none, torch.zeros(0, 3), 0)
    for i, (g, n) in enumerate(zip(graphs, counts, strict=True)):
        in_range(f"graphs[{i}].source", g.source, n)
        for what in ("dtype", "device"):
            if (got := getattr(g.vectors, what)) != (expected := getattr(graphs[0].vectors, what)):
                raise ValueError(f"graphs[{i}]: got {what} {got}, expected {expected}, as the first has")
        if (got := g.vectors.shape[1]) != (expected := graphs[0].vectors.shape[1]):
            raise ValueError(f"graphs[{i}]: got vectors (E, {got}), expected (E, {expected}), as the first has")
    source = torch.cat([g.source + before for g, before in zip(graphs, accumulate(counts, initial=0), strict=False)])
    target = torch.cat([g.target + before for g, before in zip(graphs, accumulate(targets, initial=0), strict=False)])
    return Edges(source, target, torch.cat([g.vectors for g in graphs]), sum(targets))
