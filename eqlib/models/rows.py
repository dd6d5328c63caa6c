"""What the Lorentz group network does on rows: features (numbers, N) over all N particles of a batch, and messages of pairs.

Rows are what products and sums over pairs read fastest: a number's values of all particles lie side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eqlib import nn
from eqlib.constants import Constants, fixed
from eqlib.groups import Group, Irrep, Rep
from eqlib.products import engines, opened

Blocks = Sequence[tuple[int, Irrep]]


def messages(left: Tensor, right: Tensor, pair: Tensor, pairs: Tensor, weigh: Tensor) -> tuple[Tensor, Tensor]:
    """m = silu(left_i + right_j + pair x_ij) of all pairs: its sum over j (h, batch, n), and weigh m (c, batch, n, n).

    left, right (h, batch, n), pair (h, kinds), pairs x (kinds, batch, n, n), weigh (c, h).
    """
    if torch.compiler.is_compiling() or not engines.differentiated(left, right, pair, pairs, weigh):
        return plain_messages(left, right, pair, pairs, weigh)
    return _Messages.apply(left, right, pair, pairs, weigh)


def _before_silu(left: Tensor, right: Tensor, pair: Tensor, pairs: Tensor) -> Tensor:
    both = left[..., None] + right[:, :, None]
    return torch.addmm(both.flatten(1), pair, pairs.flatten(1)).view_as(both)


def plain_messages(left: Tensor, right: Tensor, pair: Tensor, pairs: Tensor, weigh: Tensor) -> tuple[Tensor, Tensor]:
    m = torch.nn.functional.silu(_before_silu(left, right, pair, pairs))
    return m.sum(-1), (weigh @ m.flatten(1)).unflatten(1, pairs.shape[1:])


class _Messages(torch.autograd.Function):
    """The same, where nothing as large as m is kept for the backward pass: it is computed anew there, in place.

    m has hidden n^2 numbers a jet and layer, more than all else; keeping it and its gradients costs more time than this.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs: Tensor) -> tuple[Tensor, Tensor]:
        return plain_messages(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, heard: Tensor, weights: Tensor) -> tuple[Tensor | None, ...]:
        inputs = ctx.saved_tensors
        if torch.is_grad_enabled():  # gradients of gradients: by the plain way's own
            with torch.enable_grad():
                needed = [x for x, n in zip(inputs, ctx.needs_input_grad, strict=True) if n]
                grads = iter(torch.autograd.grad(plain_messages(*inputs), needed, (heard, weights), create_graph=True))
            return tuple(next(grads) if n else None for n in ctx.needs_input_grad)
        left, right, pair, pairs, weigh = inputs
        z, flat = _before_silu(left, right, pair, pairs), weights.flatten(1)
        of_weigh = flat @ torch.nn.functional.silu(z).flatten(1).T
        g = (weigh.T @ flat).view_as(z).add_(heard[..., None])
        torch.ops.aten.silu_backward.grad_input(g, z, grad_input=g)
        rows = g.flatten(1)
        of_pairs = (pair.T @ rows).view_as(pairs) if ctx.needs_input_grad[3] else None
        return g.sum(-1), g.sum(-2), rows @ pairs.flatten(1).T, of_pairs, of_weigh


def on_rows(net: torch.nn.Sequential, x: Tensor) -> Tensor:
    """A dense network on features that are rows: (features, N) -> (features, N)."""
    for layer in net:
        x = torch.addmm(layer.bias[:, None], layer.weight, x) if isinstance(layer, torch.nn.Linear) else layer(x)
    return x


def over_pairs(weights: Tensor, x: Tensor) -> Tensor:
    """sum_j f_ij x_j, for f (c, batch, n, n) and rows x (r, c * batch * n)."""
    f = weights.flatten(0, 1)
    return (x.unflatten(1, f.shape[:2]).transpose(0, 1) @ f.mT).transpose(0, 1).flatten(1)


