"""Products of two features, decomposed into irreps by Clebsch-Gordan tensors."""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib import doors
from eqlib.constants import Constants, fixed
from eqlib.doors import typed
from eqlib.groups import Irrep, Rep, copies
from eqlib.groups.rep import same_group
from eqlib.kernels import edge_maps
from eqlib.nn.blocks import check_axis, check_dtype, shown, split
from eqlib.products import SparseProduct, opened, pays

Ints = NDArray[np.int64]


@typed
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
        rows: list[int] = []
        start = 0
        for o, (mul, c) in enumerate(rep_out.blocks):
            for i, (u, a) in enumerate(rep_a.blocks):
                for j, (v, b) in enumerate(rep_b.blocks):
                    cg = group.clebsch_gordan(a, b, c)
                    k = cg.shape[0]
                    if k == 0 or (depthwise and mul != u):
                        continue
                    shape: tuple[int, ...] = () if weights is None else (k, u, v) if depthwise else (k, u, v, mul)
                    size = prod(shape) if shape else 0
                    what = f"products of {u}x{a.label} and {v}x{b.label} in {c.label}"
                    doors.affordable(what, size if weights else u * v * len(cg.values))
                    target, path = (len(self._paths) if weights is None else o), len(self._paths)
                    if pays(cg) and (weights is not None or c.endo == 1):
                        self._sparse[str(path)] = SparseProduct(cg)
                        kept.append((k * u * v, c))  # of real type, so that each map is a copy of its own
                    elif depthwise and v == 1:
                        rows.append(path)
                    elif weights is None:
                        maps = copies(cg.dense().reshape(k, a.dim * b.dim, c.dim), c.endomorphisms)
                        tensors[path] = maps.reshape(-1, a.dim, b.dim, c.dim)
                        kept.append((len(maps) * u * v, c))
                    else:
                        self.constant(f"cg_{path}", cg.dense())
                    self._paths.append((i, j, target, shape, slice(start, start + size)))
                    start += size
        self.rep_out = group.rep(kept) if weights is None else rep_out
        self._join_paths(tensors)
        self.weight_numel = start
        fan = [0] * len(self.rep_out.blocks)
        for _, _, o, shape, _ in self._paths:
            fan[o] += prod(shape[:3]) // (shape[1] if depthwise and shape else 1)
        self._scale = [max(1, n) ** -0.5 for n in fan]
        muls = dict.fromkeys(rep_a.blocks[self._paths[p][0]][0] for p in rows)
        self._rows = torch.nn.ModuleList([_Rows(self, mul, rows) for mul in muls])
        self._blocks = [p for p in range(len(self._paths)) if p not in rows]
        self.weight = torch.nn.Parameter(torch.randn(start)) if weights == "shared" else None

    def _join_paths(self, tensors: dict[int, NDArray[np.float64]]) -> None:
        """Without weights all paths are one list of coefficients, but for those whose tensors are large and nearly empty."""
        found = []
        for p, maps in tensors.items():
            n, i, j, k = np.nonzero(maps)
            found.append(self._entries(p, n, i, j, k, maps[n, i, j, k]))
        self._terms, self._values = _joined(found)

    def _entries(
        self, p: int, n: Ints, ia: Ints, jb: Ints, k: Ints, values: NDArray[np.float64]
    ) -> tuple[Ints, NDArray[np.float64]]:
        """Coefficients of one path's maps, entries (n, ia, jb, k): of x, of y, of the output (m, 3), and their values (m,)."""
        i, j = self._paths[p][:2]
        (u, a), (v, b) = self.rep_a.blocks[i], self.rep_b.blocks[j]
        # An output block's order: map, copy of a, copy of b, component.
        copies_a, copies_b = (index.reshape(-1, 1) for index in np.divmod(np.arange(u * v), max(1, v)))
        rows = ((n * u + copies_a) * v + copies_b) * self.rep_out.blocks[p][1].dim + k
        places = [
            self.rep_a.slices[i].start + copies_a * a.dim + ia,
            self.rep_b.slices[j].start + copies_b * b.dim + jb,
            self.rep_out.slices[p].start + rows,
        ]
        return np.stack([place.ravel() for place in places], axis=1), np.tile(values, u * v)

    @property
    def coefficients(self) -> tuple[Tensor, Tensor]:
        """Of a product without weights: terms (m, 3), the entries of x, y and the output, and their values (m,), float64.

        Raises ValueError for a product with weights.

        >>> from eqlib import groups, nn
        >>> V = groups.SO3().rep("1")
        >>> terms, values = nn.TensorProduct(V, V, V, weights=None).coefficients
        >>> len(terms), round(values.square().sum().item(), 6)  # a cross product over 2^(1/2)
        (6, 3.0)
        """
        if self.mode is not None:
            raise ValueError(f"coefficients: got a product with weights={self.mode!r}, expected weights=None")
        if not self._sparse:
            return self._terms, self._values
        found = [(self._terms.numpy(), self._values.numpy())]
        for name, product in self._sparse.items():
            assert isinstance(product, SparseProduct)
            n, k = np.divmod(product.target.cpu().numpy(), product.shape[3])
            index = product.left.cpu().numpy(), product.right.cpu().numpy()
            found.append(self._entries(int(name), n, *index, k, product._exact["values"].numpy()))
        return _joined(found)

    def _products(self, x: Tensor, y: Tensor, left: list[Tensor], right: list[Tensor]) -> Tensor:
        """Every copy of every kept irrep, in the order of rep_out's blocks."""
        batch = torch.broadcast_shapes(x.shape[:-1], y.shape[:-1])
        a, b = (v.expand(*batch, -1).reshape(prod(batch), v.shape[-1]) for v in (x, y))
        sizes = (self.rep_a.dim, self.rep_b.dim, self.rep_out.dim)
        out = opened(a, b, self._terms, self._values, sizes, 2, rows=False).reshape(*batch, self.rep_out.dim)
        if not self._sparse:
            return out
        parts = list(out.split([mul * c.dim for mul, c in self.rep_out.blocks], -1))
        for name, product in self._sparse.items():
            i, j = self._paths[int(name)][:2]
            parts[int(name)] = product(left[i], right[j]).flatten(-4)
        return torch.cat(parts, dim=-1)

    def forward(self, x: Tensor, y: Tensor, weights: Tensor | None = None) -> Tensor:
        check_axis("x", x, self.rep_a, -1, choice=False)
        check_axis("y", y, self.rep_b, -1, choice=False)
        check_dtype("x", x, y)
        if self.weight is not None:
            check_dtype("x", x, self.weight)
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
            return self._products(x, y, left, right) if self._paths else x.new_zeros(*batch, 0)
        out: list[list[Tensor]] = [[] for _ in self.rep_out.blocks]
        for part in self._rows:
            for o, found in part(left, y, w_all, batch):
                out[o].append(found)
        for p in self._blocks:
            i, j, o, shape, where = self._paths[p]
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


