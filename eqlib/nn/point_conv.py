"""Steerable convolution of points: in the plane, in space, and with Minkowski's metric in space-time."""

from __future__ import annotations

import torch
from torch import Tensor

from eqlib import doors, products
from eqlib.constants import Constants
from eqlib.doors import Degree, typed
from eqlib.graphs import Edges
from eqlib.graphs.edges import finite, in_range
from eqlib.groups import Irrep, Rep
from eqlib.groups.rep import same_group
from eqlib.harmonics import Harmonics
from eqlib.kernels import Alignment, RadialMLP, SteerableKernel, angular_basis, edge_maps
from eqlib.nn.blocks import check_axis, shown, split


@typed
class PointConv(Constants):
    """y_t = sum over edges (s, t) of K(r) x_s, with r = position of s - position of t and a steerable kernel K.

    K has harmonics of r up to `degree` and radial functions of q = r.r, in the group's metric. No edge's K is ever made:
    features are multiplied by what is sparse, edges are summed, and only then are channels mixed (see `products.EdgeMap`).
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
        aligned: whether each edge is turned to the axis and back instead of taking its harmonics, where depthwise: Passaro and
            Zitnick, Reducing SO(3) convolutions to SO(2) (2023). The same function; None takes what needs fewer
            multiplications. It needs a group with an alignment, and mu = 0. At r = 0, where a unit vector has
            no gradient, it gives 0, and the plain way that of r itself.

    Attributes:
        kernel: the `SteerableKernel` that is applied: y_t = sum kernel(r, weight @ radial(q)) x_s / neighbours^(1/2).
        weight_numel: `kernel.basis_size`, or less where depthwise. Order: output block, input block, then
            (mul_out, mul_in, element), or (element, mul) where depthwise, as e3nn's "uvu" has it.

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
        degree: Degree,
        radial: torch.nn.Module | None,
        mu: float = 0.0,
        depthwise: bool = False,
        neighbours: float = 1.0,
        aligned: bool | None = None,
    ) -> None:
        super().__init__()
        same_group(rep_in=rep_in, rep_out=rep_out)
        number = getattr(radial, "number", None)
        if radial is not None and not isinstance(number, int):
            raise ValueError(f"radial: got {type(radial).__name__}, expected None or a module with an integer .number")
        if not 0 < neighbours < float("inf"):
            raise ValueError(f"neighbours: got {neighbours!r}, expected a positive and finite number")
        if aligned and not (depthwise and mu == 0 and rep_in.group.alignment):
            raise ValueError(
                f"aligned: got True for {rep_in.group} with depthwise={depthwise} and mu={mu}, expected depthwise=True, mu=0 "
                "and a group that has an alignment"
            )
        self.rep_in, self.rep_out, self.degree, self.mu = rep_in, rep_out, degree, mu
        self.depthwise, self.radial, self.neighbours = depthwise, radial, float(neighbours)
        self.harmonics = Harmonics(rep_in.group, degree, mu=mu, normalization="norm")
        self._size = rep_in.group.vector.dim
        # A path: output block, input block, and the place of its weights.
        self._paths: list[tuple[int, int, slice]] = []
        spreads, start = [torch.zeros(0)], 0
        for i, (m, b) in enumerate(rep_out.blocks):
            joined = [
                (j, mul, _spread(a, b, degree)) for j, (mul, a) in enumerate(rep_in.blocks) if mul == m or not depthwise
            ]
            fan = sum((1 if depthwise else mul) * len(spread) for _, mul, spread in joined)
            for j, mul, spread in joined:
                pairs = m if depthwise else m * mul
                if pairs * len(spread):
                    doors.affordable(f"weights to {m}x{b.label}", pairs * len(spread) * (number or 1))
                    scale = spread / fan**0.5
                    spreads.append(scale.repeat_interleave(pairs) if depthwise else scale.repeat(pairs))
                    self._paths.append((i, j, slice(start, start + len(spreads[-1]))))
                    start += len(spreads[-1])
        self.weight_numel = start
        self.weight: torch.nn.Parameter | None = None
        if number is not None:
            scale = torch.cat(spreads)[:, None] / number**0.5
            self.weight = torch.nn.Parameter(torch.randn(start, number) * scale)
        # Blocks that share a number of channels are one map.
        muls = dict.fromkeys(mul for mul, _ in rep_in.blocks if mul)
        if mu or not rep_in.group.alignment:
            aligned = False
        self._parts = torch.nn.ModuleList(
            [_Depthwise(self, mul, aligned) if depthwise else _Mixed(self, mul, number or 1) for mul in muls]
        )

    @property
    def kernel(self) -> SteerableKernel:
        found = SteerableKernel(self.rep_in, self.rep_out, self.degree, mu=self.mu)
        return found.to(self.harmonics.metric)

    def forward(
        self,
        x: Tensor,
        positions: Tensor | Edges,
        edges: Tensor | None = None,
        weights: Tensor | None = None,
        *,
        invariants: Tensor | None = None,
    ) -> Tensor:
        """Features x (N, rep_in.dim) -> (targets, rep_out.dim): forward(x, edges) or forward(x, positions, edges).

        edges: `graphs.Edges`, whose vectors are components of `group.vector`; targets may be another set than sources. Or
        positions (N, v) in these components and edges (2, E), int64, source above target (see `eqlib.graphs`). Differences are
        taken in positions' own dtype and then cast to that of x. weights: (E, weight_numel), the last argument, where
        radial=None. invariants: (E, ...), what `radial` is given instead of q = r.r, where more than r.r is invariant: with a
        velocity u at the source r.u is too. They must not change under the group; the layer cannot tell.

        What depends on edges alone is computed once for all layers that get the same `edges.sharing()`.
        Raises ValueError for wrong shapes, an index out of range, positions that are not finite.
        """
        if isinstance(positions, Edges):
            if edges is not None and weights is not None:
                raise ValueError(
                    "edges: got a third argument beside Edges and weights, expected forward(x, edges, weights)"
                )
            found, weights = positions, edges if weights is None else weights
        else:
            self.check_points(x, positions, edges)
            assert edges is not None
            found = Edges(edges[0], edges[1], positions[edges[0]] - positions[edges[1]], x.shape[0])
        self._check(x, found, weights, invariants)
        r = found.vectors.to(x.dtype)
        blocks = split(x, self.rep_in, 1)
        sums: list[list[Tensor]] = [[] for _ in self.rep_out.blocks]
        radial = None
        if self.radial is not None and self.weight is not None:
            weights, radial = self.weight, self._radial(found, r, invariants)
        for part in self._parts:
            for i, y in part(blocks, found, r, weights, radial):
                sums[i].append(y)
        parts = [
            sum(terms[1:], terms[0]) if terms else x.new_zeros(found.targets, m * b.dim)
            for terms, (m, b) in zip(sums, self.rep_out.blocks, strict=True)
        ]
        return torch.cat([x.new_zeros(found.targets, 0), *parts], dim=1) * self.neighbours**-0.5

    def on_rows(self, x: Tensor, edges: Edges) -> Tensor:
        """The same on rows, (components, channels, N) -> (components, channels, targets): what networks of many layers keep.

        For a depthwise layer with radial functions whose blocks are all of one number of channels, component after component.
        """
        (part,) = self._parts
        assert isinstance(part, _Depthwise) and self.weight is not None
        r = edges.vectors.to(x.dtype)
        y = part.on_rows(x, edges, r, self.weight, self._radial(edges, r, None))
        return y * self.neighbours**-0.5

    def _radial(self, edges: Edges, r: Tensor, invariants: Tensor | None) -> Tensor:
        """Radial functions of each edge, (E, n); a basis that several layers' networks share is computed once."""
        assert self.radial is not None
        if invariants is not None:
            return self.radial(invariants.to(r.dtype))
        q = self.harmonics.square
        if not isinstance(self.radial, RadialMLP) or self.radial.basis is None:
            radial = self.radial
            return edges.once((id(radial), r.dtype), lambda: radial(q(r)))
        basis = self.radial.basis
        return self.radial.layers(edges.once((id(basis), r.dtype), lambda: basis(q(r))))

    def check_points(self, x: Tensor, positions: Tensor, edges: Tensor | None, rep: Rep | None = None) -> None:
        """ValueError for features, of `rep` or else of rep_in, positions and edges that do not fit together."""
        rep = self.rep_in if rep is None else rep
        check_axis("x", x, rep, -1, choice=False)
        if x.ndim != 2:
            raise ValueError(f"x: got {tuple(x.shape)}, expected (N, {rep.dim})")
        if positions.shape != (x.shape[0], self._size) or not positions.is_floating_point():
            raise ValueError(
                f"positions: got {positions.dtype} {tuple(positions.shape)}, expected floating point "
                f"({x.shape[0]}, {self._size}), a point for each row of x in components of {self.rep_in.group}.vector"
            )
        if edges is None or edges.ndim != 2 or edges.shape[0] != 2 or edges.dtype != torch.int64:
            came = "None" if edges is None else f"{edges.dtype} {tuple(edges.shape)}"
            raise ValueError(f"edges: got {came}, expected torch.int64 (2, E)")
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

    def _check(self, x: Tensor, edges: Edges, weights: Tensor | None, invariants: Tensor | None) -> None:
        check_axis("x", x, self.rep_in, -1, choice=False)
        if x.ndim != 2:
            raise ValueError(f"x: got {tuple(x.shape)}, expected (N, {self.rep_in.dim})")
        if edges.vectors.shape[1] != self._size:
            raise ValueError(
                f"edges.vectors: got {tuple(edges.vectors.shape)}, expected last axis {self._size}, components of "
                f"{self.rep_in.group}.vector"
            )
        if (weights is None) == (self.radial is None):
            given = "none" if weights is None else "some"
            raise ValueError(f"weights: got {given} in forward, expected them exactly where the layer has radial=None")
        if weights is not None and weights.shape != (edges.source.shape[0], self.weight_numel):
            raise ValueError(
                f"weights: got {tuple(weights.shape)}, expected {(edges.source.shape[0], self.weight_numel)}, a row for each edge"
            )
        if invariants is not None:
            if self.radial is None:
                raise ValueError("invariants: got some for a layer with radial=None, expected none: nothing takes them")
            if not invariants.is_floating_point() or invariants.shape[:1] != edges.source.shape:
                came = f"{invariants.dtype} {tuple(invariants.shape)}"
                raise ValueError(
                    f"invariants: got {came}, expected floating point ({len(edges)}, ...), a row for each edge"
                )
        if not torch.compiler.is_compiling():
            in_range("edges.source", edges.source, x.shape[0])
            if invariants is not None:
                finite("invariants", invariants)


