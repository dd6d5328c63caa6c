"""Steerable convolution of points: in the plane, in space, and with Minkowski's metric in space-time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eqlib.constants import Constants
from eqlib.groups import Irrep, Rep
from eqlib.groups.rep import same_group
from eqlib.kernels import SteerableKernel, angular_basis, elements
from eqlib.nn.blocks import check_axis, shown, split


class PointConv(Constants):
    """y_t = sum over edges (s, t) of K(r) x_s, with r = position of s - position of t and a steerable kernel K.

    K has harmonics of r up to `degree` and radial functions of q = r.r, in the group's metric. No edge's K is ever made:
    harmonics meet the Clebsch-Gordan tensors, features are multiplied on, edges are summed, and only then are channels mixed.
    Thomas et al., Tensor field networks (2018), here for any group with harmonics.

    Args:
        rep_in, rep_out: features of the source and of the target.
        degree: highest harmonic degree.
        radial: a module q (E,) -> (E, n) with `.number` n (see `eqlib.kernels.radial`); the layer then owns `weight`, of shape
            (weight_numel, n). None: weights (E, weight_numel) are given in forward.
        mu: length below which harmonics are rounded off, positions' unit (see `eqlib.harmonics.Harmonics`). 0 takes the unit
            vector; space-time needs mu > 0.
        depthwise: channels are not mixed: a path joins blocks with mul_out = mul_in and has that many weights an element.
        neighbours: expected number of edges a target, a number alone: sums are divided by its square root. Who is whose
            neighbour is said by `edges`, in forward.

    Attributes:
        kernel: the `SteerableKernel` that is applied: y_t = sum kernel(r, weight @ radial(q)) x_s / neighbours^(1/2).
        weight_numel: `kernel.basis_size`, or less where depthwise. Order: output block, input block, then
            (mul_out, mul_in, element), or (mul, element) where depthwise.

    Raises ValueError for mixed groups and for arguments out of range.

    >>> import torch
    >>> from eqlib import graphs, groups, kernels, nn
    >>> _ = torch.manual_seed(0)
    >>> O3 = groups.O3()
    >>> conv = nn.PointConv(O3.rep("0e"), O3.rep("0e+1o"), degree=1, radial=kernels.Bessel(4, cutoff=2.0))
    >>> positions = torch.tensor([[0.0, 0, 0], [0, 0, 1], [0, 0, 5]])
    >>> y = conv(torch.ones(3, 1), positions, graphs.radius_graph(positions, cutoff=2.0))
    >>> torch.allclose(y[0, 1:], -y[1, 1:])  # two points see each other in opposite directions
    True
    >>> y[2].tolist()  # and the third sees none
    [0.0, 0.0, 0.0, 0.0]
    """

    extra_repr = shown

    def __init__(
        self,
        rep_in: Rep,
        rep_out: Rep,
        degree: int,
        radial: torch.nn.Module | None,
        mu: float = 0.0,
        depthwise: bool = False,
        neighbours: float = 1.0,
    ) -> None:
        super().__init__()
        same_group(rep_in=rep_in, rep_out=rep_out)
        number = getattr(radial, "number", None)
        if radial is not None and not isinstance(number, int):
            raise ValueError(f"radial: got {type(radial).__name__}, expected None or a module with an integer .number")
        if not 0 < neighbours < float("inf"):
            raise ValueError(f"neighbours: got {neighbours!r}, expected a positive and finite number")
        self.rep_in, self.rep_out, self.depthwise, self.radial = rep_in, rep_out, depthwise, radial
        self.kernel = SteerableKernel(rep_in, rep_out, degree, mu=mu)
        self._size = rep_in.group.vector.dim
        self._norm = float(neighbours) ** -0.5
        places = [self._angular(j) for j in range(len(rep_in.blocks))]
        self._used = [j for j, place in enumerate(places) if place]
        # A path: output block, input block, number of elements, their place in `angular`, their place among the weights.
        self._paths: list[tuple[int, int, int, slice, slice]] = []
        spreads, start = [torch.zeros(0)], 0
        for i, (m, b) in enumerate(rep_out.blocks):
            joined = [(j, *rep_in.blocks[j]) for j in self._used if b in places[j]]
            joined = [(j, mul, a) for j, mul, a in joined if mul == m or not depthwise]
            found = [_spread(a, b, degree) for _, _, a in joined]
            fan = sum((1 if depthwise else mul) * len(s) for (_, mul, _), s in zip(joined, found, strict=True))
            for (j, mul, _), spread in zip(joined, found, strict=True):
                pairs = m if depthwise else m * mul
                stop = start + pairs * len(spread)
                self._paths.append((i, j, len(spread), places[j][b], slice(start, stop)))
                spreads.append((spread / fan**0.5).repeat(pairs))
                start = stop
        self.weight_numel = start
        self.weight: torch.nn.Parameter | None = None
        if number is not None:
            scale = torch.cat(spreads)[:, None] / number**0.5
            self.weight = torch.nn.Parameter(torch.randn(start, number) * scale)

    def _angular(self, j: int) -> dict[Irrep, slice]:
        """Register `angular_j` (harmonics, a.dim, F): every element from input block j to every irrep it may reach.

        Returns where the elements into each irrep lie on the last axis, (element, b.dim).
        """
        mul, a = self.rep_in.blocks[j]
        places: dict[Irrep, slice] = {}
        columns, stop = [], 0
        for b in dict.fromkeys(b for m, b in self.rep_out.blocks if mul == m or not self.depthwise):
            basis = elements(a, b, self.kernel.degree)
            if len(basis) and mul:
                places[b] = slice(stop, stop + len(basis) * b.dim)
                stop = places[b].stop
                columns.append(basis.transpose(3, 2, 0, 1).reshape(basis.shape[3], a.dim, -1))
        if columns:
            self.constant(f"angular_{j}", np.concatenate(columns, axis=-1))
        return places

    def forward(self, x: Tensor, positions: Tensor, edges: Tensor, weights: Tensor | None = None) -> Tensor:
        """Features x (N, rep_in.dim) at positions (N, v), components of `group.vector` -> (N, rep_out.dim).

        edges (2, E), int64: source above target (see `eqlib.graphs`). Differences are taken in positions' own dtype and
        then cast to that of x. Raises ValueError for wrong shapes, an index out of range, positions that are not finite.
        """
        self._check(x, positions, edges, weights)
        source, target = edges[0], edges[1]
        r = (positions[source] - positions[target]).to(x.dtype)
        y = self.kernel.harmonics(r)
        features = split(x[source], self.rep_in, 1)
        products = {}
        for j in self._used:
            angular = getattr(self, f"angular_{j}")
            products[j] = torch.bmm(features[j], (y @ angular.flatten(1)).unflatten(1, angular.shape[1:]))
        if self.radial is not None and self.weight is not None:
            radial = self.radial(self.kernel.harmonics.square(r))
            if not self.depthwise:
                return self._sum_first(products, radial, target, x.shape[0])
            weights = radial @ self.weight.T
        assert weights is not None
        return self._weigh_first(products, weights, target, x.shape[0])

    def _sum_first(self, products: dict[int, Tensor], radial: Tensor, target: Tensor, n: int) -> Tensor:
        """One weight for all edges: sum radial (E, k) times products (E, mul, F) over edges, then mix channels."""
        assert self.weight is not None
        summed = {}
        for j, product in products.items():
            nothing = product.new_zeros(n, *product.shape[1:])
            # One radial function at a time: together they would need k times the memory, and more time for it.
            sums = [nothing.index_add(0, target, f[:, None, None] * product) for f in radial.unbind(1)]
            summed[j] = torch.stack(sums, dim=1)
        out: list[list[Tensor]] = [[] for _ in self.rep_out.blocks]
        for i, j, count, place, where in self._paths:
            (m, b), (mul, _) = self.rep_out.blocks[i], self.rep_in.blocks[j]
            w = self.weight[where].unflatten(0, (m, mul, count))
            z = summed[j][..., place].unflatten(-1, (count, b.dim))
            out[i].append(torch.einsum("uvfk,nkvfb->nub", w, z).flatten(1))
        return self._joined(out, radial, n)

    def _weigh_first(self, products: dict[int, Tensor], weights: Tensor, target: Tensor, n: int) -> Tensor:
        """Each edge has weights of its own (E, weight_numel): weigh its products (E, mul, F), then sum over edges."""
        out: list[list[Tensor]] = [[] for _ in self.rep_out.blocks]
        for i, j, count, place, where in self._paths:
            (m, b), (mul, _) = self.rep_out.blocks[i], self.rep_in.blocks[j]
            z = products[j][..., place].unflatten(-1, (count, b.dim))
            if self.depthwise:
                terms = (weights[:, where].unflatten(1, (m, count, 1)) * z).sum(2)
            else:
                terms = torch.einsum("euvf,evfb->eub", weights[:, where].unflatten(1, (m, mul, count)), z)
            out[i].append(terms.flatten(1))
        edges = self._joined(out, weights, target.shape[0])
        return edges.new_zeros(n, self.rep_out.dim).index_add(0, target, edges)

    def _joined(self, out: list[list[Tensor]], like: Tensor, n: int) -> Tensor:
        """Sum the terms of each output block and put the blocks on one axis, (n, rep_out.dim)."""
        parts = [
            sum(terms[1:], terms[0]) if terms else like.new_zeros(n, m * b.dim)
            for terms, (m, b) in zip(out, self.rep_out.blocks, strict=True)
        ]
        return torch.cat([like.new_zeros(n, 0), *parts], dim=1) * self._norm

    def _check(self, x: Tensor, positions: Tensor, edges: Tensor, weights: Tensor | None) -> None:
        check_axis("x", x, self.rep_in, -1, choice=False)
        if x.ndim != 2:
            raise ValueError(f"x: got {tuple(x.shape)}, expected (N, {self.rep_in.dim})")
        if positions.shape != (x.shape[0], self._size) or not positions.is_floating_point():
            raise ValueError(
                f"positions: got {positions.dtype} {tuple(positions.shape)}, expected floating point "
                f"({x.shape[0]}, {self._size}), a point for each row of x in components of {self.rep_in.group}.vector"
            )
        if edges.ndim != 2 or edges.shape[0] != 2 or edges.dtype != torch.int64:
            raise ValueError(f"edges: got {edges.dtype} {tuple(edges.shape)}, expected torch.int64 (2, E)")
        if (weights is None) == (self.radial is None):
            given = "none" if weights is None else "some"
            raise ValueError(f"weights: got {given} in forward, expected them exactly where the layer has radial=None")
        if weights is not None and weights.shape != (edges.shape[1], self.weight_numel):
            raise ValueError(
                f"weights: got {tuple(weights.shape)}, expected {(edges.shape[1], self.weight_numel)}, a row for each edge"
            )
        if torch.compiler.is_compiling():  # no branch may depend on data there
            return
        if not positions.isfinite().all():
            raise ValueError(
                f"positions: got {tuple(positions.shape)} with NaN or infinite numbers, expected finite ones"
            )
        if edges.numel() and not 0 <= int(edges.min()) <= int(edges.max()) < x.shape[0]:
            raise ValueError(
                f"edges: got points {int(edges.min())} ... {int(edges.max())}, expected 0 ... {x.shape[0] - 1}"
            )


def _spread(a: Irrep, b: Irrep, degree: int) -> Tensor:
    """(N,) for each element the weight that keeps variance: Y_J has length 1, so a component has 1 / dim on average."""
    found = [angular_basis(a, b, j) for j in range(degree + 1)]
    return torch.tensor([basis.shape[-1] ** 0.5 for basis in found for _ in basis])
