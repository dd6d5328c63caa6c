"""A tensor field network: convolutions of points with learnt radial functions, for any group with harmonics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from eqlib import nn
from eqlib.groups import Rep
from eqlib.groups.rep import same_group


class TensorFieldNetwork(torch.nn.Module):
    """Features of points (N, rep_in.dim) -> (N, rep_out.dim), or (bodies, rep_out.dim) where they are summed over bodies.

    A layer is y = (convolution of x + self-interaction of x) / 2^(1/2), then a gate; the last layer has no gate. Every layer
    sees the same positions and edges. After Thomas et al., Tensor field networks (2018), with gates in place of their norm
    activations and any group in place of SO(3).

    Args:
        rep_in, rep_out: features of a point, before and after.
        hidden: a rep, or its string, for each layer between; empty for a single layer from rep_in to rep_out.
        degree: highest harmonic degree of a filter.
        radial: called once for each layer, gives its radial module (see `eqlib.kernels.radial`).
        mu: scale of the harmonics' argument, positions' unit (see `nn.PointConv`); space-time needs mu > 0.
        neighbours: expected number of edges a target, for the size of the initial features.
        self_interaction: whether a point's own features are added, through `nn.Linear`. Without it a layer is the
            convolution alone.

    >>> import torch
    >>> from eqlib import graphs, groups, kernels, models
    >>> _ = torch.manual_seed(0)
    >>> O3 = groups.O3()
    >>> net = models.TensorFieldNetwork(O3.rep("0e"), O3.rep("1o"), ["4x0e+2x1o"], 1, lambda: kernels.Gaussians(4, 3.0))
    >>> net, positions, edges = net.double(), torch.rand(5, 3).double(), graphs.complete_graph([5])
    >>> turn = torch.tensor(O3.matrix(O3.sample(1, seed=0))[0])
    >>> x = torch.ones(5, 1).double()
    >>> torch.allclose(net(x, positions @ turn.T, edges), net(x, positions, edges) @ turn.T)
    True
    """

    def __init__(
        self,
        rep_in: Rep,
        rep_out: Rep,
        hidden: Sequence[str | Rep],
        degree: int,
        radial: Callable[[], torch.nn.Module],
        mu: float = 0.0,
        neighbours: float = 1.0,
        self_interaction: bool = True,
    ) -> None:
        super().__init__()
        same_group(rep_in=rep_in, rep_out=rep_out)
        if isinstance(hidden, str):
            raise ValueError(f"hidden: got the string {hidden!r}, expected a list of reps, one for each layer between")
        self.rep_in, self.rep_out = rep_in, rep_out
        gates = [nn.Gate(rep_in.group.rep(text)) for text in hidden]
        before = [rep_in, *(gate.rep for gate in gates)]
        after = [*(gate.rep_in for gate in gates), rep_out]
        pairs = list(zip(before, after, strict=True))
        self.gates = torch.nn.ModuleList(gates)
        self.convolutions = torch.nn.ModuleList(
            [nn.PointConv(a, b, degree, radial(), mu=mu, neighbours=neighbours) for a, b in pairs]
        )
        self.own = torch.nn.ModuleList([nn.Linear(a, b) for a, b in pairs] if self_interaction else [])

    def forward(
        self, x: Tensor, positions: Tensor, edges: Tensor, batch: Tensor | None = None, bodies: int | None = None
    ) -> Tensor:
        """x (N, rep_in.dim) at positions (N, v), components of `group.vector`, with edges (2, E) from source to target.

        batch: (N,), int64, the body of each point, 0 ... bodies - 1; given, features are summed over each body. A body
        without points gets zeros. ValueError for another shape or type, a number out of range, and what the layers refuse.
        """
        if (batch is None) != (bodies is None):
            raise ValueError(
                f"batch, bodies: got bodies={bodies!r} with{'out' * (batch is None)} batch, expected both or none"
            )
        for i, convolution in enumerate(self.convolutions):
            y = convolution(x, positions, edges)
            if self.own:
                y = (y + self.own[i](x)) * 0.5**0.5
            x = self.gates[i](y) if i < len(self.gates) else y
        if batch is None or bodies is None:
            return x
        if batch.shape != x.shape[:1] or batch.dtype != torch.int64:
            raise ValueError(f"batch: got {batch.dtype} {tuple(batch.shape)}, expected torch.int64 ({x.shape[0]},)")
        if not torch.compiler.is_compiling() and x.shape[0] and not 0 <= int(batch.min()) <= int(batch.max()) < bodies:
            raise ValueError(f"batch: got {int(batch.min())} ... {int(batch.max())}, expected 0 ... {bodies - 1}")
        return x.new_zeros(bodies, x.shape[1]).index_add(0, batch, x)