class Products(Constants):
    """All Clebsch-Gordan products of two lists of irreps that lie in `keep`, on rows: (a, M), (b, M) -> (out, M).

    Rows are sorted by irrep, in the order of `keep`, then by component, then by copy: those of one irrep are one block
    (component, copies * channels, N) of what `Mix` takes. blocks: how many copies of each irrep.
    """

    def __init__(self, group: Group, a: Blocks, b: Blocks, keep: Sequence[Irrep]) -> None:
        super().__init__()
        product = nn.TensorProduct(group.rep(a), group.rep(b), group.rep([(1, c) for c in keep]), weights=None)
        out, self.blocks, place, first = product.rep_out, [], np.zeros(product.rep_out.dim, dtype=np.int64), 0
        for c in keep:
            where = [s.start + d * np.arange(mul)[:, None] + np.arange(d) for s, mul, d in _of(out, c)]
            rows = np.concatenate([np.zeros((0, c.dim), dtype=np.int64), *where])
            place[rows.T.ravel()] = first + np.arange(rows.size)
            first += rows.size
            self.blocks.append((len(rows), c))
        terms, self.values = product.coefficients
        self.terms = torch.stack([terms[:, 0], terms[:, 1], fixed(place)[terms[:, 2]]], dim=1)
        self.sizes = product.rep_a.dim, product.rep_b.dim, out.dim

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        if not len(self.values):
            return x.new_zeros(self.sizes[2], x.shape[1])
        return opened(x, y, self.terms, self.values, self.sizes, 2, rows=True)


def _of(rep: Rep, c: Irrep) -> list[tuple[slice, int, int]]:
    """Where a rep has an irrep: slice, multiplicity and dimension of each of its blocks."""
    return [(where, mul, a.dim) for where, (mul, a) in zip(rep.slices, rep.blocks, strict=True) if a == c]


class Gather:
    """Rows of several parts, each sorted as `Products` sorts, by irrep: for each of `irreps` one block (d, copies * c, N)."""

    def __init__(self, parts: Sequence[Blocks], irreps: Sequence[Irrep]) -> None:
        self._sizes = [[mul * a.dim for mul, a in part] for part in parts]
        found = [
            [(i, j, mul) for i, part in enumerate(parts) for j, (mul, a) in enumerate(part) if a == c] for c in irreps
        ]
        self.counts = [sum(mul for *_, mul in places) for places in found]
        self._places = [[place for place in places if place[2]] for places in found]
        self._dims = [c.dim for c in irreps]

    def __call__(self, parts: Sequence[Tensor], channels: int) -> list[Tensor]:
        """parts: rows (r, channels * N)."""
        # One split of each part, for the gradient is then put together once instead of padded for each block.
        blocks = [part.split(sizes) if sizes else () for part, sizes in zip(parts, self._sizes, strict=True)]
        n = parts[0].shape[1] // channels
        none = parts[0].new_zeros(0, n)
        return [
            torch.cat([blocks[i][j].reshape(dim, mul * channels, n) for i, j, mul in places], dim=1)
            if places
            else none.view(dim, 0, n)
            for dim, places in zip(self._dims, self._places, strict=True)
        ]


class Mix(Constants):
    """Schur's lemma on rows: of each irrep (d, size, N) -> (d, many, N); `many` may be another number for each."""

    def __init__(self, irreps: Sequence[Irrep], sizes: Sequence[int], many: int | Sequence[int]) -> None:
        super().__init__()
        out = [many] * len(sizes) if isinstance(many, int) else many
        self.weights = torch.nn.ParameterList(
            torch.randn(a.endo, m, size) / max(1, size * a.endo) ** 0.5
            for a, size, m in zip(irreps, sizes, out, strict=True)
        )
        for i, a in enumerate(irreps):
            if a.endo > 1:
                self.constant(f"endo_{i}", a.endomorphisms)

    def forward(self, blocks: Sequence[Tensor]) -> list[Tensor]:
        out = []
        for i, (x, w) in enumerate(zip(blocks, self.weights, strict=True)):
            if len(w) == 1:  # real type: every component alike
                out.append(w.expand(len(x), -1, -1) @ x)
                continue
            full = torch.einsum("euk,eij->iujk", w, getattr(self, f"endo_{i}")).flatten(2).flatten(0, 1)
            out.append((full @ x.flatten(0, 1)).unflatten(0, (len(x), -1)))
        return out


class Channels(torch.nn.Module):
    """Channels mixed with real weights, others for each irrep: (d, c, N) -> (d, c, N)."""

    def __init__(self, irreps: Sequence[Irrep], channels: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(len(irreps), channels, channels) / channels**0.5)
        self._which = np.repeat(np.arange(len(irreps)), [a.dim for a in irreps]).tolist()

    def forward(self, x: Tensor) -> Tensor:
        return self.weight[self._which] @ x
