"""Non-linear maps and normalisation. Norms are (sum (v.v)^2 + eps^2)^(1/4), so indefinite forms need no case."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from eqlib.constants import Constants
from eqlib.distributed import batch_mean
from eqlib.groups import Rep
from eqlib.nn.blocks import check_axis, forms, split, squares

EPS = 1e-5


class _Blockwise(Constants):
    """A layer on the blocks of one rep; holds their invariant forms."""

    def __init__(self, rep: Rep, axis: int) -> None:
        super().__init__()
        self.rep, self.axis = rep, axis
        self._trivial = [a.is_trivial for _, a in rep.blocks]
        self._euclidean = []
        for i, (_, a) in enumerate(rep.blocks):
            form = forms(a)
            self._euclidean.append(bool(len(form) == 1 and np.allclose(form[0], np.eye(a.dim))))
            self.constant(f"form_{i}", form)

    def _squares(self, i: int, v: Tensor, axis: int) -> Tensor:
        return squares(v, None if self._euclidean[i] else getattr(self, f"form_{i}"), axis)

    def _norm_square(self, i: int, v: Tensor, axis: int) -> Tensor:
        """|v|^2 = (sum (v.v)^2 + eps^2)^(1/2), keeping the axis with length 1."""
        return ((self._squares(i, v, axis) ** 2).sum(axis, keepdim=True) + EPS**2).sqrt()


class Gate(torch.nn.Module):
    """Scalars pass through `activation`, every other copy is multiplied by the sigmoid of an invariant of its own.

    `rep_in` is rep and one trivial copy, the gate, for each non-trivial copy; the output is rep.
    """

    def __init__(
        self, rep: Rep, axis: int = -1, activation: Callable[[Tensor], Tensor] = torch.nn.functional.silu
    ) -> None:
        super().__init__()
        self.rep, self.axis, self.activation = rep, axis, activation
        self._trivial = [a.is_trivial for _, a in rep.blocks]
        self._gates = sum(mul for (mul, _), trivial in zip(rep.blocks, self._trivial, strict=True) if not trivial)
        self.rep_in = rep + rep.group.rep([(self._gates, rep.group.trivial)]) if self._gates else rep

    def forward(self, x: Tensor) -> Tensor:
        check_axis("x", x, self.rep_in, self.axis)
        axis = self.axis % x.ndim
        gates = torch.sigmoid(x.narrow(axis, self.rep.dim, self._gates))
        out, used = [], 0
        for block, trivial in zip(split(x.narrow(axis, 0, self.rep.dim), self.rep, axis), self._trivial, strict=True):
            if trivial:
                out.append(self.activation(block).flatten(axis, axis + 1))
                continue
            mul = block.shape[axis]
            out.append((block * gates.narrow(axis, used, mul).unsqueeze(axis + 1)).flatten(axis, axis + 1))
            used += mul
        return torch.cat(out, dim=axis)


class NormActivation(_Blockwise):
    """v -> v activation(|v| + b) / |v| for every copy, a learnt b each; scalars pass through the activation itself."""

    def __init__(
        self, rep: Rep, axis: int = -1, activation: Callable[[Tensor], Tensor] = torch.nn.functional.relu
    ) -> None:
        super().__init__(rep, axis)
        self.activation = activation
        self.bias = torch.nn.Parameter(torch.zeros(rep.copies))

    def forward(self, x: Tensor) -> Tensor:
        check_axis("x", x, self.rep, self.axis)
        axis = self.axis % x.ndim
        out, used = [], 0
        for i, block in enumerate(split(x, self.rep, axis)):
            mul = block.shape[axis]
            shape = [1] * block.ndim
            shape[axis] = mul
            bias = self.bias[used : used + mul].view(shape)
            used += mul
            if self._trivial[i]:
                out.append(self.activation(block + bias).flatten(axis, axis + 1))
                continue
            norm = self._norm_square(i, block, axis + 1).sqrt()
            out.append((block * (self.activation(norm + bias) / norm)).flatten(axis, axis + 1))
        return torch.cat(out, dim=axis)


class Invariants(_Blockwise):
    """The invariants of each copy: a scalar itself, else v.v for every symmetric form in Hom(a (x) a, 1).

    `rep_out` is that many trivial copies.
    """

    def __init__(self, rep: Rep, axis: int = -1) -> None:
        super().__init__(rep, axis)
        self.dim = sum(mul * len(forms(a)) for mul, a in rep.blocks)
        self.rep_out = rep.group.rep([(self.dim, rep.group.trivial)])

    def forward(self, x: Tensor) -> Tensor:
        check_axis("x", x, self.rep, self.axis)
        axis = self.axis % x.ndim
        out = [
            (block if self._trivial[i] else self._squares(i, block, axis + 1)).flatten(axis, axis + 1)
            for i, block in enumerate(split(x, self.rep, axis))
        ]
        return torch.cat(out, dim=axis)


class _Norm(_Blockwise):
    """Learnt scale of each copy and offset of each scalar."""

    def __init__(self, rep: Rep, axis: int = -1) -> None:
        super().__init__(rep, axis)
        self.weight = torch.nn.Parameter(torch.ones(rep.copies))
        self.scalars = sum(mul for (mul, _), trivial in zip(rep.blocks, self._trivial, strict=True) if trivial)
        self.bias = torch.nn.Parameter(torch.zeros(self.scalars))

    def _mean_square(self, i: int, v: Tensor, axis: int) -> Tensor:
        """Mean square of a component, (v.v) / dim, keeping the axis with length 1."""
        size = self._squares(i, v, axis) if self._euclidean[i] else self._norm_square(i, v, axis)
        return size / self.rep.blocks[i][1].dim


class BatchNorm(_Norm):
    """Scalars get mean 0 and variance 1 over the batch, other copies a mean square of 1 a component; then a learnt scale.

    Running statistics (weight `momentum` for the new batch) serve in eval mode.
    """

    running_mean: Tensor
    running_square: Tensor

    def __init__(self, rep: Rep, axis: int = -1, momentum: float = 0.1) -> None:
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
        scale = self.weight / (square + EPS).sqrt()
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
    scale for each copy and an offset for each scalar. Nothing depends on the batch.
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
                block = block / (spread + EPS).sqrt()
            block = block * self.weight[used : used + mul].view(shape)
            if self._trivial[i]:
                block = block + self.bias[scalars : scalars + mul].view(shape)
                scalars += mul
            used += mul
            out.append(block.flatten(axis, axis + 1))
        return torch.cat(out, dim=axis) if out else x


class Dropout(torch.nn.Module):
    """Sets whole copies to zero with probability p while training, and scales the others by 1 / (1 - p).

    One draw for each copy at every place before the feature axis: with axis=1 a whole map of an image goes.
    """

    def __init__(self, rep: Rep, p: float = 0.5, axis: int = -1) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"p must be a probability below 1, got {p!r}")
        self.rep, self.p, self.axis = rep, p, axis

    def forward(self, x: Tensor) -> Tensor:
        check_axis("x", x, self.rep, self.axis)
        if not self.training or self.p == 0 or not self.rep.blocks:
            return x
        axis = self.axis % x.ndim
        draws = torch.nn.functional.dropout(x.new_ones(*x.shape[:axis], self.rep.copies), self.p)
        parts = draws.split([mul for mul, _ in self.rep.blocks], -1)
        keep = torch.cat([d.repeat_interleave(a.dim, -1) for d, (_, a) in zip(parts, self.rep.blocks, strict=True)], -1)
        return x * keep.view(*x.shape[: axis + 1], *[1] * (x.ndim - axis - 1))
