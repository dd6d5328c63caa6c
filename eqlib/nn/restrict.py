"""From a group to a subgroup, in the middle of a network."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from eqlib.constants import Constants
from eqlib.doors import typed
from eqlib.groups import Embedding, Group, Rep, fields, restrict
from eqlib.groups.rep import same_group
from eqlib.nn.blocks import check_axis, shown


@typed
class Restrict(Constants):
    """Features of a group as features of a subgroup, (..., rep.dim) -> (..., rep_out.dim): nothing is computed, only regrouped.

    The symmetry of the layers behind it is smaller: a network may turn with the image where features are small, and know up
    from down where they are large (Weiler and Cesa 2019, Sec. 2.7). `rep_out` has one block for each irrep of the subgroup.
    `embedding` as in `groups.restrict`; ValueError where the subgroup is none.

    >>> import torch
    >>> from eqlib import groups, nn
    >>> behind = nn.Restrict(groups.O2().rep("4x0e+2x1"), groups.SO2())  # from here on mirror images differ
    >>> behind.rep_out
    SO2: 4x0+2x1
    >>> behind(torch.zeros(10, 8)).shape
    torch.Size([10, 8])
    """

    basis: Tensor

    extra_repr = shown

    def __init__(self, rep: Rep, subgroup: Group, embedding: Embedding | None = None, axis: int = -1) -> None:
        super().__init__()
        same_group(rep=rep)
        small, q = restrict(rep, subgroup, embedding)
        self.rep, self.axis = rep, axis
        self.rep_out = fields(small, 1)
        places = [
            np.arange(where.start, where.stop)
            for _, a in self.rep_out.blocks
            for (_, b), where in zip(small.blocks, small.slices, strict=True)
            if a == b
        ]
        self.constant("basis", q[:, np.concatenate(places) if places else []])

    def forward(self, x: Tensor) -> Tensor:
        check_axis("x", x, self.rep, self.axis)
        return (x.movedim(self.axis, -1) @ self.basis).movedim(-1, self.axis)
