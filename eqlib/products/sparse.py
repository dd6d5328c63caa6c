"""The bilinear map of one Clebsch-Gordan tensor that is too large, or too empty, for dense products: E8's 248 x 248 -> 3875."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from eqlib.constants import Constants
from eqlib.groups import CG

LARGE = 500_000  # entries
EMPTY = 50  # entries for each one that is not zero


def pays(cg: CG) -> bool:
    """Whether the tensor is large and empty enough for `SparseProduct` to be the faster one.

    >>> from eqlib import groups
    >>> from eqlib.products import pays
    >>> pays(groups.O3().clebsch_gordan("1o", "1o", "1e"))  # 27 entries: the dense product is faster
    False
    """
    size = prod(cg.shape)
    return size > LARGE and size > EMPTY * len(cg.values)


class SparseProduct(Constants):
    """x (..., u, a), y (..., v, b) -> (..., K, u, v, c): one product of numbers for each entry of the tensor.

    >>> import torch
    >>> from eqlib import groups
    >>> from eqlib.products import SparseProduct
    >>> cross = SparseProduct(groups.O3().clebsch_gordan("1o", "1o", "1e"))
    >>> x, y, z = torch.eye(3)[:, None]  # one copy of each
    >>> product = cross(x, y)
    >>> product.shape, bool(torch.linalg.cross(product.flatten(), z[0]).abs().max() < 1e-6)
    (torch.Size([1, 1, 1, 3]), True)
    """

    left: Tensor
    right: Tensor
    target: Tensor
    values: Tensor

    def __init__(self, cg: CG) -> None:
        super().__init__()
        self.shape = cg.shape
        k, i, j, c = cg.indices.T
        for name, index in (("left", i), ("right", j), ("target", k * cg.shape[3] + c)):
            self.constant(name, index)
        self.constant("values", cg.values)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        batch = torch.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        x, y = (v.expand(*batch, -1, -1).movedim(-1, 0) for v in (x, y))
        # Entries run along the first axis, so that rows are gathered and added whole.
        terms = x[self.left].unsqueeze(-1) * y[self.right].unsqueeze(-2)
        terms = terms * self.values.view(-1, *[1] * (terms.ndim - 1))
        out = terms.new_zeros(self.shape[0] * self.shape[3], *terms.shape[1:])
        out = out.index_add(0, self.target, terms)
        return out.unflatten(0, (self.shape[0], self.shape[3])).movedim((0, 1), (-4, -1))
