"""The layers of a tensor field network of many channels, on rows: features lie by irrep, (component, copy, point), throughout.

Rows are what the convolution reads, and Schur's map of an irrep is one matrix product of its block; nothing is rearranged
between layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from eqlib import nn
from eqlib.graphs import Edges
from eqlib.groups import Irrep, Rep
from eqlib.models.rows import Mix
from eqlib.nn.blocks import split


class ByChannel(torch.nn.Module):
    """Layer after layer: copies of each irrep are mixed to `channels`, convolved each by itself, mixed; then a gate.

    The same function of points as `TensorFieldNetwork` documents, for which it is written; (N, rep.dim) before and after.

    Args:
        ends: the reps before and after each layer, gates not counted; the gates' numbers belong to what comes after.
        gated: what is behind the gate, for all layers but the last.
        degree, radial, mu, neighbours, channels: see `TensorFieldNetwork`.
        own: whether a point's own features are added. residual: for each gate, whether what came in is.
    """

    def __init__(
        self,
        ends: Sequence[tuple[Rep, Rep]],
        gated: Sequence[Rep],
        degree: int,
        radial: Callable[[], torch.nn.Module],
        mu: float,
        neighbours: float,
        channels: int,
        own: bool = True,
        residual: Sequence[bool] = (),
    ) -> None:
        super().__init__()
        self.rep_in, self.rep_out = ends[0][0], ends[-1][1]
        self.layers = torch.nn.ModuleList()
        self._gates = [RowGate(rep) for rep in gated]
        self._residual = residual
        for a, b in ends:
            self.layers.append(_Layer(a, b, degree, radial(), mu, neighbours, channels, own))

    def check_points(self, x: Tensor, positions: Tensor, edges: Tensor | None) -> None:
        """ValueError for features, positions and edges that do not fit together."""
        self.layers[0].convolution.check_points(x, positions, edges, self.rep_in)  # type: ignore[operator, union-attr]

    def forward(self, x: Tensor, edges: Edges) -> Tensor:
        """x (N, rep_in.dim) -> (targets, rep_out.dim)."""
        rows = opened(x, self.rep_in)
        for i, layer in enumerate(self.layers):
            y = layer(rows, edges)
            if i < len(self._gates):
                y = self._gates[i](y)
                if self._residual[i]:
                    y = {a: (rows[a] + y[a]) * 0.5**0.5 for a in y}
            rows = y
        return closed(rows, self.rep_out)


class _Layer(torch.nn.Module):
    """Mixed, convolved channel by channel, mixed again, and the point's own features added."""

    def __init__(
        self,
        rep_in: Rep,
        rep_out: Rep,
        degree: int,
        radial: torch.nn.Module,
        mu: float,
        neighbours: float,
        channels: int,
        own: bool,
    ) -> None:
        super().__init__()
        ins, outs, group = counts(rep_in), counts(rep_out), rep_in.group
        inside, outside = (group.rep([(channels, a) for a in some]) for some in (ins, outs))
        self._ins, self._outs = list(ins), list(outs)
        self.before = Mix(self._ins, list(ins.values()), channels)
        self.convolution = nn.PointConv(inside, outside, degree, radial, mu=mu, depthwise=True, neighbours=neighbours)
        # One map of what the convolution gives and of the point's own features, which keeps a variance of 1.
        self._own = [a for a in outs if own and a in ins]
        sizes = [channels + (ins[a] if a in self._own else 0) for a in outs]
        self.after = Mix(self._outs, sizes, list(outs.values()))
        biased = outs.get(group.trivial, 0)
        self.bias = torch.nn.Parameter(torch.zeros(biased, 1)) if biased else None

    def forward(self, rows: dict[Irrep, Tensor], edges: Edges) -> dict[Irrep, Tensor]:
        mixed = torch.cat(self.before([rows[a] for a in self._ins]))
        z = self.convolution.on_rows(mixed, edges).split([a.dim for a in self._outs])
        both = [torch.cat([y, rows[a]], dim=1) if a in self._own else y for a, y in zip(self._outs, z, strict=True)]
        by = dict(zip(self._outs, self.after(both), strict=True))
        if self.bias is not None:
            trivial = self.convolution.rep_out.group.trivial
            by[trivial] = by[trivial] + self.bias
        return by


class RowGate:
    """`nn.Gate` on rows: scalars pass through SiLU, other copies are multiplied by the sigmoid of the scalars behind."""

    def __init__(self, rep: Rep) -> None:
        found, self._trivial = counts(rep), rep.group.trivial
        self._scalars = found.pop(self._trivial, 0)
        self._others = found

    def __call__(self, rows: dict[Irrep, Tensor]) -> dict[Irrep, Tensor]:
        out: dict[Irrep, Tensor] = {}
        scalars, *gates = rows[self._trivial].split([self._scalars, *self._others.values()], dim=1)
        if self._scalars:
            out[self._trivial] = torch.nn.functional.silu(scalars)
        for a, gate in zip(self._others, gates, strict=True):
            out[a] = rows[a] * torch.sigmoid(gate)
        return out


def counts(rep: Rep) -> dict[Irrep, int]:
    """How many copies of each irrep a rep has, those of none left out."""
    found: dict[Irrep, int] = {}
    for mul, a in rep.blocks:
        if mul:
            found[a] = found.get(a, 0) + mul
    return found


def opened(x: Tensor, rep: Rep) -> dict[Irrep, Tensor]:
    """Features (N, rep.dim) by irrep, (d, copies, N)."""
    parts: dict[Irrep, list[Tensor]] = {}
    for block, (mul, a) in zip(split(x, rep, 1), rep.blocks, strict=True):
        if mul:
            parts.setdefault(a, []).append(block.permute(2, 1, 0))
    return {a: torch.cat(some, dim=1) for a, some in parts.items()}


def closed(rows: dict[Irrep, Tensor], rep: Rep) -> Tensor:
    """The other way: (d, copies, N) of each irrep as (N, rep.dim)."""
    used: dict[Irrep, int] = {}
    parts = []
    for mul, a in rep.blocks:
        if mul:
            first = used.get(a, 0)
            parts.append(rows[a][:, first : first + mul].permute(2, 1, 0).flatten(1))
            used[a] = first + mul
    return torch.cat(parts, dim=1)