def _joined(found: list[tuple[Ints, NDArray[np.float64]]]) -> tuple[Tensor, Tensor]:
    terms, values = zip((np.zeros((0, 3), dtype=np.int64), np.zeros(0)), *found, strict=True)
    return fixed(np.concatenate(terms)), fixed(np.concatenate(values))


class _Rows(Constants):
    """Depthwise paths of one number of channels, with single copies on the right, as one map on rows (see `products.EdgeMap`).

    The right factor's part is that of an edge: Clebsch-Gordan tensors times it are matrices on components of the left one.
    """

    angular: Tensor

    def __init__(self, layer: TensorProduct, channels: int, paths: list[int]) -> None:
        super().__init__()
        a, b, c = layer.rep_a, layer.rep_b, layer.rep_out
        self.channels = channels
        mine = [p for p in paths if a.blocks[layer._paths[p][0]][0] == channels]
        self._where = [layer._paths[p][4] for p in mine]
        self._inside = sorted({layer._paths[p][0] for p in mine})
        self._outside = sorted({layer._paths[p][2] for p in mine})
        allowed = {(a.blocks[i][1], j, c.blocks[o][1]) for i, j, o, *_ in (layer._paths[p] for p in mine)}

        def basis(left: Irrep, out: Irrep) -> NDArray[np.float64]:
            """(elements, out, left, rep_b): of each block of rep_b in turn."""
            found = [np.zeros((0, out.dim, left.dim, b.dim))]
            for j, (_, right) in enumerate(b.blocks):
                if (left, j, out) in allowed:
                    tensor = left.group.clebsch_gordan(left, right, out).dense()
                    found.append(np.zeros((len(tensor), *found[0].shape[1:])))
                    found[-1][..., b.slices[j]] = tensor.transpose(0, 3, 1, 2)
            return np.concatenate(found)

        ins, outs = ([rep.blocks[i][1] for i in which] for rep, which in ((a, self._inside), (c, self._outside)))
        plain = edge_maps.joined(ins, outs, basis)
        self.map = plain.depthwise(ins, outs)
        self.constant("angular", plain.angular)
        self._rows = edge_maps.slices(outs)

    def forward(
        self, left: list[Tensor], y: Tensor, weights: Tensor, batch: tuple[int, ...]
    ) -> list[tuple[int, Tensor]]:
        """Each output block with what these paths add to it, (..., channels * d)."""
        x = torch.cat([left[i].movedim(-1, 0) for i in self._inside])
        x = x.movedim(-1, 1).expand(-1, -1, *batch).flatten(2)
        before = self.angular @ y.expand(*batch, -1).reshape(-1, y.shape[-1]).T
        if sum(where.stop - where.start for where in self._where) < weights.shape[-1]:
            weights = torch.cat([weights[..., where] for where in self._where], dim=-1)
        w = weights.expand(*batch, -1).reshape(-1, weights.shape[-1]).T.unflatten(0, (-1, self.channels))
        edges = torch.arange(w.shape[2], device=w.device)
        z = self.map(x, before, w, before.new_zeros(0, before.shape[1]), edges, edges, len(edges))
        return [
            (o, z[rows].permute(2, 1, 0).flatten(1).unflatten(0, batch))
            for o, rows in zip(self._outside, self._rows, strict=True)
        ]