class _Part(Constants):
    """The blocks of one number of channels, as rows (component, channel, point)."""

    angular: Tensor
    _turning: Tensor

    def __init__(self, layer: PointConv, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self._inside = [j for j, (mul, _) in enumerate(layer.rep_in.blocks) if mul == channels]
        self.ins = [layer.rep_in.blocks[j][1] for j in self._inside]
        self._harmonics = [layer.harmonics]  # in a list: it is the layer's, not this part's
        group = layer.rep_in.group
        self._key = f"harmonics of {group} {group.fingerprint}, degree {layer.degree}, mu {layer.mu}"

    def rows(self, blocks: list[Tensor]) -> Tensor:
        """Blocks (N, channels, d) -> (components, channels, N)."""
        return torch.cat([blocks[j].permute(2, 1, 0) for j in self._inside])

    def matrices(self, edges: Edges, r: Tensor) -> Tensor:
        """Harmonics of each edge times Clebsch-Gordan tensors, (entries, E)."""
        return self.angular @ edges.once((self._key, r.dtype), lambda: self._harmonics[0](r)).T


class _Depthwise(_Part):
    """A weight for each path, channel and edge."""

    def __init__(self, layer: PointConv, channels: int, aligned: bool | None) -> None:
        super().__init__(layer, channels)
        self._outside = [i for i, (mul, _) in enumerate(layer.rep_out.blocks) if mul == channels]
        self.outs = [layer.rep_out.blocks[i][1] for i in self._outside]
        self._where = [where for i, _, where in layer._paths if i in self._outside]
        self._degrees = edge_maps.paths(self.ins, self.outs, layer.degree)[1]
        plain = edge_maps.plain(self.ins, self.outs, layer.degree)
        self.map = plain.depthwise(self.ins, self.outs)
        self.frames: Alignment | None = None
        if aligned is not False:
            # Of all blocks: the parts of a layer, and layers of a network, mostly share one set of frames.
            blocks = *layer.rep_in.blocks, *layer.rep_out.blocks
            frames = Alignment(layer.rep_in.group, [a for _, a in blocks])
            turned = edge_maps.aligned(frames, self.ins, self.outs, layer.degree)
            # Frames serve all layers of a network, matrices of harmonics one.
            if aligned or turned.cost * channels + 2 * frames.rows < self.map.cost * channels + plain.angular.size:
                self.map, self.frames = turned, frames
        if self.frames is None:
            self.constant("angular", plain.angular)
        self._rows = edge_maps.slices(self.outs)
        self.constant("_turning", [J > 0 for J in self._degrees])

    def forward(
        self, blocks: list[Tensor], edges: Edges, r: Tensor, weights: Tensor, radial: Tensor | None
    ) -> list[tuple[int, Tensor]]:
        """Each output block with what this part adds to it, (targets, channels * d).

        weights: (E, weight_numel), or (weight_numel, n) for n functions in `radial` (E, n).
        """
        if not self._degrees:
            return []
        y = self.on_rows(self.rows(blocks), edges, r, weights, radial)
        return [(i, y[rows].permute(2, 1, 0).flatten(1)) for i, rows in zip(self._outside, self._rows, strict=True)]

    def on_rows(self, x: Tensor, edges: Edges, r: Tensor, weights: Tensor, radial: Tensor | None) -> Tensor:
        """x (components, channels, N) -> (components, channels, targets)."""
        axis = 1 if radial is None else 0
        if weights.shape[axis] > len(self._degrees) * self.channels:
            weights = torch.cat([weights.narrow(axis, s.start, s.stop - s.start) for s in self._where], axis)
        if radial is None:
            w = weights.T.unflatten(0, (-1, self.channels))
        else:
            w = products.weights(weights, radial, self.channels)
        if self.frames is None:
            before = self.matrices(edges, r)
            after = before.new_zeros(0, before.shape[1])
        else:
            frames = self.frames
            before = after = edges.once((frames.key, r.dtype), lambda: frames(r))
            none = (r * r).sum(1) <= torch.finfo(r.dtype).tiny  # not NaN, which has to come through
            if torch.compiler.is_compiling() or none.any():  # r = 0 has no direction: degree 0 alone is left
                w = torch.where(self._turning[:, None, None] & none, 0.0, w)
        return self.map(x, before, w, after, edges.source, edges.target, edges.targets)


class _Mixed(_Part):
    """A weight for each element and pair of channels, either one for all edges, or one for each."""

    def __init__(self, layer: PointConv, channels: int, number: int) -> None:
        super().__init__(layer, channels)
        plain = edge_maps.plain(self.ins, [b for _, b in layer.rep_out.blocks], layer.degree)
        self.map = plain.radial(self.ins, number)
        self.constant("angular", plain.angular)
        # Output block, its channels and dimension, rows of its elements behind the matrices, place of its weights.
        self._paths = []
        for i, j, where in layer._paths:
            if j in self._inside:
                m, b = layer.rep_out.blocks[i]
                first = plain.places[self._inside.index(j), b]
                count = (where.stop - where.start) // (m * channels)
                self._paths.append((i, m, b.dim, slice(first, first + count * b.dim), where))

    def forward(
        self, blocks: list[Tensor], edges: Edges, r: Tensor, weights: Tensor, radial: Tensor | None
    ) -> list[tuple[int, Tensor]]:
        """Each output block with what this part adds to it, (targets, m * d).

        weights: (E, weight_numel), or (weight_numel, n) for n functions in `radial` (E, n). Then channels are mixed after the
        sum over edges.
        """
        if radial is None:
            return self._weigh_first(blocks, edges, r, weights.T)
        z = self._products(blocks, edges, r, radial.T[:, None], edges.target, edges.targets)
        z, found = z.unflatten(0, (radial.shape[1], -1)), []
        for i, m, d, rows, where in self._paths:
            w = weights[where].unflatten(0, (m, self.channels, -1))
            found.append((i, torch.einsum("uvfk,kfbvn->nub", w, z[:, rows].unflatten(1, (-1, d))).flatten(1)))
        return found

    def _weigh_first(self, blocks: list[Tensor], edges: Edges, r: Tensor, weights: Tensor) -> list[tuple[int, Tensor]]:
        e = r.shape[0]
        z = self._products(blocks, edges, r, r.new_ones(1, 1, e), torch.arange(e, device=r.device), e)
        found = []
        for i, m, d, rows, where in self._paths:
            w = weights[where].unflatten(0, (m, self.channels, -1))
            terms = torch.einsum("uvfe,fbve->eub", w, z[rows].unflatten(0, (-1, d))).flatten(1)
            found.append((i, terms.new_zeros(edges.targets, m * d).index_add(0, edges.target, terms)))
        return found

    def _products(
        self, blocks: list[Tensor], edges: Edges, r: Tensor, w: Tensor, target: Tensor, targets: int
    ) -> Tensor:
        before = self.matrices(edges, r)
        return self.map(
            self.rows(blocks), before, w, before.new_zeros(0, before.shape[1]), edges.source, target, targets
        )


def _spread(a: Irrep, b: Irrep, degree: int) -> Tensor:
    """(N,) for each element the weight that keeps variance: Y_J has length 1, so a component has 1 / dim on average."""
    found = [angular_basis(a, b, j) for j in range(degree + 1)]
    return torch.tensor([basis.shape[-1] ** 0.5 for basis in found for _ in basis])
