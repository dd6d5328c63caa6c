"""The linear maps that Schur's lemma leaves: intertwiners of the irreps."""

from __future__ import annotations

import torch
from torch import Tensor

from eqlib import doors
from eqlib.constants import Constants
from eqlib.doors import typed
from eqlib.groups import Rep
from eqlib.groups.rep import same_group
from eqlib.nn.blocks import check_axis, check_dtype, joined, shown, split


@typed
class Linear(Constants):
    """The equivariant linear map (..., rep_in.dim) -> (..., rep_out.dim): copies of one irrep are mixed, no others.

    Such a map is an intertwiner: W rho_in(g) = rho_out(g) W. It has sum mul_in * mul_out * endo weights (Schur), and with
    `bias` one number for each trivial copy of the output. `axis` is the feature axis (1 for images).

    >>> import torch
    >>> from eqlib import groups, nn
    >>> O3 = groups.O3()
    >>> layer = nn.Linear(O3.rep("8x0e+4x1o"), O3.rep("4x0e+2x1o+2e"))
    >>> layer(torch.zeros(10, 20)).shape
    torch.Size([10, 15])
    >>> layer.weight.numel() == 8 * 4 + 4 * 2  # nothing goes in that could come out as 2e
    True
    """

    extra_repr = shown

    def __init__(self, rep_in: Rep, rep_out: Rep, bias: bool = True, axis: int = -1) -> None:
        super().__init__()
        same_group(rep_in=rep_in, rep_out=rep_out)
        self.rep_in, self.rep_out, self.axis = rep_in, rep_out, axis
        trivial = rep_in.group.trivial
        weights, self._plan = [], []
        start = 0
        for i, (mul_out, b) in enumerate(rep_out.blocks):
            sources = [j for j, (_, a) in enumerate(rep_in.blocks) if a == b]
            fan = sum(rep_in.blocks[j][0] for j in sources)
            if b.endo > 1:
                self.constant(f"endo_{i}", b.endomorphisms)
            count = mul_out * fan * b.endo
            doors.affordable(f"weights from {rep_in} to {mul_out}x{b.label}", count)
            weights.append(torch.randn(count) / max(1, fan * b.endo) ** 0.5)
            self._plan.append((sources, fan, slice(start, start + count)))
            start += count
        self.weight = torch.nn.Parameter(torch.cat(weights) if weights else torch.zeros(0))
        biased = sum(mul for mul, b in rep_out.blocks if b == trivial) if bias else 0
        self.bias = torch.nn.Parameter(torch.zeros(biased)) if biased else None

    def forward(self, x: Tensor) -> Tensor:
        check_axis("x", x, self.rep_in, self.axis)
        check_dtype("x", x, self.weight)
        x = x.movedim(self.axis, -1)
        parts = split(x, self.rep_in, x.ndim - 1)
        out, bias = [], 0
        for i, (mul, b) in enumerate(self.rep_out.blocks):
            sources, fan, where = self._plan[i]
            if fan == 0:
                y = x.new_zeros(*x.shape[:-1], mul * b.dim)
            else:
                inputs = parts[sources[0]] if len(sources) == 1 else torch.cat([parts[j] for j in sources], dim=-2)
                w = self.weight[where].view(mul, fan, b.endo)
                if b.endo == 1:
                    y = (w[..., 0] @ inputs).flatten(-2)
                else:
                    full = torch.einsum("uve,eij->uivj", w, getattr(self, f"endo_{i}")).reshape(
                        mul * b.dim, fan * b.dim
                    )
                    y = inputs.flatten(-2) @ full.T
            if self.bias is not None and b == self.rep_out.group.trivial:
                y = y + self.bias[bias : bias + mul]
                bias += mul
            out.append(y)
        return joined(out, x, -1).movedim(-1, self.axis)
