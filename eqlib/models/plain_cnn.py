"""Baseline: the harmonic network with ordinary convolutions, which know translations only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from eqlib.doors import Few, Positive, typed
from eqlib.models.heads import head
from eqlib.nn import GridPool

KINDS: dict[int, tuple[type[torch.nn.Module], type[torch.nn.Module]]] = {
    2: (torch.nn.Conv2d, torch.nn.BatchNorm2d),
    3: (torch.nn.Conv3d, torch.nn.BatchNorm3d),
}


@typed
class PlainCNN(torch.nn.Module):
    """Images (batch, channels, n, n) -> class scores (batch, classes): HarmonicNet's shape, `width` channels a block.

    pool: after which blocks; None: each but the last. dimensions: 2 for images, 3 for volumes (batch, channels, n, n, n).
    first: size of the first block's kernel; None: two pixels larger than the others.

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
        width: Positive = 16,
        blocks: Few = 3,
        classes: Positive = 10,
        kernel_size: Positive = 5,
        channels: Positive = 1,
        pool: Sequence[int] | None = None,
        dimensions: Positive = 2,
        first: Positive | None = None,
    ) -> None:
        super().__init__()
        if dimensions not in KINDS:
            raise ValueError(f"dimensions: got {dimensions!r}, expected 2 or 3")
        convolution, normalisation = KINDS[dimensions]
        layers: list[torch.nn.Module] = []
        before = channels
        for i in range(blocks):
            size = kernel_size if i else kernel_size + 2 if first is None else first
            layers += [convolution(before, width, size, padding=size // 2, bias=False)]
            layers += [normalisation(width), torch.nn.SiLU()]
            layers += [GridPool()] if i in (range(blocks - 1) if pool is None else pool) else []
            before = width
        self.features = torch.nn.Sequential(*layers)
        self.head = head(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x)
        return self.head(features.mean(tuple(range(2, features.ndim))))

    @classmethod
    def of_size(cls, parameters: int, **options: Any) -> PlainCNN:
        """The network whose number of parameters is nearest to this one."""

        def distance(width: int) -> int:
            return abs(sum(p.numel() for p in cls(width, **options).parameters()) - parameters)

        return cls(min(range(1, 129), key=distance), **options)


@typed
def dense_reader(width: Positive, size: Positive = 17) -> torch.nn.Sequential:
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
