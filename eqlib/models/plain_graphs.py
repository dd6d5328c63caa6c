"""Baseline: a dense network on the flat adjacency of a graph, which knows no permutations."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eqlib.constants import Constants
from eqlib.data import rename_nodes
from eqlib.doors import Positive, typed
from eqlib.models.heads import perceptron


@typed
class DenseGraphs(Constants):
    """A network on flat graphs: the entries of the adjacency above the diagonal, then x -> (n,).

    `sort` first puts the nodes of each graph in the order of x, then of their number of neighbours, then of their neighbours'
    numbers: an attempt at a canonical order, which leaves ties as they come.

    >>> import torch
    >>> from eqlib import models
    >>> net = models.DenseGraphs([16], nodes=4)
    >>> net(torch.ones(2, 4, 4) - torch.eye(4), torch.ones(2, 4, 1)).shape
    torch.Size([2, 1])
    """

    def __init__(self, hidden: list[Positive], sort: bool = False, nodes: Positive = 8) -> None:
        super().__init__()
        self.sort, self.nodes = sort, nodes
        self.layers = perceptron([nodes * (nodes + 1) // 2, *hidden, 1])
        self.constant("upper", np.triu_indices(nodes, 1))

    upper: Tensor

    def forward(self, adjacency: Tensor, x: Tensor) -> Tensor:
        """adjacency (n, nodes, nodes), x (n, nodes, 1) -> (n, 1)."""
        if self.sort:
            degree = adjacency.sum(-1)
            beyond = (adjacency @ degree[..., None])[..., 0]
            key = (x[..., 0] * self.nodes + degree) * self.nodes**2 + beyond
            adjacency, x = rename_nodes(adjacency, x, key.argsort(dim=-1, stable=True))
        return self.layers(torch.cat([adjacency[:, self.upper[0], self.upper[1]], x[..., 0]], dim=-1))
