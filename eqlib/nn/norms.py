"""Normalisation: of a batch, and of each example by itself."""

from __future__ import annotations

import torch
from torch import Tensor

from eqlib import doors
from eqlib.doors import Share, typed
from eqlib.groups import Rep
from eqlib.nn.blocks import EPS, Blockwise, check_axis, joined, split
from eqlib.processes import batch_mean


class _Norm(Blockwise):
    """Learnt scale of each copy and offset of each scalar."""

    def __init__(self, rep: Rep, axis: int = -1) -> None:
        super().__init__(rep, axis)
        doors.affordable("copies of irreps", rep.copies)
        self.weight = torch.nn.Parameter(torch.ones(rep.copies))
        self.scalars = sum(mul for (mul, _), trivial in zip(rep.blocks, self._trivial, strict=True) if trivial)
        self.bias = torch.nn.Parameter(torch.zeros(self.scalars))

    def _mean_square(self, i: int, v: Tensor, axis: int) -> Tensor:
        """Mean square of a component, (v.v) / dim, keeping the axis with length 1."""
        size = self._squares(i, v, axis) if self._euclidean[i] else self._norm_square(i, v, axis)
        return size / self.rep.blocks[i][1].dim


def _inverse_root(square: Tensor) -> Tensor:
    """1 / sqrt(square + EPS), NaN for an infinite one: 1 / inf would be a zero that looks right."""
    return torch.add((square + EPS).rsqrt(), square, alpha=0)  # 0 times inf is NaN


@typed
class BatchNorm(_Norm):
    """Scalars get mean 0 and variance 1 over the batch, other copies a mean square of 1 a component; then a learnt scale.

    Running statistics (weight `momentum` for the new batch) serve in eval mode. NaN where the squares leave the dtype, from
    1e19 in float32 on.

    >>> import torch
    >>> from eqlib import groups, nn
    >>> _ = torch.manual_seed(0)
    >>> y = nn.BatchNorm(groups.O3().rep("2x0e+1o"))(3 * torch.randn(100, 5) + 2).detach()
    >>> bool((y[:, :2].mean(0).abs() < 1e-5).all())  # scalars
    True
    >>> round(float(y[:, 2:].square().mean()), 3)  # vectors, which have no mean but 0
    1.0
    """

    running_mean: Tensor
    running_square: Tensor

    def __init__(self, rep: Rep, axis: int = -1, momentum: Share = 0.1) -> None:
        super().__init__(rep, axis)
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(self.scalars))
        self.register_buffer("running_square", torch.ones(rep.copies))

    def forward(self, x: Tensor) -> Tensor:
        check_axis("x", x, self.rep, self.axis)
        axis = self.axis % x.ndim
        if self.training and x.numel() == 0:
            return x
        if self.training:
            mean, square = self._statistics(x.to(self.weight.dtype), axis)  # in full precision under autocast
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_square.lerp_(square, self.momentum)
        else:
            mean, square = self.running_mean, self.running_square
        scale = self.weight * _inverse_root(square)
        # One scale and one offset for each channel: one pass over the features.
        scales, offsets, used, scalars = [], [], 0, 0
        for (mul, a), trivial in zip(self.rep.blocks, self._trivial, strict=True):
            block = scale[used : used + mul]
            scales.append(block.repeat_interleave(a.dim) if a.dim > 1 else block)
            if trivial:
                here = slice(scalars, scalars + mul)
                offsets.append(self.bias[here] - mean[here] * block)
                scalars += mul
            else:
                offsets.append(block.new_zeros(mul * a.dim))
            used += mul
        if not scales:
            return x
        shape = [1] * x.ndim
        shape[axis] = self.rep.dim
        return torch.addcmul(torch.cat(offsets).view(shape).to(x.dtype), x, torch.cat(scales).view(shape).to(x.dtype))

    def _statistics(self, x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        """Means of the scalars and mean squares, scalars' about their means, of all copies."""
        means, squares = [x.new_zeros(0)], [x.new_zeros(0)]
        for i, block in enumerate(split(x, self.rep, axis)):
            others = [d for d in range(block.ndim) if d not in (axis, axis + 1)]
            if self._trivial[i]:
                mean = batch_mean(block, others)
                means.append(mean[:, 0])
                shape = [1] * block.ndim
                shape[axis] = len(mean)
                block = block - mean.view(shape)
            squares.append(batch_mean(self._mean_square(i, block, axis + 1), others)[:, 0])
        return torch.cat(means), torch.cat(squares)


class LayerNorm(_Norm):
    """Every example, and every pixel, by itself: the copies of a block get a mean square of 1 a component together.

    Scalars lose their mean over the copies first (Ba et al. 2016); a block of one scalar copy is left as it is. Then a learnt
    scale for each copy and an offset for each scalar. Nothing depends on the batch. NaN where the squares leave the dtype.

    >>> import torch
    >>> from eqlib import groups, nn
    >>> _ = torch.manual_seed(0)
    >>> norm, x = nn.LayerNorm(groups.O3().rep("4x0e+2x1o")), torch.randn(3, 10)
    >>> torch.allclose(norm(100 * x), norm(x), atol=1e-3)  # the size of an example is gone
    True
    """

    def forward(self, x: Tensor) -> Tensor:
        check_axis("x", x, self.rep, self.axis)
        axis = self.axis % x.ndim
        out, used, scalars = [], 0, 0
        for i, block in enumerate(split(x, self.rep, axis)):
            mul = block.shape[axis]
            shape = [1] * block.ndim
            shape[axis] = mul
            if not (self._trivial[i] and mul == 1):
                if self._trivial[i]:
                    block = block - block.mean(axis, keepdim=True)
                spread = self._mean_square(i, block, axis + 1).mean(axis, keepdim=True)
                block = block * _inverse_root(spread)
            block = block * self.weight[used : used + mul].view(shape)
            if self._trivial[i]:
                block = block + self.bias[scalars : scalars + mul].view(shape)
                scalars += mul
            used += mul
            out.append(block.flatten(axis, axis + 1))
        return joined(out, x, axis)
