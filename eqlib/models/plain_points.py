"""Baseline: networks on points that know nothing of rotations, with the inputs and outputs of the tensor field network."""

from __future__ import annotations

import torch
from torch import Tensor

from eqlib import doors
from eqlib.constants import Constants
from eqlib.doors import Positive, typed
from eqlib.models.heads import perceptron


@typed
class CoordinateMLP(Constants):
    """A dense network on all masses and coordinates of a body of exactly `points` points -> (N, outputs), one row a point.

    For each point it sees the body with that point first and the others in their order. `differences`: positions are
    taken from that point, which hands it the symmetry under translations.

    >>> import torch
    >>> from eqlib import graphs, models
    >>> net = models.CoordinateMLP(points=4, outputs=6, hidden=[16])
    >>> net(torch.ones(8, 1), torch.rand(8, 3), graphs.complete_graph([4, 4])).shape  # two bodies
    torch.Size([8, 6])
    """

    def __init__(self, points: Positive, outputs: Positive, hidden: list[Positive], differences: bool = False) -> None:
        super().__init__()
        self.points, self.differences = points, differences
        self.layers = perceptron([4 * points, *hidden, outputs])
        doors.affordable(f"orders of {points} points", points**2)
        self.constant("order", [[i, *range(i), *range(i + 1, points)] for i in range(points)])

    order: Tensor

    def forward(self, x: Tensor, positions: Tensor, edges: Tensor) -> Tensor:
        """x (N, 1) and positions (N, 3) of whole bodies, N a multiple of `points`; edges are not looked at."""
        if len(x) % self.points:
            raise ValueError(f"x: got {len(x)} points, expected bodies of {self.points} points each")
        places = positions.unflatten(0, (-1, self.points))[:, self.order]
        if self.differences:
            places = places - places[:, :, :1]
        masses = x.unflatten(0, (-1, self.points))[:, self.order]
        return self.layers(torch.cat([masses, places], dim=-1).flatten(2)).flatten(0, 1)


@typed
class PairMLP(torch.nn.Module):
    """y_t = sum over edges of x_s f(position of s - position of t), f a dense network: (N, 1) -> (N, outputs).

    It shares with a tensor field layer all but the rotations: translations, permutations, any number of points, and that it
    is linear in x.

    >>> import torch
    >>> from eqlib import graphs, models
    >>> _ = torch.manual_seed(0)
    >>> net, positions = models.PairMLP(outputs=6, hidden=[16]), torch.rand(8, 3)
    >>> edges = graphs.complete_graph([5, 3])
    >>> y = net(torch.ones(8, 1), positions, edges)
    >>> torch.allclose(y, net(torch.ones(8, 1), positions + 1, edges), atol=1e-5)
    True
    """

    def __init__(self, outputs: Positive, hidden: list[Positive]) -> None:
        super().__init__()
        self.layers = perceptron([3, *hidden, outputs])

    def forward(self, x: Tensor, positions: Tensor, edges: Tensor) -> Tensor:
        """x (N, 1), positions (N, 3), edges (2, E): source above target."""
        terms = x[edges[0]] * self.layers(positions[edges[0]] - positions[edges[1]])
        return terms.new_zeros(len(x), terms.shape[1]).index_add(0, edges[1], terms)
