"""The Lorentz group network: decompose, mix by Schur's lemma, multiply by Clebsch-Gordan, within a particle and over pairs.

After Bogatskiy et al. 2020 (Lorentz group equivariant neural network for particle physics, Sec. 4), written for any group
that has a vector: irreps, products and the invariant form come from the group. Theirs (`pure`) and ours:

| | pure | ours |
| --- | --- | --- |
| momenta in units of | one mass for all jets | the jet's own mass, a scalar beside |
| weight of a pair | bells of (p_i - p_j)^2 | a network on p_i.p_j and both particles' invariants |
| product within a particle | of a feature with itself | with a mixture of features |
| nonlinear | products, a network on each layer's invariants | gates on tensors too |
| the head sees | invariants of all layers, summed | those of the last, and the jet's mass in `Masses` |
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from eqlib import nn
from eqlib.constants import Constants
from eqlib.groups import Group, Irrep, Rep
from eqlib.kernels import Masses
from eqlib.models.heads import head, perceptron
from eqlib.nn.blocks import check_mask, split

PAIRS, TENSORS = 1e4, 10.0  # 1 / invariants that `squash` begins to compress: masses of pairs span four orders
PARTICLES = 30.0  # a sum over particles is divided by about their number
MASSES = 16  # Gaussians of the logarithm of the jet's mass


def squash(x: Tensor, sharpness: float) -> Tensor:
    """Odd and smooth, linear below 1 / sharpness and logarithmic above, 1 at 1: invariants spread over many orders.

    A large sharpness also enlarges the rounding of an invariant that nearly cancels.
    """
    return x.sign() * torch.log1p(sharpness * x.abs()) / math.log1p(sharpness)


class LorentzGroupNetwork(Constants):
    """Vectors of a jet's particles (batch, n, v), in components of `group.vector`, and mask (batch, n) -> (batch, classes).

    Invariant under the group and under permutations of the particles. Ours divides vectors by s = ((P.P)^2 + mu^4)^(1/4) of
    their sum P first, which leaves every invariant of order one.

    Args:
        irreps: labels of the tensor features; none leaves a network on invariants alone.
        channels: how many of each tensor, before and after each layer: (2, 4, 4, 2) is three layers.
        scalars: invariant features of a particle (ours; pure has as many as `channels`). hidden: width of the networks on
            invariants.
        mu: scale in the vectors' unit, see `Harmonics`. products: False leaves the Clebsch-Gordan products out.
        masses: between which masses the jet's own is resolved for the head, the vectors' unit; pure takes their geometric
            mean as its unit. None: log s alone.
        extra: how many other numbers of a particle there are that no transformation changes, such as its type.
        pure: the network as it was published instead of ours, see the table above.

    >>> import torch
    >>> from eqlib import groups, models
    >>> _ = torch.manual_seed(0)
    >>> Lorentz = groups.Lorentz()
    >>> net = models.LorentzGroupNetwork(Lorentz, ["(1,1)"], channels=(2, 2), scalars=4, hidden=4).double().eval()
    >>> jet = torch.tensor([[[30.0, 3, 4, 29], [20.0, 0, 5, 19]]], dtype=torch.float64)  # (E, px, py, pz) in GeV
    >>> boost = torch.tensor(Lorentz.matrix(Lorentz.sample(1, seed=0))[0])
    >>> q, mask = torch.tensor(Lorentz.coordinates.T), torch.ones(1, 2, dtype=torch.bool)
    >>> torch.allclose(net(jet @ q, mask), net(jet @ boost.T @ q, mask))
    True
    """

    metric: Tensor

    def __init__(
        self,
        group: Group,
        irreps: Sequence[str] = ("(1,1)", "(2,0)", "(2,2)"),
        channels: Sequence[int] = (2, 4, 4, 2),
        scalars: int = 16,
        hidden: int = 16,
        classes: int = 2,
        mu: float = 5.0,
        products: bool = True,
        masses: tuple[float, float] | None = (30.0, 500.0),
        extra: int = 0,
        pure: bool = False,
    ) -> None:
        super().__init__()
        if len(group.vector.blocks) != 1 or group.vector.blocks[0][0] != 1:
            raise ValueError(f"group: got {group} with vector {group.vector}, expected one whose vector is one irrep")
        if len(channels) < 2:
            raise ValueError(f"channels: got {tuple(channels)}, expected at least an input and an output")
        if mu <= 0:
            raise ValueError(f"mu: got {mu}, expected a positive number")
        if extra < 0:
            raise ValueError(f"extra: got {extra}, expected 0 or more numbers of a particle")
        if pure and (masses is None or not irreps or not products):
            raise ValueError(
                "pure: got True without masses, irreps or products, expected all three: it is made of them"
            )
        self.group, self.mu, self.extra, self.pure = group, mu, extra, pure
        self.masses = None if masses is None else Masses(MASSES, *masses)
        self.constant("metric", group.metric)
        vector = group.vector.blocks[0][1]
        labels = [group.irrep(a) for a in irreps]
        if any(a.is_trivial for a in labels):
            raise ValueError(
                f"irreps: got {tuple(irreps)}, expected none that is {group.trivial.label}, which `scalars` stands for"
            )
        if pure:
            scalars = channels[0]
        self.enter = perceptron([(1 if pure else 4) + extra, hidden, scalars])
        sizes = list(channels) if labels else [0] * len(channels)
        before = [vector] if labels else []
        self.start = nn.Linear(group.rep([(1 if pure else 2, vector)]), group.rep([(sizes[0], vector)]), bias=False)
        layers: list[torch.nn.Module] = []
        for few, many in zip(sizes[:-1], sizes[1:], strict=True):
            if pure:
                layers.append(_PureLayer(group, before, few, labels, many, hidden))
            else:
                layers.append(_Layer(group, before, few, labels, many, scalars, hidden, products))
            before = labels
        self.layers = torch.nn.ModuleList(layers)
        self.rep = group.rep([(sizes[-1], a) for a in labels])
        self._dims = [a.dim for a in labels]
        self.head = head(sum(sizes) if pure else scalars + 2 + (MASSES if masses else 0), classes)

    # Properties, because a Rep among the attributes would be part of what a weights file compares.
    @property
    def rep_in(self) -> Rep:
        """Of a particle: its momentum."""
        return self.group.vector

    @property
    def rep_out(self) -> Rep:
        """Of the scores: trivial copies."""
        return self.group.rep([(self.head[-1].out_features, self.group.trivial)])  # type: ignore[list-item]

    def features(self, vectors: Tensor, mask: Tensor, extra: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Scalars (batch, n, scalars), tensors (batch, n, rep.dim) and invariants of the jet (batch, 2): log s / mu, n / 60.

        Scalars of a pure network are those of all layers, (batch, n, sum of channels).
        """
        keep = self._checked(vectors, mask, extra)
        p = vectors * keep[..., None]
        total = p.sum(1, keepdim=True)
        square = torch.einsum("bni,ij,bnj->bn", total, self.metric, total)[..., None]
        scale = (square**2 + self.mu**4) ** 0.25
        unit = (self.masses.least * self.masses.most) ** 0.5 if self.pure else scale  # type: ignore[union-attr]
        p, total = p / unit, total / unit
        dual = p @ self.metric
        pairs = dual @ p.mT
        own = pairs.diagonal(dim1=1, dim2=2)[..., None]
        size, count = torch.log(scale / self.mu), keep.sum(1)[:, None, None] / (2 * PARTICLES)
        if self.pure:
            about, begin, pairs = [squash(own, PAIRS)], p, own + own.mT - 2 * pairs
        else:
            share = dual @ total.mT
            about = [squash(share, PAIRS), squash(own, PAIRS), size.expand_as(share), count.expand_as(share)]
            begin, pairs = torch.cat([p, total.expand_as(p)], dim=-1), squash(pairs, PAIRS)
        scalars = self.enter(torch.cat(about if extra is None else [*about, extra * keep[..., None]], dim=-1))
        tensors = self.start(begin).unflatten(-1, (self.start.rep_out.copies, p.shape[-1]))
        found = [scalars]
        for layer in self.layers:
            scalars, tensors = layer(scalars, tensors, p, pairs, keep)
            found.append(scalars)
        scalars = torch.cat(found, dim=-1) if self.pure else scalars
        jet = torch.cat([size, count], dim=-1)[:, 0]
        if not self.rep.blocks:
            return scalars, scalars[..., :0], jet
        return scalars, torch.cat([part.flatten(-2) for part in tensors.split(self._dims, -1)], dim=-1), jet

    def forward(self, vectors: Tensor, mask: Tensor, extra: Tensor | None = None) -> Tensor:
        scalars, _, jet = self.features(vectors, mask, extra)
        pooled = (scalars * mask[..., None]).sum(1) / PARTICLES
        if self.pure:
            return self.head(pooled)
        if self.masses is None:
            return self.head(torch.cat([pooled, jet], dim=-1))
        resolved = self.masses(torch.exp(2 * jet[:, 0]) * self.mu**2)
        return self.head(torch.cat([pooled, jet, resolved], dim=-1))

    def _checked(self, vectors: Tensor, mask: Tensor, extra: Tensor | None) -> Tensor:
        """The mask as numbers, where all three fit."""
        if vectors.ndim != 3 or vectors.shape[-1] != self.group.vector.dim:
            raise ValueError(
                f"vectors: got {tuple(vectors.shape)}, expected (batch, n, {self.group.vector.dim}), components of "
                f"{self.group}.vector"
            )
        check_mask(mask, vectors)
        shape = None if extra is None else tuple(extra.shape)
        if shape != ((*vectors.shape[:2], self.extra) if self.extra else None):
            wanted = (
                f"(batch, n, {self.extra}), as many as the network has" if self.extra else "none: the network has none"
            )
            raise ValueError(f"extra: got {shape}, expected {wanted}")
        if not torch.compiler.is_compiling():
            for name, x in (("vectors", vectors), ("extra", extra)):
                if x is not None and not x.isfinite().all():
                    raise ValueError(f"{name}: got NaN or inf, expected finite numbers")
        return mask.to(vectors.dtype)


