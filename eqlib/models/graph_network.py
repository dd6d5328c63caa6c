"""A plain graph network: sums over neighbours, shared weights, a sum over the nodes at the end."""

from __future__ import annotations

import torch
from torch import Tensor

from eqlib.doors import Few, Positive, typed


@typed
class GraphNetwork(torch.nn.Module):
    """Graphs of any size -> outputs (n, outputs) that do not depend on the order of the nodes.

    Each step is h -> silu(W h + b + V sum of the neighbours' h), the same for all nodes; the last features, summed over the
    nodes, go through a small dense network. Gilmer et al. 2017 (message passing), with messages that are linear.

    >>> import torch
    >>> from eqlib import models
    >>> _ = torch.manual_seed(0)
    >>> net = models.GraphNetwork()
    >>> path, spins = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]]), torch.tensor([[1.0], [-1.0], [1.0]])
    >>> new = [2, 0, 1]  # other names for the nodes
    >>> torch.allclose(net(path[None], spins[None]), net(path[new][:, new][None], spins[new][None]), atol=1e-6)
    True
    """

    def __init__(self, channels: Positive = 1, width: Positive = 24, steps: Few = 2, outputs: Positive = 1) -> None:
        super().__init__()
        sizes = [channels] + [width] * steps
        self.own = torch.nn.ModuleList(torch.nn.Linear(a, width) for a in sizes[:-1])
        self.neighbours = torch.nn.ModuleList(torch.nn.Linear(a, width, bias=False) for a in sizes[:-1])
        self.readout = torch.nn.Sequential(
            torch.nn.Linear(width, width), torch.nn.SiLU(), torch.nn.Linear(width, outputs)
        )

    def features(self, adjacency: Tensor, x: Tensor) -> Tensor:
        """adjacency (n, nodes, nodes) and x (n, nodes, channels) -> (n, nodes, width), in the order of the nodes."""
        nodes = x.shape[-2]
        if adjacency.shape[-2:] != (nodes, nodes):
            raise ValueError(
                f"adjacency must have shape (n, {nodes}, {nodes}) for x {tuple(x.shape)}, got {tuple(adjacency.shape)}"
            )
        for own, neighbours in zip(self.own, self.neighbours, strict=True):
            x = torch.nn.functional.silu(own(x) + adjacency @ neighbours(x))
        return x

    def forward(self, adjacency: Tensor, x: Tensor) -> Tensor:
        return self.readout(self.features(adjacency, x).sum(-2))
