"""Dropout of whole copies."""

from __future__ import annotations

import torch
from torch import Tensor

from eqlib.doors import typed
from eqlib.groups import Rep
from eqlib.groups.rep import same_group
from eqlib.nn.blocks import check_axis, shown


@typed
class Dropout(torch.nn.Module):
    """Sets whole copies to zero with probability p while training, and scales the others by 1 / (1 - p).

    One draw for each copy at every place before the feature axis: with axis=1 a whole map of an image goes.

    >>> import torch
    >>> from eqlib import groups, nn
    >>> _ = torch.manual_seed(0)
    >>> y = nn.Dropout(groups.O3().rep("1o"), p=0.5)(torch.ones(100, 3))
    >>> y.unique(dim=0).tolist()  # a vector goes whole or stays whole
    [[0.0, 0.0, 0.0], [2.0, 2.0, 2.0]]
    """

    extra_repr = shown

    def __init__(self, rep: Rep, p: float = 0.5, axis: int = -1) -> None:
        super().__init__()
        same_group(rep=rep)
        if not 0 <= p < 1:
            raise ValueError(f"p: got {p!r}, expected a probability below 1")
        self.rep, self.p, self.axis = rep, p, axis

    def forward(self, x: Tensor) -> Tensor:
        check_axis("x", x, self.rep, self.axis)
        if not self.training or self.p == 0 or not self.rep.blocks:
            return x
        axis = self.axis % x.ndim
        draws = torch.nn.functional.dropout(x.new_ones(*x.shape[:axis], self.rep.copies), self.p)
        parts = draws.split([mul for mul, _ in self.rep.blocks], -1)
        keep = torch.cat([d.repeat_interleave(a.dim, -1) for d, (_, a) in zip(parts, self.rep.blocks, strict=True)], -1)
        return x * keep.view(*x.shape[: axis + 1], *[1] * (x.ndim - axis - 1))