class _Layer(torch.nn.Module):
    """One round: messages over pairs, products, Schur-linear mixing, a network on the invariants.

    Tensors are (batch, n, channels, sum of dims): channels are an axis of their own, since products are taken channel by
    channel and only the linear map mixes them.
    """

    def __init__(
        self,
        group: Group,
        before: Sequence[Irrep],
        few: int,
        after: Sequence[Irrep],
        many: int,
        scalars: int,
        hidden: int,
        products: bool,
    ) -> None:
        super().__init__()
        self.pair, self.left, self.right = (torch.nn.Linear(n, hidden, bias=n == 1) for n in (1, scalars, scalars))
        invariants = 0
        self.after, self.few, self.many = list(after), few, many
        if few:
            one, keep = group.rep([(1, a) for a in before]), group.rep([(1, a) for a in (group.trivial, *after)])
            self.weigh = torch.nn.Linear(hidden, few, bias=False)
            self.mix = nn.Linear(group.rep([(few, a) for a in before]), group.rep([(few, a) for a in before]))
            self.within = nn.TensorProduct(one, one, keep if products else group.rep(""), weights=None)
            self.across = nn.TensorProduct(group.vector, one, keep if products else group.rep(""), weights=None)
            parts = [one, one, group.vector, self.across.rep_out, self.within.rep_out, self.across.rep_out]
            self.gather = _ByIrrep(sum(parts[1:], parts[0]), (group.trivial, *after))
            invariants = few * self.gather.counts[0]
            copies = [(few * n, a) for n, a in zip(self.gather.counts[1:], after, strict=True)]
            self.schur = nn.Linear(group.rep(copies), group.rep([(many, a) for a in after]))
            self.gates = torch.nn.Linear(scalars, many * len(after))
            self.before = [a.dim for a in before]
        self.update = perceptron([scalars + hidden + invariants, 2 * hidden, scalars])

    def forward(
        self, scalars: Tensor, tensors: Tensor, p: Tensor, pairs: Tensor, keep: Tensor
    ) -> tuple[Tensor, Tensor]:
        message = self.pair(pairs[..., None]) + self.left(scalars)[:, :, None] + self.right(scalars)[:, None]
        message = torch.nn.functional.silu(message)
        known = [scalars, torch.einsum("bijh,bj->bih", message, keep) / PARTICLES]
        if not self.few:
            return scalars + self.update(torch.cat(known, dim=-1)), tensors
        weights = self.weigh(message).permute(0, 3, 1, 2) * keep[:, None, None]
        here = p[:, :, None].expand(-1, -1, self.few, -1)
        # sum_j f_ij (p_i - p_j) (x) F_j is p_i (x) (f F)_i - (f (p (x) F))_i: two matrix products, no tensor over pairs.
        carried = torch.cat([tensors, here, self.across(here, tensors)], dim=-1)
        summed = (weights @ carried.transpose(1, 2)).transpose(1, 2)
        there = self.across(here, summed.narrow(-1, 0, tensors.shape[-1]))
        products = self.within(tensors, self._mixed(tensors))
        invariants, *parts = self.gather(torch.cat([tensors, summed, products, there], dim=-1))
        known.append(squash(invariants, TENSORS))
        scalars = scalars + self.update(torch.cat(known, dim=-1))
        mixed = split(self.schur(torch.cat(parts, dim=-1)), self.schur.rep_out, scalars.ndim - 1)
        gates = self.gates(scalars).unflatten(-1, (len(self.after), self.many, 1))
        return scalars, torch.cat([block * gates[:, :, i] for i, block in enumerate(mixed)], dim=-1)

    def _mixed(self, tensors: Tensor) -> Tensor:
        flat = torch.cat([part.flatten(-2) for part in tensors.split(self.before, -1)], dim=-1)
        return torch.cat(split(self.mix(flat), self.mix.rep_out, flat.ndim - 1), dim=-1)


