"""Baseline: the harmonic network with ordinary convolutions, which know translations only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from eqlib.models.heads import head
from eqlib.nn import GridPool


class PlainCNN(torch.nn.Module):
    """Images (batch, channels, n, n) -> class scores (batch, classes): HarmonicNet's shape, `width` channels a block.

    pool: after which blocks; None: each but the last.

    >>> import torch
    >>> from eqlib import models
    >>> net = models.PlainCNN.of_size(5000)
    >>> net(torch.rand(2, 1, 17, 17)).shape
    torch.Size([2, 10])
    >>> 4000 < sum(p.numel() for p in net.parameters()) < 6000
    True
    """

    def __init__(
        self,
        width: int = 16,
        blocks: int = 3,
        classes: int = 10,
        kernel_size: int = 5,
        channels: int = 1,
        pool: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        layers: list[torch.nn.Module] = []
        before = channels
        for i in range(blocks):
            size = kernel_size + 2 * (i == 0)
            layers += [torch.nn.Conv2d(before, width, size, padding=size // 2, bias=False)]
            layers += [torch.nn.BatchNorm2d(width), torch.nn.SiLU()]
            layers += [GridPool()] if i in (range(blocks - 1) if pool is None else pool) else []
            before = width
        self.features = torch.nn.Sequential(*layers)
        self.head = head(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((-2, -1)))

    @classmethod
    def of_size(cls, parameters: int, **options: Any) -> PlainCNN:
        """The network whose number of parameters is nearest to this one."""

        def distance(width: int) -> int:
            return abs(sum(p.numel() for p in cls(width, **options).parameters()) - parameters)

        return cls(min(range(1, 129), key=distance), **options)


def dense_reader(width: int, size: int = 17) -> torch.nn.Sequential:
    """Images (n, 1, size, size) -> class scores (n, 10), with one hidden layer; normalised as the plain CNN is.

    >>> import torch
    >>> from eqlib import models
    >>> models.dense_reader(width=8)(torch.rand(2, 1, 17, 17)).shape
    torch.Size([2, 10])
    """
    return torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(size**2, width),
        torch.nn.BatchNorm1d(width),
        torch.nn.SiLU(),
        torch.nn.Linear(width, 10),
    )
