"""Non-linear maps and normalisation. Norms are (sum (v.v)^2 + eps^2)^(1/4), so indefinite forms need no case."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from eqlib.constants import Constants
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


class BatchNorm(_Blockwise):
    """Scalars get mean 0 and variance 1 over the batch, other copies a mean square of 1 a component; then a learnt scale.

    Running statistics (weight `momentum` for the new batch) serve in eval mode.
    """

    running_mean: Tensor
    running_square: Tensor

    def __init__(self, rep: Rep, axis: int = -1, momentum: float = 0.1) -> None:
        super().__init__(rep, axis)
        self.momentum = momentum
        scalars = sum(mul for (mul, _), trivial in zip(rep.blocks, self._trivial, strict=True) if trivial)
        self.weight = torch.nn.Parameter(torch.ones(rep.copies))
        self.bias = torch.nn.Parameter(torch.zeros(scalars))
        self.register_buffer("running_mean", torch.zeros(scalars))
        self.register_buffer("running_square", torch.ones(rep.copies))

    def forward(self, x: Tensor) -> Tensor:
        check_axis("x", x, self.rep, self.axis)
        axis = self.axis % x.ndim
        if self.training and x.numel() == 0:
            return x
        out, means, spreads, used, scalars = [], [], [], 0, 0
        for i, block in enumerate(split(x, self.rep, axis)):
            mul = block.shape[axis]
            shape = [1] * block.ndim
            shape[axis] = mul
            others = [d for d in range(block.ndim) if d != axis]
            if self._trivial[i]:
                here = slice(scalars, scalars + mul)
                mean = block.mean(others) if self.training else self.running_mean[here]
                means.append(mean)
                block = block - mean.view(shape)
            if self.training:
                size = self._norm_square(i, block, axis + 1) / self.rep.blocks[i][1].dim
                spread = size.mean(others)
            else:
                spread = self.running_square[used : used + mul]
            spreads.append(spread)
            block = block * (self.weight[used : used + mul] / (spread + EPS).sqrt()).view(shape)
            if self._trivial[i]:
                block = block + self.bias[here].view(shape)
                scalars += mul
            out.append(block.flatten(axis, axis + 1))
            used += mul
        if self.training:
            with torch.no_grad():
                if means:
                    self.running_mean.lerp_(torch.cat(means), self.momentum)
                if spreads:
                    self.running_square.lerp_(torch.cat(spreads), self.momentum)
        return torch.cat(out, dim=axis)
