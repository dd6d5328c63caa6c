"""A steerable network for volumes: convolutions with spherical harmonics, gated; its scores do not change under the group."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from eqlib import nn
from eqlib.doors import Positive, typed
from eqlib.groups import Group, Rep
from eqlib.models.heads import InvariantScores, head


@typed
class VolumeCNN(InvariantScores):
    """Volumes (batch, channels, n, n, n) -> class scores (batch, classes), invariant under the turns that voxels resolve.

    Each block is a steerable convolution, batch normalisation, a gate and, where asked, pooling by two with smooth windows: what
    is too fine for the coarser voxels would come back as something else, and how much of it depends on the orientation. The
    invariants of the last features, averaged over the voxels, go through a small ordinary network. After Weiler et al., 3D
    steerable CNNs (2018), for any group of space. With O(3) mirror images have the same scores, with SO(3) they need not.

    Args:
        group: a group of space.
        hidden: a rep, or a rep string, for each block.
        kernel_size: odd.
        channels: of the input volume, trivial copies.
        pool: after which blocks; None: each but the last.

    >>> import torch
    >>> from eqlib import groups, models
    >>> _ = torch.manual_seed(0)
    >>> net = models.VolumeCNN(groups.O3(), ["4x0e+2x1o", "4x0e+2x1o+1x2e"], classes=7).eval()
    >>> volumes = torch.rand(2, 1, 9, 9, 9)
    >>> scores, turned = net(volumes), net(torch.rot90(volumes, 1, (2, 4)))
    >>> scores.shape, torch.allclose(scores, turned, atol=1e-4)  # a quarter turn about y
    (torch.Size([2, 7]), True)
    """

    def __init__(
        self,
        group: Group,
        hidden: Sequence[str | Rep],
        classes: Positive = 10,
        kernel_size: Positive = 5,
        channels: Positive = 1,
        pool: Sequence[int] | None = None,
    ) -> None:
        super().__init__(group, channels, classes)
        if isinstance(hidden, str) or not hidden:
            raise ValueError(f"hidden: got {hidden!r}, expected a list of reps, one for each block")
        if group.vector.dim != 3:
            raise ValueError(f"group: got {group}, which acts on {group.vector.dim} coordinates, expected one of space")
        rep = self.rep_in
        blocks: list[torch.nn.Module] = []
        for i, text in enumerate(hidden):
            gate = nn.Gate(group.rep(text), axis=1)
            blocks += [nn.GridConv(rep, gate.rep_in, kernel_size, bias=False), nn.BatchNorm(gate.rep_in, axis=1), gate]
            pooled = i in (range(len(hidden) - 1) if pool is None else pool)
            blocks += [nn.GridPool(gate.rep, smooth=True)] if pooled else []
            rep = gate.rep
        invariants = nn.Invariants(rep, axis=1)
        self.features = torch.nn.Sequential(*blocks, invariants)
        self.head = head(invariants.dim, classes)
