"""Steerable convolutions of events: sources with a 4-velocity act on the events that are asked for. Poincare equivariant."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from eqlib import nn
from eqlib.constants import Constants
from eqlib.doors import Degree, typed
from eqlib.graphs import Edges
from eqlib.graphs.edges import finite
from eqlib.groups import Rep
from eqlib.models.tensor_field import gated


@typed
class SourceNetwork(torch.nn.Module):
    """Features of sources (N, rep_in.dim) -> of targets (M, rep_out.dim), radial functions of invariants that are given.

    Layers between refine the sources: convolution among them + self-interaction, over 2^(1/2), then a gate. The last layer
    is a convolution from sources to targets. A `TensorFieldNetwork` has one set of points, and r.r alone.

    Args:
        rep_in, rep_out: features of a source and of a target. hidden: a rep, or its string, for each layer between.
        degree, mu, neighbours: see `nn.PointConv`.
        radial: called once for each layer, gives a module of the invariants, (E, ...) -> (E, n), with `.number` n.

    >>> import torch
    >>> from eqlib import graphs, groups, kernels, models
    >>> O3 = groups.O3()
    >>> net = models.SourceNetwork(O3.rep("0e"), O3.rep("1o"), [], 1, lambda: kernels.Gaussians(4, cutoff=3.0))
    >>> edges = graphs.Edges(torch.tensor([0]), torch.tensor([1]), torch.tensor([[0.0, 0, 1]]), targets=2)
    >>> net(torch.ones(1, 1), edges, torch.ones(1)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        rep_in: Rep,
        rep_out: Rep,
        hidden: Sequence[str | Rep],
        degree: Degree,
        radial: Callable[[], torch.nn.Module],
        mu: float = 0.0,
        neighbours: float = 1.0,
    ) -> None:
        super().__init__()
        gates, ends = gated(rep_in, rep_out, hidden)
        self.rep_in, self.rep_out = rep_in, rep_out
        self.gates = torch.nn.ModuleList(gates)
        self.own = torch.nn.ModuleList([nn.Linear(a, b) for a, b in ends[:-1]])
        self.convolutions = torch.nn.ModuleList(
            [nn.PointConv(a, b, degree, radial(), mu=mu, neighbours=neighbours) for a, b in ends]
        )

    def forward(
        self,
        x: Tensor,
        edges: Edges,
        invariants: Tensor,
        among: Edges | None = None,
        among_invariants: Tensor | None = None,
    ) -> Tensor:
        """x (N, rep_in.dim); edges from sources to targets with invariants (E, ...); `among` sources, for the layers between.

        ValueError where layers between have no edges, and for what the layers refuse.
        """
        *between, last = self.convolutions
        if between and (among is None or among_invariants is None):
            raise ValueError(f"among: got None for a network with {len(between)} layers among sources, expected edges")
        for convolution, own, gate in zip(between, self.own, self.gates, strict=True):
            x = gate((convolution(x, among, invariants=among_invariants) + own(x)) * 0.5**0.5)
        return last(x, edges, invariants=invariants)