class _PureLayer(torch.nn.Module):
    """One round as it was published: F_i, F_i (x) F_i and sum_j f_ij (p_i - p_j) (x) F_j mixed, then a network on invariants.

    Scalars are the trivial irrep's channels here, as many as there are of each tensor, and take part in the products.
    f of a channel is a + b / (1 + c^2 x^2) of x = (p_i - p_j)^2.
    """

    def __init__(
        self, group: Group, before: Sequence[Irrep], few: int, after: Sequence[Irrep], many: int, hidden: int
    ) -> None:
        super().__init__()
        inside, outside = (group.trivial, *before), (group.trivial, *after)
        one, keep = (group.rep([(1, a) for a in irreps]) for irreps in (inside, outside))
        self.within = nn.TensorProduct(one, one, keep, weights=None)
        self.across = nn.TensorProduct(group.vector, one, keep, weights=None)
        self.gather = _ByIrrep(one + self.within.rep_out + self.across.rep_out, outside)
        copies = [(few * n, a) for n, a in zip(self.gather.counts, outside, strict=True)]
        self.schur = nn.Linear(group.rep(copies), group.rep([(many, a) for a in outside]))
        self.bells = torch.nn.Parameter(torch.stack([torch.zeros(few), torch.ones(few), 3 * torch.rand(few)]))
        self.update = perceptron([many, hidden, many])
        self.few, self.many = few, many

    def forward(
        self, scalars: Tensor, tensors: Tensor, p: Tensor, pairs: Tensor, keep: Tensor
    ) -> tuple[Tensor, Tensor]:
        a, b, c = self.bells[..., None, None]
        weights = (a + b / (1 + (c * pairs[:, None]) ** 2)) * keep[:, None, None] / PARTICLES
        features = torch.cat([scalars[..., None], tensors], dim=-1)
        here = p[:, :, None].expand(-1, -1, self.few, -1)
        carried = torch.cat([features, self.across(here, features)], dim=-1)
        summed, moved = (
            (weights @ carried.transpose(1, 2))
            .transpose(1, 2)
            .split([features.shape[-1], carried.shape[-1] - features.shape[-1]], -1)
        )
        there = self.across(here, summed) - moved
        parts = self.gather(torch.cat([features, self.within(features, features), there], dim=-1))
        mixed = split(self.schur(torch.cat(parts, dim=-1)), self.schur.rep_out, scalars.ndim - 1)
        invariants = mixed[0].flatten(-2)
        return invariants + self.update(squash(invariants, TENSORS)), torch.cat(mixed[1:], dim=-1)


class _ByIrrep(torch.nn.Module):
    """Sort (..., channels, rep.dim) by irrep: one (..., channels * copies * dim) for each of `irreps`."""

    def __init__(self, rep: Rep, irreps: Sequence[Irrep]) -> None:
        super().__init__()
        self.counts = [rep.multiplicity(a) for a in irreps]
        self._sizes = [mul * a.dim for mul, a in rep.blocks]
        self._places = [[i for i, (_, b) in enumerate(rep.blocks) if b == a] for a in irreps]

    def forward(self, x: Tensor) -> list[Tensor]:
        parts = x.split(self._sizes, -1)
        chosen = [[parts[i] for i in places] for places in self._places]
        return [(torch.cat(found, dim=-1) if found else x[..., :0]).flatten(-2) for found in chosen]
