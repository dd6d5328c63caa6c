"""Harmonic polynomials by recursion: a degree from the one below, Y_J = C_J (Y_{J-1} (x) z), and its derivatives.

The gradient of a harmonic polynomial of degree J is made of those of degree J - 1, and by Schur's lemma and Euler's theorem
of homogeneous functions it is d Y_J / dz = J C_J (Y_{J-1} (x) 1): the same coefficients once more. So no step of the
recursion is ever differentiated, and with g in place of Y_J and v in place of z the derivatives of every order are one form
T(Y, g, v) = sum J C_J Y_{J-1} g_J v with one place left open. Where no further derivative is asked for, an operator of its
own takes the first one in a single pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib.constants import fixed
from eqlib.products import engines
from eqlib.products.forms import batched, opened
from eqlib.products.scale import dot, length

_Tables = tuple[list[Tensor], list[Tensor], Tensor]  # forward, backward, metric


class Recursion:
    """The tables of one recursion.

    Args:
        steps: C_J for J = 1, 2, ... as arrays (dim of degree J - 1, v, dim of degree J).
        metric: (v, v), the invariant form x.x that a length is taken with.
        start: the value of degree 0.

    >>> import numpy as np, torch
    >>> from eqlib.products import Recursion
    >>> plane = Recursion([np.eye(2)[None], np.array([[[1.0, 0], [0, 1]], [[0, 1], [-1, 0]]])], np.eye(2))
    >>> plane(torch.tensor([[1.0, 2.0]]))  # 1, (x, y), (x^2 - y^2, 2 x y)
    tensor([[ 1.,  1.,  2., -3.,  4.]])
    """

    def __init__(self, steps: Sequence[NDArray[np.float64]], metric: NDArray[np.float64], start: float = 1.0) -> None:
        terms, below, first = [], 0, 1
        for j, step in enumerate(steps, start=1):
            for k in range(step.shape[2]):
                found = np.argwhere(step[:, :, k]).tolist() or [[0, 0]]  # each row is written, though it be zero
                terms += [(first + k, below + i, a, j, float(step[i, a, k])) for i, a in found]
            below, first = first, first + step.shape[2]
        self.size, self.start = first, float(start)
        rows = [[k, i, a] for k, i, a, *_ in terms]
        pairs = np.argwhere(metric)
        square = [fixed(pairs), fixed(metric[tuple(pairs.T)], dtype=np.float64)]
        forth = [
            fixed(np.reshape(rows, (-1, 3)).astype(np.int64)),
            fixed([value for *_, value in terms], dtype=np.float64),
        ]
        back = [
            fixed(np.reshape([[i, k, a] for k, i, a in rows], (-1, 3)).astype(np.int64)),
            fixed([degree * value for *_, degree, value in terms], dtype=np.float64),
        ]
        form = fixed(metric if not np.array_equal(metric, np.eye(len(metric))) else [], dtype=np.float64)
        self.tables = [*forth, *square], [*back, *square], form

    def __call__(self, x: Tensor, unit: bool = False, mu: float = 0.0) -> Tensor:
        """x (..., v) -> (..., size): of x / s with s = ((x.x)^2 + mu^4)^(1/4), 1 where that is 0, if `unit`; else of x itself."""
        flat = x.reshape(-1, x.shape[-1])
        if engines.differentiated(x):
            y = _Recursion.apply(flat, self.tables, self.size, self.start, mu, unit)
        else:
            y = torch.ops.eqlib.recursion(flat, self.tables[0], self.size, self.start, mu, unit)
        return y.reshape(*x.shape[:-1], self.size)


torch.library.define(
    "eqlib::recursion", "(Tensor x, Tensor[] tables, int size, float start, float mu, bool unit) -> Tensor"
)


@torch.library.impl("eqlib::recursion", "CompositeExplicitAutograd")
@torch.no_grad()  # an exported program calls it with parameters that require one
def _run(x: Tensor, *rest: Any) -> Tensor:
    return engines.chosen(x).recursion(x, *rest)


@torch.library.register_fake("eqlib::recursion")
def _shape(x: Tensor, tables: Any, size: int, *rest: Any) -> Tensor:
    return x.new_empty(x.shape[0], size)


torch.library.define(
    "eqlib::recursion_gradient", "(Tensor x, Tensor y, Tensor g, Tensor[] tables, float mu, bool unit) -> Tensor"
)


@torch.library.impl("eqlib::recursion_gradient", "CompositeExplicitAutograd")
@torch.no_grad()
def _run_gradient(x: Tensor, *rest: Any) -> Tensor:
    return engines.chosen(x).recursion_gradient(x, *rest)


@torch.library.register_fake("eqlib::recursion_gradient")
def _gradient_shape(x: Tensor, *rest: Any) -> Tensor:
    return x.new_empty(x.shape)


@torch.library.register_vmap("eqlib::recursion")
def _over_batch(info: Any, in_dims: Any, x: Tensor, *rest: Any) -> tuple[Tensor, int]:
    y = torch.ops.eqlib.recursion(batched(x, in_dims[0], info.batch_size, 0), *rest)
    return y.unflatten(0, (info.batch_size, -1)), 0


@torch.library.register_vmap("eqlib::recursion_gradient")
def _gradient_over_batch(info: Any, in_dims: Any, x: Tensor, y: Tensor, g: Tensor, *rest: Any) -> tuple[Tensor, int]:
    given = (batched(v, dim, info.batch_size, 0) for v, dim in zip((x, y, g), in_dims[:3], strict=True))
    return torch.ops.eqlib.recursion_gradient(*given, *rest).unflatten(0, (info.batch_size, -1)), 0


class _Recursion(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, tables: _Tables, size: int, start: float, mu: float, unit: bool) -> Tensor:
        return torch.ops.eqlib.recursion(x, tables[0], size, start, mu, unit)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        x, ctx.tables, _, _, ctx.mu, ctx.unit = inputs
        ctx.save_for_backward(x, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, y = ctx.saved_tensors
        _, back, metric = ctx.tables
        if not engines.differentiated(x, g):  # no derivative of this one will be asked for
            gx = torch.ops.eqlib.recursion_gradient(x, y, g, back, ctx.mu, ctx.unit)
            return gx, None, None, None, None, None
        size, v = y.shape[1], x.shape[1]
        gx = opened(y, g.contiguous(), back[0], back[1], (size, size, v), 2, rows=False)
        if ctx.unit:
            s, slope, dual = length(x, metric, ctx.mu)
            gx = (gx - dual * (slope / s * dot(gx, x))) / s
        return gx, None, None, None, None, None
