"""A trilinear form by its coefficients, T(p, q, r) = sum c p[i] q[j] r[k], with one of its three places left open.

What opens one place is bilinear in the other two, and the derivatives of that open another place of the same form: so
gradients of every order come from one list of coefficients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib.constants import fixed
from eqlib.products import engines

FEW = 10_000  # coefficients of a product of matrices: up to degree 10 in space

# The places that are given, in order, where one is open.
GIVEN = {0: (1, 2), 1: (0, 2), 2: (0, 1)}
torch.library.define(
    "eqlib::form", "(Tensor a, Tensor b, Tensor terms, Tensor values, int size, int place, bool rows) -> Tensor"
)


@torch.library.impl("eqlib::form", "CompositeExplicitAutograd")
@torch.no_grad()  # an exported program calls it with parameters that require one
def _run(a: Tensor, b: Tensor, terms: Tensor, values: Tensor, size: int, place: int, rows: bool) -> Tensor:
    left, right, to = (terms[:, i] for i in (*GIVEN[place], place))
    return engines.chosen(a).form(a, b, left, right, to, values, size, rows)


@torch.library.register_fake("eqlib::form")
def _shape(a: Tensor, b: Tensor, terms: Tensor, values: Tensor, size: int, place: int, rows: bool) -> Tensor:
    return a.new_empty(size, a.shape[1]) if rows else a.new_empty(a.shape[0], size)


@torch.library.register_vmap("eqlib::form")
def _over_batch(info: Any, in_dims: Any, a: Tensor, b: Tensor, *rest: Any) -> tuple[Tensor, int]:
    """Points of all examples are points."""
    *_, rows = rest
    a, b = (batched(v, dim, info.batch_size, 1 if rows else 0) for v, dim in zip((a, b), in_dims[:2], strict=True))
    out = torch.ops.eqlib.form(a, b, *rest)
    return out.unflatten(1 if rows else 0, (info.batch_size, -1)), 1 if rows else 0


def batched(x: Tensor, dim: int | None, size: int, axis: int) -> Tensor:
    """x with the examples of a batch, there along `dim` or the same for all, put in front of `axis` and joined with it."""
    x = x.unsqueeze(axis).expand(*x.shape[:axis], size, *x.shape[axis:]) if dim is None else x.movedim(dim, axis)
    return x.flatten(axis, axis + 1)


class _Form(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor, b: Tensor, terms: Tensor, values: Tensor, sizes: Any, place: int, rows: bool) -> Tensor:
        return torch.ops.eqlib.form(a, b, terms, values, sizes[place], place, rows)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        a, b, ctx.terms, ctx.values, ctx.sizes, ctx.place, ctx.rows = inputs
        ctx.save_for_backward(a, b)

    @staticmethod
    def backward(ctx: Any, c: Tensor) -> tuple[Tensor | None, ...]:
        """The open place is filled with c; each of the other two is opened in turn."""
        given = GIVEN[ctx.place]
        filled = dict(zip((*given, ctx.place), (*ctx.saved_tensors, c.contiguous()), strict=True))
        rest = ctx.terms, ctx.values, ctx.sizes
        found = [
            opened(filled[GIVEN[place][0]], filled[GIVEN[place][1]], *rest, place, ctx.rows) if needed else None
            for place, needed in zip(given, ctx.needs_input_grad[:2], strict=True)
        ]
        return *found, None, None, None, None, None


def opened(
    a: Tensor, b: Tensor, terms: Tensor, values: Tensor, sizes: tuple[int, int, int], place: int, rows: bool
) -> Tensor:
    """The form with `place` open, for the other two in order: (E, size), or (size, E) where all are `rows` over points.

    terms (n, 3): i, j, k of each coefficient; values (n,), float64. sizes: entries of p, q and r.

    >>> import torch
    >>> from eqlib.products import opened
    >>> terms = torch.tensor([[0, 1, 2], [1, 0, 2]])  # the third component of a cross product
    >>> a, b = torch.tensor([[1.0, 0, 0]]), torch.tensor([[0.0, 1, 0]])
    >>> opened(a, b, terms, torch.tensor([1.0, -1.0]).double(), (3, 3, 3), 2, rows=False)
    tensor([[0., 0., 1.]])
    """
    if engines.differentiated(a, b):
        return _Form.apply(a, b, terms, values, sizes, place, rows)
    return torch.ops.eqlib.form(a, b, terms, values, sizes[place], place, rows)


class MatrixProduct:
    """Matrices of two irreps, (n, a, a) and (n, b, b), to those of a third in their product: C^T (A (x) B) C, for C (a, b, c).

    >>> import numpy as np, torch
    >>> from eqlib.products import MatrixProduct
    >>> plus, minus = torch.ones(1, 1, 1), -torch.ones(1, 1, 1)
    >>> MatrixProduct(np.ones((1, 1, 1)))(plus, minus).item()
    -1.0
    """

    def __init__(self, tensor: NDArray[np.float64]) -> None:
        self.tensor = fixed(tensor)
        index = self.tensor.nonzero()
        # As a form on entries its coefficients are C (x) C, of which large tensors have too many.
        self.few = len(index) ** 2 <= FEW
        if self.few:
            values, (i, j) = self.tensor[tuple(index.T)], torch.cartesian_prod(*[fixed(np.arange(len(index)))] * 2).T
            self.terms, self.values = index[i] * fixed(tensor.shape) + index[j], values[i] * values[j]

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        if self.few and engines.loops(a):
            p, q, size = a.flatten(1), b.flatten(1), self.tensor.shape[2]
            sizes = p.shape[1], q.shape[1], size * size
            return opened(p, q, self.terms, self.values, sizes, 2, rows=False).unflatten(1, (size, size))
        c = self.tensor.to(a)
        half = torch.einsum("nia,ijc->najc", a, c)
        # Two operands at a time: an einsum of three fixes the batch size where it is exported.
        return torch.einsum("nabc,abd->ncd", torch.einsum("njb,najc->nabc", b, half), c)
