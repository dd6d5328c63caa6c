"""Rival of a tensor field network on molecules: invariant features, but with angles."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from eqlib import nn
from eqlib.doors import Degree, Few, typed
from eqlib.graphs import Edges
from eqlib.groups import Rep
from eqlib.models.heads import perceptron


@typed
class AngularNetwork(torch.nn.Module):
    """Scalars of points (N, channels) -> (N, channels): each layer sees its neighbours' distances and the angles between them.

    A layer convolves scalars with harmonics up to `degree` and keeps of each result its square alone. By the addition theorem
    that is a sum over pairs of neighbours of f(d) f(d') P_l(cos of the angle between them): three-body terms, as in Behler
    and Parrinello (2007) and Bartok et al., On representing chemical environments (2013), here with learnt features. No
    tensor goes from one layer to the next; that is all that a `TensorFieldNetwork` has besides.

    Args:
        rep: scalars, before and after. degree: of the harmonics; 0 leaves distances alone.
        layers, radial, neighbours: see `TensorFieldNetwork`.

    >>> import torch
    >>> from eqlib import graphs, groups, kernels, models
    >>> _ = torch.manual_seed(0)
    >>> net = models.AngularNetwork(groups.O3().rep("4x0e"), 2, 1, lambda: kernels.Gaussians(4, cutoff=3.0))
    >>> bent, straight = torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 1, 0]]), torch.tensor([[1.0, 0, 0], [0, 0, 0], [-1, 0, 0]])
    >>> edges = torch.tensor([[0, 2], [1, 1]])  # both ends seen from the middle
    >>> a, b = (net(torch.ones(3, 4), graphs.Edges.between(x, edges))[1] for x in (bent, straight))
    >>> torch.allclose(a, b, atol=1e-3)
    False
    """

    def __init__(
        self,
        rep: Rep,
        degree: Degree,
        layers: Few,
        radial: Callable[[], torch.nn.Module],
        neighbours: float = 1.0,
    ) -> None:
        super().__init__()
        if any(not a.is_trivial for _, a in rep.blocks):
            raise ValueError(f"rep: got {rep!r}, expected scalars alone")
        self.rep_in = self.rep_out = rep
        group, n = rep.group, rep.dim
        seen = group.rep([(n, group.harmonic(J)) for J in range(degree + 1)])
        self.invariants = nn.Invariants(seen)
        self.before = torch.nn.ModuleList(torch.nn.Linear(n, n) for _ in range(layers))
        self.convolutions = torch.nn.ModuleList(
            nn.PointConv(rep, seen, degree, radial(), depthwise=True, neighbours=neighbours) for _ in range(layers)
        )
        self.behind = torch.nn.ModuleList(perceptron([n + self.invariants.dim, n, n]) for _ in range(layers))

    def forward(self, x: Tensor, edges: Edges) -> Tensor:
        """x (N, rep.dim) and edges among the same points."""
        found = edges.sharing()
        for before, convolution, behind in zip(self.before, self.convolutions, self.behind, strict=True):
            seen = self.invariants(convolution(before(x), found))
            scalars, squares = seen.split([x.shape[1], seen.shape[1] - x.shape[1]], dim=1)
            # As the square where that is small and as the length where it is large, or layers would square again and again.
            x = x + behind(torch.cat([x, scalars, squares / (1 + squares).sqrt()], dim=1))
        return x
