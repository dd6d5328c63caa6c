"""Several networks that answer together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from eqlib.doors import typed


@typed
class Committee(torch.nn.Module):
    """The mean of what its members say of the same inputs; the error of a mean is at most the mean of the errors.

    Members that were trained apart, from other initial weights and on other parts of the examples, err apart, and what they do
    not share averages out (Krogh and Vedelsby, Neural network ensembles, cross validation, and active learning, 1995, Eq. 5).

    Args:
        members: modules that take the same arguments and give tensors of one shape.

    Raises ValueError for none.

    >>> import torch
    >>> from eqlib import models
    >>> double, triple = (torch.nn.Linear(1, 1, bias=False) for _ in range(2))
    >>> for member, weight in ((double, 2.0), (triple, 3.0)):
    ...     _ = torch.nn.init.constant_(member.weight, weight)
    >>> models.Committee([double, triple])(torch.ones(1)).item()
    2.5
    """

    def __init__(self, members: Sequence[torch.nn.Module]) -> None:
        super().__init__()
        if not members:
            raise ValueError("members: got none, expected at least one network")
        self.members = torch.nn.ModuleList(members)

    def forward(self, *inputs: Any) -> Tensor:
        return torch.stack([member(*inputs) for member in self.members]).mean(0)