@typed
class PoincareNetwork(Constants):
    """Sources with features, an event and a 4-velocity each -> features (M, rep_out.dim) of the events that are asked for.

    Equivariant under the group, under one shift of all events, and under permutations of sources and of targets: with the
    Lorentz group this is the Poincare group. Radial functions see r.r and r.u of an edge and its source (`kernels.RestFrame`).

    Args:
        rep_in, rep_out: features of a source and of a target, of a group whose vector is one irrep.
        hidden, degree, radial, mu, neighbours: see `SourceNetwork`; space-time needs mu > 0, m. radial: of invariants (E, 2).

    >>> import torch
    >>> from eqlib import groups, kernels, models
    >>> G = groups.Lorentz()
    >>> reps = G.rep("(0,0)+(1,1)"), G.rep("(2,0)")  # charge and current; field tensor
    >>> net = models.PoincareNetwork(*reps, [], degree=1, radial=lambda: kernels.RestFrame(8, cutoff=4.0), mu=1.0).double()
    >>> u = torch.tensor([[1.25, 0.75, 0.0, 0.0]]).double() @ torch.tensor(G.coordinates.T)  # components of G.vector
    >>> x = torch.cat([torch.ones(1, 1), u], dim=1)
    >>> a, b, pairs = torch.zeros(1, 4).double(), torch.tensor([[0.0, 0, 1, 2]]).double(), torch.tensor([[0], [0]])
    >>> g = G.sample(1, seed=0)
    >>> L, D = torch.tensor(G.vector(g)[0]), torch.tensor(reps[0](g)[0])
    >>> moved = net(x @ D.T, a @ L.T + 1.0, u @ L.T, b @ L.T + 1.0, pairs)
    >>> torch.allclose(moved, net(x, a, u, b, pairs) @ torch.tensor(reps[1](g)[0]).T)
    True
    """

    metric: Tensor

    def __init__(
        self,
        rep_in: Rep,
        rep_out: Rep,
        hidden: Sequence[str | Rep],
        degree: Degree,
        radial: Callable[[], torch.nn.Module],
        mu: float,
        neighbours: float = 1.0,
    ) -> None:
        super().__init__()
        group = rep_in.group
        if len(group.vector.blocks) != 1 or group.vector.blocks[0][0] != 1:
            raise ValueError(
                f"rep_in: got a rep of {group} with vector {group.vector}, expected a group whose vector is one irrep"
            )
        self.net = SourceNetwork(rep_in, rep_out, hidden, degree, radial, mu, neighbours)
        self.rep_in, self.rep_out, self.group = rep_in, rep_out, group
        self.constant("metric", group.metric)

    def forward(
        self,
        x: Tensor,
        events: Tensor,
        velocities: Tensor,
        at: Tensor,
        pairs: Tensor,
        among: Tensor | None = None,
    ) -> Tensor:
        """x (N, rep_in.dim), events and velocities (N, v), at (M, v), pairs (2, E) and among (2, E'), int64.

        Vectors are components of `group.vector`; differences of events are taken in their own dtype. pairs: sources above
        events asked for. among: pairs of sources, for the layers between.
        Raises ValueError for shapes, NaN, velocities but for u.u = 1, and what the layers refuse.
        """
        if velocities.shape != events.shape or not velocities.is_floating_point():
            raise ValueError(
                f"velocities: got {velocities.dtype} {tuple(velocities.shape)}, expected floating point "
                f"{tuple(events.shape)}, as events"
            )
        edges, u = Edges.between(events, pairs, to=at), velocities.to(x.dtype)
        if not torch.compiler.is_compiling():
            self._check(u)
        if not self.net.gates or among is None:
            return self.net(x, edges, self._invariants(edges, u))
        inside = Edges.between(events, among).sharing()
        return self.net(x, edges, self._invariants(edges, u), inside, self._invariants(inside, u))

    def _invariants(self, edges: Edges, u: Tensor) -> Tensor:
        """r.r and r.u, (E, 2), with the velocity of the source."""
        r = edges.vectors.to(u.dtype)
        both = torch.stack([r, u[edges.source]], 1)
        return torch.einsum("ei,ij,ekj->ek", r, self.metric, both)

    def _check(self, u: Tensor) -> None:
        finite("velocities", u)
        squares = ((u @ self.metric) * u).sum(-1)
        # Rounding of the components moves u.u by so much.
        wrong = (squares - 1).abs() > 1e-4 + 16 * torch.finfo(u.dtype).eps * u.square().sum(-1)
        if wrong.any():
            worst = float(squares[wrong][0])
            raise ValueError(
                f"velocities: got u.u = {worst:.6g}, expected 1 for each: a 4-velocity is time-like, of length 1"
            )
