"""A harmonic network for images: convolutions with circular harmonics, gated; its output does not change under the group."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from eqlib import nn
from eqlib.doors import Positive, typed
from eqlib.groups import Group
from eqlib.models.heads import InvariantScores, head


@typed
class HarmonicNet(InvariantScores):
    """Images (batch, channels, n, n) -> class scores (batch, classes), invariant under rotations that the grid resolves.

    A filter is a sum over radial profiles R(r) e^{i (m phi + beta)} with m the difference of two frequencies (review, Eq. 4): of
    each profile the amplitude and, for SO(2), the phase are learnt, as one complex number. A stream of frequency m >= 1 is the
    real irrep m, its real and imaginary part. Each block is a steerable convolution, batch normalisation, a gate and, where
    asked, pooling by two; the invariants of the last features, averaged over the pixels, go through a small ordinary network.
    After Worrall et al. 2017, with gates in place of their norm activations and any group of the plane in place of SO(2).

    Args:
        group: a group of the plane; SO2 for digits, whose mirror images are no digits.
        hidden: a rep string for each block.
        kernel_size: odd; the first block's kernel is two pixels larger.
        channels: of the input image, trivial copies.
        pool: after which blocks; None: each but the last.

    >>> import torch
    >>> from eqlib import groups, models
    >>> _ = torch.manual_seed(0)
    >>> net = models.HarmonicNet(groups.SO2(), hidden=("2x0+2x1", "2x0+2x1")).eval()
    >>> digits = torch.rand(3, 1, 17, 17)
    >>> scores, turned = net(digits), net(torch.rot90(digits, 1, (-2, -1)))
    >>> scores.shape, torch.allclose(scores, turned, atol=1e-4)
    (torch.Size([3, 10]), True)
    """

    def __init__(
        self,
        group: Group,
        hidden: Sequence[str] = ("8x0+5x1+4x2", "8x0+6x1+5x2", "8x0+6x1+6x2"),
        classes: Positive = 10,
        kernel_size: Positive = 5,
        channels: Positive = 1,
        pool: Sequence[int] | None = None,
    ) -> None:
        super().__init__(group, channels, classes)
        if isinstance(hidden, str) or not hidden:
            raise ValueError(f"hidden: got {hidden!r}, expected a list of reps, one for each block")
        rep = group.rep([(channels, group.trivial)])
        blocks: list[torch.nn.Module] = []
        for i, text in enumerate(hidden):
            gate = nn.Gate(group.rep(text), axis=1)
            size = kernel_size + 2 * (i == 0)
            blocks += [nn.GridConv(rep, gate.rep_in, size, bias=False), nn.BatchNorm(gate.rep_in, axis=1), gate]
            blocks += [nn.GridPool(gate.rep)] if i in (range(len(hidden) - 1) if pool is None else pool) else []
            rep = gate.rep
        invariants = nn.Invariants(rep, axis=1)
        self.features = torch.nn.Sequential(*blocks, invariants)
        self.head = head(invariants.dim, classes)
