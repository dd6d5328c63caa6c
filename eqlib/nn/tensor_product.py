"""Products of two features, decomposed into irreps by Clebsch-Gordan tensors."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib.constants import Constants
from eqlib.groups import Rep, copies
from eqlib.groups.rep import same_group
from eqlib.nn.blocks import check_axis, shown, split
from eqlib.products import SparseProduct, pays


class TensorProduct(Constants):
    """The equivariant bilinear map (..., rep_a.dim), (..., rep_b.dim) -> (..., rep_out.dim) over every allowed path.

    A path is (block of a, block of b, block of rep_out, k) with k over Hom(a (x) b, c). Its Clebsch-Gordan tensor is that of
    `group.clebsch_gordan`: for O3 the Wigner 3j symbols times (2 l + 1)^(1/2) of the output.

    Args:
        weights: "shared" (a parameter), "external" (given in forward, last axis `weight_numel`), or None: no weights, and the
            blocks of rep_out name the irreps to keep; `rep_out` becomes every copy of them in rep_a (x) rep_b, an isometry. Which
            one, its sign too, is `groups.copies`' choice, not that of `Group.clebsch_gordan`: 1o x 1o -> 2e comes out negated.
        depthwise: channels of a are not mixed: a path joins blocks with mul_out = mul_a and has K * mul_a * mul_b weights.

    >>> import torch
    >>> from eqlib import groups, nn
    >>> vector = groups.O3().rep("1o")
    >>> product = nn.TensorProduct(vector, vector, groups.O3().rep("0e+1e+2e"), weights=None)
    >>> product.rep_out  # the dot product, the cross product, the symmetric matrix without trace
    O3: 1x0e+1x1e+1x2e
    >>> x, y, _ = torch.eye(3)
    >>> product(x, y)[1:4].abs().gt(1e-6).tolist()
    [False, False, True]
    """

    extra_repr = shown

    def __init__(
        self, rep_a: Rep, rep_b: Rep, rep_out: Rep, weights: str | None = "shared", depthwise: bool = False
    ) -> None:
        super().__init__()
        same_group(rep_a=rep_a, rep_b=rep_b, rep_out=rep_out)
        if weights not in ("shared", "external", None):
            raise ValueError(f'weights: got {weights!r}, expected "shared", "external" or None')
        if weights is None and depthwise:
            raise ValueError("weights: got None with depthwise=True, expected 'shared' or 'external'")
        self.rep_a, self.rep_b, self.mode, self.depthwise = rep_a, rep_b, weights, depthwise
        group = rep_a.group
        self._paths: list[tuple[int, int, int, tuple[int, ...], slice]] = []
        self._sparse = torch.nn.ModuleDict()  # paths whose tensors are large and nearly empty
        kept: list[tuple[int, object]] = []
        tensors: dict[int, NDArray[np.float64]] = {}
        start = 0
        for o, (mul, c) in enumerate(rep_out.blocks):
            for i, (u, a) in enumerate(rep_a.blocks):
                for j, (v, b) in enumerate(rep_b.blocks):
                    cg = group.clebsch_gordan(a, b, c)
                    k = cg.shape[0]
                    if k == 0 or (depthwise and mul != u):
                        continue
                    shape: tuple[int, ...] = () if weights is None else (k, u, v) if depthwise else (k, u, v, mul)
                    size = int(np.prod(shape)) if shape else 0
                    target, path = (len(self._paths) if weights is None else o), len(self._paths)
                    if pays(cg) and (weights is not None or c.endo == 1):
                        self._sparse[str(path)] = SparseProduct(cg)
                        kept.append((k * u * v, c))  # of real type, so that each map is a copy of its own
                    elif weights is None:
                        maps = copies(cg.dense().reshape(k, a.dim * b.dim, c.dim), c.endomorphisms)
                        tensors[path] = maps.reshape(-1, a.dim, b.dim, c.dim)
                        kept.append((len(maps) * u * v, c))
                    else:
                        self.constant(f"cg_{path}", cg.dense())
                    self._paths.append((i, j, target, shape, slice(start, start + size)))
                    start += size
        self.rep_out = group.rep(kept) if weights is None else rep_out
        self._pairs: list[tuple[int, int, list[int], list[int]]] = []
        self._join_paths(tensors)
        self.weight_numel = start
        fan = [0] * len(self.rep_out.blocks)
        for _, _, o, shape, _ in self._paths:
            fan[o] += int(np.prod(shape[:3])) // (shape[1] if depthwise and shape else 1)
        self._scale = [max(1, n) ** -0.5 for n in fan]
        self.weight = torch.nn.Parameter(torch.randn(start)) if weights == "shared" else None

    def _join_paths(self, tensors: dict[int, NDArray[np.float64]]) -> None:
        """Without weights the paths of one pair of blocks share its outer product: one matrix serves them all."""
        for i, j in dict.fromkeys(self._paths[p][:2] for p in tensors):
            chosen = [p for p in tensors if self._paths[p][:2] == (i, j)]
            flat = [np.moveaxis(t, 0, 2).reshape(t.shape[1] * t.shape[2], -1) for t in (tensors[p] for p in chosen)]
            self.constant(f"pair_{len(self._pairs)}", np.concatenate(flat, axis=1))
            self._pairs.append((i, j, chosen, [t.shape[1] for t in flat]))

    def _products(self, left: list[Tensor], right: list[Tensor]) -> list[Tensor]:
        """Every copy of every kept irrep, in the order of rep_out's blocks."""
        out = [left[0]] * len(self._paths)
        for n, (i, j, chosen, sizes) in enumerate(self._pairs):
            outer = left[i][..., :, None, :, None] * right[j][..., None, :, None, :]
            for p, part in zip(chosen, (outer.flatten(-2) @ getattr(self, f"pair_{n}")).split(sizes, -1), strict=True):
                out[p] = part.unflatten(-1, (-1, self.rep_out.blocks[p][1].dim)).movedim(-2, -4).flatten(-4)
        for name, product in self._sparse.items():
            i, j = self._paths[int(name)][:2]
            out[int(name)] = product(left[i], right[j]).flatten(-4)
        return out

    def forward(self, x: Tensor, y: Tensor, weights: Tensor | None = None) -> Tensor:
        check_axis("x", x, self.rep_a, -1, choice=False)
        check_axis("y", y, self.rep_b, -1, choice=False)
        if (weights is None) == (self.mode == "external"):
            given = "none" if weights is None else "some"
            raise ValueError(
                f"weights: got {given} in forward, expected them exactly where the layer has weights='external'"
            )
        if weights is not None and weights.shape[-1:] != (self.weight_numel,):
            raise ValueError(f"weights: got {tuple(weights.shape)}, expected last axis {self.weight_numel}")
        w_all = self.weight if weights is None else weights
        left, right = split(x, self.rep_a, x.ndim - 1), split(y, self.rep_b, y.ndim - 1)
        batch = torch.broadcast_shapes(x.shape[:-1], y.shape[:-1], () if weights is None else weights.shape[:-1])
        if w_all is None:
            return torch.cat(self._products(left, right), dim=-1) if self._paths else x.new_zeros(*batch, 0)
        out: list[list[Tensor]] = [[] for _ in self.rep_out.blocks]
        for p, (i, j, o, shape, where) in enumerate(self._paths):
            w = w_all[..., where].unflatten(-1, shape)
            if str(p) in self._sparse:
                both = self._sparse[str(p)](left[i], right[j])
                mix = "...kuvc,...kuv->...uc" if self.depthwise else "...kuvc,...kuvw->...wc"
                out[o].append(torch.einsum(mix, both, w).flatten(-2))
                continue
            # The side with fewer copies is contracted with the tensor first; no (u, v, a, b) outer product is made.
            inner = torch.einsum("...vj,kijc->...kvic", right[j], getattr(self, f"cg_{p}"))
            if self.depthwise:
                mixed = torch.einsum("...kuv,...kvic->...uic", w, inner)
                out[o].append(torch.einsum("...ui,...uic->...uc", left[i], mixed).flatten(-2))
            else:
                both = torch.einsum("...ui,...kvic->...kuvc", left[i], inner)
                out[o].append(torch.einsum("...kuvc,...kuvw->...wc", both, w).flatten(-2))
        parts = [
            torch.stack([t.expand(*batch, -1) for t in terms]).sum(0) * scale
            if terms
            else x.new_zeros(*batch, mul * c.dim)
            for terms, scale, (mul, c) in zip(out, self._scale, self.rep_out.blocks, strict=True)
        ]
        return torch.cat(parts, dim=-1)
