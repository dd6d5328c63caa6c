"""Which of a network's own elements an atom is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from eqlib.constants import Constants
from eqlib.data.elements import ELEMENTS


class Elements(Constants):
    """Atomic numbers (N,), int64 -> (N,), int64: 0, 1, ... in the order of `numbers`, those of training.

    ValueError for an element that is none of them, naming it, and for numbers that come twice.

    >>> import torch
    >>> from eqlib.models.elements import Elements
    >>> Elements([1, 8])(torch.tensor([8, 1, 1])).tolist()
    [1, 0, 0]
    """

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__()
        if not numbers or len({*numbers}) < len(numbers) or min(numbers) < 1 or max(numbers) > len(ELEMENTS):
            raise ValueError(f"elements: got {list(numbers)}, expected atomic numbers, each once")
        self.numbers = tuple(int(n) for n in numbers)
        table = np.full(max(self.numbers) + 1, -1)
        table[list(self.numbers)] = np.arange(len(self.numbers))
        self.constant("table", table)

    table: Tensor

    def forward(self, numbers: Tensor) -> Tensor:
        known = (numbers >= 0) & (numbers < len(self.table))
        kinds = torch.where(known, self.table[torch.where(known, numbers, 0)], -1)
        if not torch.compiler.is_compiling() and (kinds < 0).any():
            wrong = sorted({int(n) for n in numbers[kinds < 0]})
            raise ValueError(f"numbers: got the elements {wrong}, expected those of training, {list(self.numbers)}")
        return kinds
