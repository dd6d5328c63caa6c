"""What no element of the group changes: scalars and squares."""

from __future__ import annotations

from torch import Tensor

from eqlib.doors import typed
from eqlib.groups import Rep
from eqlib.nn.blocks import Blockwise, check_axis, forms, joined, split


@typed
class Invariants(Blockwise):
    """The invariants of each copy: a scalar itself, else v.v for every symmetric form in Hom(a (x) a, 1).

    `rep_out` is that many trivial copies.

    >>> import torch
    >>> from eqlib import groups, nn
    >>> Lorentz = groups.Lorentz()
    >>> p = torch.tensor([5.0, 0, 0, 4]) @ torch.tensor(Lorentz.coordinates.T).float()  # E, px, py, pz in GeV
    >>> square = nn.Invariants(Lorentz.vector)
    >>> round(abs(float(square(p))), 4)  # the squared mass
    9.0
    """

    def __init__(self, rep: Rep, axis: int = -1) -> None:
        super().__init__(rep, axis)
        self.dim = sum(mul * len(forms(a)) for mul, a in rep.blocks)
        self.rep_out = rep.group.rep([(self.dim, rep.group.trivial)])

    def forward(self, x: Tensor) -> Tensor:
        check_axis("x", x, self.rep, self.axis)
        axis = self.axis % x.ndim
        out = [
            (block if self._trivial[i] else self._squares(i, block, axis + 1)).flatten(axis, axis + 1)
            for i, block in enumerate(split(x, self.rep, axis))
        ]
        return joined(out, x, axis)
