"""Over pixels and over the group: pooling, and a mask for images without corners."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eqlib import doors
from eqlib.constants import Constants
from eqlib.doors import Positive, typed
from eqlib.groups import Rep
from eqlib.groups.rep import same_group
from eqlib.kernels.grid_basis import offsets
from eqlib.nn.blocks import check_axis, check_float, shown
from eqlib.nn.fourier import Sampled


@typed
class CircularMask(Constants):
    """Multiplies images or volumes by a disc (ball) that fades to 0 within `edge` pixels of the border, along half a cosine.

    Zero padding makes a square of the world, which no turn but a quarter respects; behind the mask there is nothing to cut.

    Args:
        size: pixels along each side.
        edge: pixels from 1 to 0; 0 cuts sharply, at radius size / 2.
        dimensions: 2 for images, 3 for volumes.

    >>> from eqlib import nn
    >>> nn.CircularMask(5, edge=0).mask.int().tolist()
    [[0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [0, 1, 1, 1, 0]]
    """

    mask: Tensor

    def __init__(self, size: Positive, edge: float = 3.0, dimensions: Positive = 2) -> None:
        super().__init__()
        size = doors.count("size", size, 1)
        doors.affordable("mask", dimensions * size**dimensions if dimensions in (2, 3) else 0)
        if not 0 <= edge <= size / 2 or dimensions not in (2, 3):
            raise ValueError(
                f"mask: size, edge, dimensions: got {size!r}, {edge!r}, {dimensions!r}; "
                "expected pixels, at most half of them, 2 or 3"
            )
        inside = size / 2 - np.linalg.norm(offsets(size, dimensions), axis=-1)
        ramp = np.clip(inside / edge, 0, 1) if edge else (inside >= 0).astype(float)
        self.size = size
        self.constant("mask", (1 - np.cos(np.pi * ramp)) / 2)

    def forward(self, x: Tensor) -> Tensor:
        check_float("x", x)
        if x.shape[2:] != self.mask.shape:
            raise ValueError(f"x: got {tuple(x.shape)}, expected pixels {tuple(self.mask.shape)} behind two axes")
        return x * self.mask


@typed
class GridPool(torch.nn.Module):
    """Mean over windows with stride 2, placed so that quarter turns and flips commute with it, for odd and even sizes.

    Images (batch, channels, n, n) -> (batch, channels, n / 2, n / 2), or (n + 1) / 2 for odd n; volumes alike. Pixels are
    averaged and features left alone, so that it works for every rep and needs none. A `rep` that is given is checked, and
    becomes the attributes `rep` and `rep_out`, as other layers have, for who reads a chain of layers; without one the layer
    has neither, and `testing.causes` goes on with the rep of the layer before.

    smooth: binomial windows instead, 1, 5, 10, 10, 5, 1 along each axis (1, 4, 6, 4, 1 for odd sizes), zeros beyond the border.
    They are nearly the same in all directions, and damp what the coarser pixels cannot carry, which would come back as something
    else: of a wave of three pixels they leave 1/32 (1/16), where a plain mean of even sizes leaves 1/2; of one of two pixels
    nothing, where a plain mean of odd sizes leaves 1/3.

    >>> import torch
    >>> from eqlib import groups, nn
    >>> nn.GridPool()(torch.arange(16.0).view(1, 1, 4, 4)).tolist()
    [[[[2.5, 4.5], [10.5, 12.5]]]]
    >>> pool = nn.GridPool(groups.O2().rep("0e+1"))
    >>> pool(torch.zeros(2, 3, 9, 9)).shape, pool.rep_out
    (torch.Size([2, 3, 5, 5]), O2: 1x0e+1x1)
    >>> wave = torch.tensor([1.0, -0.5, -0.5] * 4).repeat(12, 1)[None, None]  # of three pixels
    >>> [round(float(nn.GridPool(smooth=smooth)(wave)[..., 2:-2, 2:-2].abs().max()), 3) for smooth in (False, True)]
    [0.5, 0.031]
    """

    rep: Rep
    rep_out: Rep

    extra_repr = shown

    def __init__(self, rep: Rep | None = None, smooth: bool = False) -> None:
        super().__init__()
        self._checked, self.smooth = rep, smooth
        if rep is not None:
            same_group(rep=rep)
            self.rep = self.rep_out = rep

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim not in (4, 5):
            raise ValueError(f"x: got {tuple(x.shape)}, expected two axes and the pixels of an image or a volume")
        if self._checked is not None:
            check_axis("x", x, self._checked, 1, choice=False)
        for axis in range(2, x.ndim):
            if x.shape[axis] % 2 != x.shape[2] % 2:
                raise ValueError(f"x: got {tuple(x.shape)}, expected all sizes even or all odd")
        odd = x.shape[2] % 2
        if self.smooth:
            return _binomial_pool(x, BINOMIAL[odd])
        pool = torch.nn.functional.avg_pool2d if x.ndim == 4 else torch.nn.functional.avg_pool3d
        return pool(x, 2 + odd, stride=2, padding=odd, count_include_pad=False)


BINOMIAL = [1, 5, 10, 10, 5, 1], [1, 4, 6, 4, 1]  # of even and of odd sizes, along one axis


def _binomial_pool(x: Tensor, weights: list[int]) -> Tensor:
    """Every second pixel of x (batch, channels, pixels), smeared along one axis after the other."""
    axes, channels = x.ndim - 2, x.shape[1]
    convolution = torch.nn.functional.conv2d if axes == 2 else torch.nn.functional.conv3d
    line = x.new_tensor(weights) / sum(weights)
    for axis in range(axes):
        along = [int(axis == other) for other in range(axes)]
        kernel = line.view([len(line) if here else 1 for here in along]).expand(channels, 1, *[-1] * axes)
        stride, padding = [1 + here for here in along], [2 * here for here in along]
        x = convolution(x, kernel, stride=stride, padding=padding, groups=channels)
    return x


@typed
class GroupPool(Sampled):
    """The largest value of each channel over the group: `rep_out` is one trivial copy for each channel.

    Exactly invariant where the samples are the whole group, as for finite ones.

    >>> from eqlib import groups, nn, testing
    >>> regular, _ = groups.regular(groups.Dihedral(4))
    >>> rep = groups.fields(regular, 2)  # two functions on the group
    >>> pool = nn.GroupPool(rep)
    >>> pool.rep_out
    Dihedral(4): 2x0e
    >>> testing.equivariance_error(pool, rep, pool.rep_out) < 1e-12
    True
    """

    any_rep = "; nn.Invariants takes any rep"

    def __init__(self, rep: Rep, samples: int | None = None, axis: int = -1) -> None:
        super().__init__(rep, samples, axis)
        self.rep_out = rep.group.rep([(self.channels, rep.group.trivial)])

    def forward(self, x: Tensor) -> Tensor:
        axis = self.axis % x.ndim
        most = self.values(x).amax(axis + 1)
        return most.view(*x.shape[:axis], self.channels, *x.shape[axis + 1 :])
