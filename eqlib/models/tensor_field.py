"""A tensor field network: convolutions of points with learnt radial functions, for any group with harmonics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from eqlib import doors, nn
from eqlib.doors import Degree, Positive, typed
from eqlib.graphs import Edges
from eqlib.groups import Rep
from eqlib.groups.rep import same_group
from eqlib.models.by_channel import ByChannel


def gated(rep_in: Rep, rep_out: Rep, hidden: Sequence[str | Rep]) -> tuple[list[nn.Gate], list[tuple[Rep, Rep]]]:
    """The gates behind all layers but the last, and the reps before and after each layer, its gate not counted.

    >>> from eqlib import groups
    >>> from eqlib.models.tensor_field import gated
    >>> gated(groups.O3().rep("0e"), groups.O3().rep("1o"), ["2x0e+1o"])[1]
    [(O3: 1x0e, O3: 2x0e+1x1o+1x0e), (O3: 2x0e+1x1o, O3: 1x1o)]
    """
    same_group(rep_in=rep_in, rep_out=rep_out)
    if isinstance(hidden, str):
        raise ValueError(f"hidden: got the string {hidden!r}, expected a list of reps, one for each layer between")
    gates = [nn.Gate(rep_in.group.rep(text)) for text in hidden]
    before, after = [rep_in, *(gate.rep for gate in gates)], [*(gate.rep_in for gate in gates), rep_out]
    return gates, list(zip(before, after, strict=True))


@typed
class TensorFieldNetwork(torch.nn.Module):
    """Features of points (N, rep_in.dim) -> (N, rep_out.dim), or (bodies, rep_out.dim) where they are summed over bodies.

    A layer is y = (convolution of x + self-interaction of x) / 2^(1/2), then a gate; the last layer has no gate. Every layer
    sees the same positions and edges, and what depends on those alone is computed once. After Thomas et al., Tensor field
    networks (2018), with gates in place of their norm activations and any group in place of SO(3).

    Args:
        rep_in, rep_out: features of a point, before and after.
        hidden: a rep, or its string, for each layer between; empty for a single layer from rep_in to rep_out.
        degree: highest harmonic degree of a filter.
        radial: called once for each layer, gives its radial module (see `eqlib.kernels.radial`).
        mu: scale of the harmonics' argument, positions' unit (see `nn.PointConv`); space-time needs mu > 0.
        neighbours: expected number of edges a target, for the size of the initial features.
        self_interaction: whether a point's own features are added, through `nn.Linear`. Without it a layer is the
            convolution alone.
        channels: None convolves features as they are and mixes channels in the sum over edges, which suits small networks
            and l <= 2. A number turns features into that many copies of each irrep first, convolves each copy by itself
            with weights for each edge, and mixes behind: far cheaper from about 8 channels or l = 2 on (Batzner et al.,
            NequIP, 2022, and Passaro and Zitnick 2023 for its products).
        residual: whether a layer whose features stay of one kind adds what came in behind its gate, over 2^(1/2).
        pairs: a rep of outputs of edges instead of points, (E, pairs.dim), from both ends and the vector between them.

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
        degree: Degree,
        radial: Callable[[], torch.nn.Module],
        mu: float = 0.0,
        neighbours: float = 1.0,
        self_interaction: bool = True,
        channels: Positive | None = None,
        residual: bool = False,
        pairs: Rep | None = None,
    ) -> None:
        super().__init__()
        gates, ends = gated(rep_in, rep_out, hidden)
        channels = None if channels is None else doors.count("channels", channels, 1)
        self.rep_in, self.rep_out = rep_in, rep_out
        self.gates = torch.nn.ModuleList(gates)

        def convolution(a: Rep, b: Rep) -> torch.nn.Module:
            if channels is None:
                return nn.PointConv(a, b, degree, radial(), mu=mu, neighbours=neighbours)
            return ByChannel([(a, b)], [], degree, radial, mu, neighbours, channels, own=False)

        self._residual = [residual and a == gate.rep for (a, _), gate in zip(ends, gates, strict=False)]
        self.rows: ByChannel | None = None
        if channels is None:
            self.convolutions = torch.nn.ModuleList([convolution(a, b) for a, b in ends])
            self.own = torch.nn.ModuleList([nn.Linear(a, b) for a, b in ends] if self_interaction else [])
        else:
            how = degree, radial, mu, neighbours, channels
            self.rows = ByChannel(ends, [gate.rep for gate in gates], *how, self_interaction, self._residual)
        self.readout: torch.nn.Module | None = None
        if pairs is not None:
            same_group(rep_out=rep_out, pairs=pairs)
            self.readout = _Pairs(rep_out, pairs, convolution)

    def forward(
        self,
        x: Tensor,
        positions: Tensor | Edges,
        edges: Tensor | None = None,
        batch: Tensor | None = None,
        bodies: int | None = None,
    ) -> Tensor:
        """forward(x, edges) with `graphs.Edges`, or forward(x, positions, edges); x (N, rep_in.dim).

        positions: (N, v), components of `group.vector`, with edges (2, E), int64, source above target. batch: (N,), int64, the
        body of each point, 0 ... bodies - 1; given, outputs are summed over each body (of pairs, over that of the target). A body
        without points gets zeros. ValueError for another shape or type, a number out of range, and what the layers refuse.
        """
        if (batch is None) != (bodies is None):
            raise ValueError(
                f"batch, bodies: got bodies={bodies!r} with{'out' * (batch is None)} batch, expected both or none"
            )
        if isinstance(positions, Edges):
            found = positions.sharing()
        else:
            (self.rows or self.convolutions[0]).check_points(x, positions, edges)  # type: ignore[operator]
            assert edges is not None
            found = Edges.between(positions, edges).sharing()
        if found.targets != x.shape[0]:
            raise ValueError(f"edges: got {found.targets} targets for {x.shape[0]} points, expected one for each point")
        x = self._plain(x, found) if self.rows is None else self.rows(x, found)
        if self.readout is not None:
            x = self.readout(x, found)
        if batch is None or bodies is None:
            return x
        if batch.shape != (found.targets,) or batch.dtype != torch.int64:
            raise ValueError(f"batch: got {batch.dtype} {tuple(batch.shape)}, expected torch.int64 ({found.targets},)")
        if (
            not torch.compiler.is_compiling()
            and batch.numel()
            and not 0 <= int(batch.min()) <= int(batch.max()) < bodies
        ):
            raise ValueError(f"batch: got {int(batch.min())} ... {int(batch.max())}, expected 0 ... {bodies - 1}")
        of = batch if self.readout is None else batch[found.target]
        return x.new_zeros(bodies, x.shape[1]).index_add(0, of, x)

    def _plain(self, x: Tensor, edges: Edges) -> Tensor:
        for i, convolution in enumerate(self.convolutions):
            y = convolution(x, edges)
            if self.own:
                y = (y + self.own[i](x)) * 0.5**0.5
            if i < len(self.gates):
                y = self.gates[i](y)
                if self._residual[i]:
                    y = (x + y) * 0.5**0.5
            x = y
        return x


class _Pairs(torch.nn.Module):
    """Features of both ends of an edge, the source's convolved along it, gated and mixed: (E, rep.dim)."""

    def __init__(self, points: Rep, rep: Rep, convolution: Callable[[Rep, Rep], torch.nn.Module]) -> None:
        super().__init__()
        self.gate = nn.Gate(rep)
        self.along, self.there = convolution(points, self.gate.rep_in), nn.Linear(points, self.gate.rep_in)
        self.mix = nn.Linear(rep, rep)

    def forward(self, x: Tensor, edges: Edges) -> Tensor:
        e = edges.source.shape[0]
        alone = edges.onto(torch.arange(e, device=x.device), e)
        y = (self.along(x, alone) + self.there(x)[edges.target]) * 0.5**0.5
        return self.mix(self.gate(y))
