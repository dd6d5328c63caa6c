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

from eqlib.constants import Constants
from eqlib.doors import Natural, Positive, typed
from eqlib.groups import Group, Irrep, Rep
from eqlib.kernels import Masses
from eqlib.models.heads import head, perceptron
from eqlib.models.rows import Channels, Gather, Mix, Products, messages, on_rows, over_pairs
from eqlib.nn.blocks import check_mask, present

PAIRS, TENSORS = 1e4, 10.0  # 1 / invariants that `squash` begins to compress: masses of pairs span four orders
PARTICLES = 30.0  # a sum over particles is divided by about their number
LARGEST = 2e9  # entry of a momentum in units of mu, 1e10 GeV: beyond, it stands in another unit
NOWHERE = -1e4  # where silu is 0 in every dtype
MASSES, PAIR_MASSES = 16, 12  # Gaussians of the logarithm of the jet's mass, and of a pair's


def squash(x: Tensor, sharpness: float) -> Tensor:
    """Odd and smooth, linear below 1 / sharpness and logarithmic above, 1 at 1: invariants spread over many orders.

    A large sharpness also enlarges the rounding of an invariant that nearly cancels.
    """
    return x.sign() * torch.log1p(sharpness * x.abs()) / math.log1p(sharpness)


@typed
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
        shares: between which shares of s a pair's mass is resolved, (2 p_i.p_j)^(1/2) over 2^(1/2) (ours). None: p_i.p_j alone.
            Below a thousandth float32 has not the digits: a particle's own p.p, 0 in truth, comes out as (7e-5 s)^2.
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
        channels: Sequence[Positive] = (2, 4, 4, 2),
        scalars: Positive = 16,
        hidden: Positive = 16,
        classes: Positive = 2,
        mu: float = 5.0,
        products: bool = True,
        masses: tuple[float, float] | None = (30.0, 500.0),
        shares: tuple[float, float] | None = (1e-3, 0.7),
        extra: Natural = 0,
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
        self.shares = None if shares is None or pure else Masses(PAIR_MASSES, *shares)
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
        self.start = Mix([vector], [1 if pure else 2], sizes[0])
        before, layers = [vector] if labels else [], []
        for few, many in zip(sizes[:-1], sizes[1:], strict=True):
            ends = (group, before, few, labels, many)
            kinds = 1 + (0 if self.shares is None else PAIR_MASSES)
            layers.append(_PureLayer(*ends, hidden) if pure else _Layer(*ends, scalars, hidden, kinds, products))
            before = labels
        self.layers = torch.nn.ModuleList(layers)
        self.rep = group.rep([(sizes[-1], a) for a in labels])
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
        scalars, tensors, jet = self._rows(vectors, mask, extra)
        parts = tensors.split([a.dim for _, a in self.rep.blocks]) if self.rep.blocks else []
        columns = [part.permute(2, 1, 0).flatten(1) for part in parts]
        batch = mask.shape
        flat = torch.cat(columns, dim=-1) if columns else scalars.new_zeros(scalars.shape[1], 0)
        return scalars.T.unflatten(0, batch), flat.unflatten(0, batch), jet

    def forward(self, vectors: Tensor, mask: Tensor, extra: Tensor | None = None) -> Tensor:
        scalars, _, jet = self._rows(vectors, mask, extra)
        pooled = (scalars.unflatten(1, mask.shape) * mask).sum(-1).T / PARTICLES
        if self.pure:
            return self.head(pooled)
        if self.masses is None:
            return self.head(torch.cat([pooled, jet], dim=-1))
        resolved = self.masses(torch.exp(2 * jet[:, 0]) * self.mu**2)
        return self.head(torch.cat([pooled, jet, resolved], dim=-1))

    def _rows(self, vectors: Tensor, mask: Tensor, extra: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Scalars (scalars, N), tensors (components, channels, N), N = batch * n, and invariants of the jet (batch, 2).

        What is multiplied and mixed are rows over all particles, as products and sums over pairs read them fastest.
        """
        keep, vectors, extra = self._checked(vectors, mask, extra)
        p = vectors.movedim(-1, 0)
        total = p.sum(-1, keepdim=True)
        square = (total * torch.tensordot(self.metric, total, 1)).sum(0)
        scale = torch.hypot(square, square.new_full((), self.mu**2)).sqrt()  # (batch, 1)
        unit = (self.masses.least * self.masses.most) ** 0.5 if self.pure else scale  # type: ignore[union-attr]
        p, total = p / unit, (total / unit).expand_as(p)
        dual = torch.tensordot(self.metric, p, 1)
        pairs = p.permute(1, 2, 0) @ dual.transpose(0, 1)
        own = pairs.diagonal(dim1=1, dim2=2)
        size, count = torch.log(scale / self.mu), keep.sum(1, keepdim=True) / (2 * PARTICLES)
        if self.pure:
            about, begin, pairs = [squash(own, PAIRS)], [p], own[..., None] + own[:, None] - 2 * pairs
        else:
            share = (dual * total).sum(0)
            about = [squash(share, PAIRS), squash(own, PAIRS), size.expand_as(share), count.expand_as(share)]
            begin, resolved = [p, total], squash(pairs, PAIRS)[None]
            pairs = resolved if self.shares is None else torch.cat([resolved, self.shares(pairs).movedim(-1, 0)])
        if extra is not None:
            about += extra.movedim(-1, 0).unbind(0)
        scalars = on_rows(self.enter, torch.stack(about).flatten(1))
        (tensors,) = self.start([torch.stack([x.flatten(1) for x in begin], dim=1)])
        p, found = p.flatten(1), [scalars]
        for layer in self.layers:
            scalars, tensors = layer(scalars, tensors, p, pairs, keep)
            found.append(scalars)
        return torch.cat(found) if self.pure else scalars, tensors, torch.cat([size, count], dim=-1)

    def _checked(self, vectors: Tensor, mask: Tensor, extra: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """The mask as numbers, and vectors and extra numbers, zero where it is False, where all three fit."""
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
        vectors = present(vectors, mask)
        extra = None if extra is None else present(extra, mask)
        if not torch.compiler.is_compiling():
            for name, x in (("vectors", vectors), ("extra", extra)):
                if x is None or not x.numel():
                    continue
                low, high = (float(end) for end in x.detach().aminmax())
                if not math.isfinite(high - low) and not x.isfinite().all():
                    raise ValueError(f"{name}: got NaN or inf, expected finite numbers")
                if name == "vectors" and max(-low, high) > LARGEST * self.mu:
                    raise ValueError(
                        f"vectors: got entries up to {max(-low, high):.2g}, expected momenta in the unit of mu and masses, GeV"
                    )
        return mask.to(vectors.dtype), vectors, extra


class _Layer(torch.nn.Module):
    """One round: messages over pairs, products, Schur-linear mixing, a network on the invariants.

    Tensors are rows (sum of dims, channels, N): products are taken channel by channel, and only the linear map mixes them.
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
        kinds: int,
        products: bool,
    ) -> None:
        super().__init__()
        self.pair, self.left, self.right = (torch.nn.Linear(n, hidden, bias=False) for n in (kinds, scalars, scalars))
        self.bias = torch.nn.Parameter(torch.zeros(hidden, 1))
        self.few, invariants = few, 0
        if few:
            keep = (group.trivial, *after)
            one, vector = ([(1, a) for a in before], [(1, group.vector.blocks[0][1])])
            self.weigh = torch.nn.Linear(hidden, few, bias=False)
            self.across = Products(group, vector, one, keep if products else ())
            self.within = Products(group, one, one, keep if products else ())
            self.mix = Channels(before, few) if products else None
            parts = [one, one, vector, self.across.blocks, self.within.blocks, self.across.blocks]
            self.gather = Gather(parts, keep)
            invariants = few * self.gather.counts[0]
            self.schur = Mix(after, [few * count for count in self.gather.counts[1:]], many)
            self.gates = torch.nn.Linear(scalars, many * len(after))
        self.update = perceptron([scalars + hidden + invariants, 2 * hidden, scalars])

    def forward(
        self, scalars: Tensor, tensors: Tensor, p: Tensor, pairs: Tensor, keep: Tensor
    ) -> tuple[Tensor, Tensor]:
        """scalars (s, N), tensors (d, c, N), p (v, N), pairs (kinds, batch, n, n), keep (batch, n)."""
        shape = keep.shape
        left = torch.addmm(self.bias, self.left.weight, scalars).unflatten(1, shape)
        # silu is 0 there, and so are the messages of particles that are not, without another pass over all pairs.
        right = (self.right.weight @ scalars).unflatten(1, shape).masked_fill(keep == 0, NOWHERE)
        weigh = self.weigh.weight if self.few else left.new_zeros(0, len(left))
        heard, weights = messages(left, right, self.pair.weight, pairs, weigh)
        heard = heard.flatten(1) / PARTICLES
        if not self.few:
            return scalars + on_rows(self.update, torch.cat([scalars, heard])), tensors
        # sum_j f_ij (p_i - p_j) (x) F_j is p_i (x) (f F)_i - (f (p (x) F))_i: two matrix products, no tensor over pairs.
        here, own = p[:, None].expand(-1, self.few, -1).flatten(1), tensors.flatten(1)
        carried = [own, here, self.across(here, own)]
        summed = over_pairs(weights, torch.cat(carried)).split([len(x) for x in carried])
        products = own[:0] if self.mix is None else self.within(own, self.mix(tensors).flatten(1))
        (invariants,), *mixed = self.gather([own, *summed, products, self.across(here, summed[0])], self.few)
        known = torch.cat([scalars, heard, squash(invariants, TENSORS)])
        scalars = scalars + on_rows(self.update, known)
        gates = torch.addmm(self.gates.bias[:, None], self.gates.weight, scalars)
        out = self.schur(mixed)
        return scalars, torch.cat([x * gate for x, gate in zip(out, gates.unflatten(0, (len(out), -1)), strict=True)])


class _PureLayer(torch.nn.Module):
    """One round as it was published: F_i, F_i (x) F_i and sum_j f_ij (p_i - p_j) (x) F_j mixed, then a network on invariants.

    Scalars are the trivial irrep's channels here, as many as there are of each tensor, and take part in the products.
    f of a channel is a + b / (1 + c^2 x^2) of x = (p_i - p_j)^2.
    """

    def __init__(
        self, group: Group, before: Sequence[Irrep], few: int, after: Sequence[Irrep], many: int, hidden: int
    ) -> None:
        super().__init__()
        keep = (group.trivial, *after)
        one, vector = [(1, a) for a in (group.trivial, *before)], [(1, group.vector.blocks[0][1])]
        self.few = few
        self.across, self.within = Products(group, vector, one, keep), Products(group, one, one, keep)
        self.gather = Gather([one, self.within.blocks, self.across.blocks], keep)
        self.schur = Mix(keep, [few * count for count in self.gather.counts], many)
        self.bells = torch.nn.Parameter(torch.stack([torch.zeros(few), torch.ones(few), 3 * torch.rand(few)]))
        self.update = perceptron([many, hidden, many])

    def forward(
        self, scalars: Tensor, tensors: Tensor, p: Tensor, pairs: Tensor, keep: Tensor
    ) -> tuple[Tensor, Tensor]:
        """scalars (c, N), tensors (d, c, N), p (v, N), pairs (batch, n, n), keep (batch, n)."""
        a, b, c = self.bells[..., None, None, None]
        weights = (a + b / (1 + (c * pairs) ** 2)) * (keep[:, None] / PARTICLES)
        own = torch.cat([scalars[None], tensors]).flatten(1)
        here = p[:, None].expand(-1, self.few, -1).flatten(1)
        carried = [own, self.across(here, own)]
        summed, moved = over_pairs(weights, torch.cat(carried)).split([len(x) for x in carried])
        there = self.across(here, summed) - moved
        (invariants,), *mixed = self.schur(self.gather([own, self.within(own, own.view_as(own)), there], self.few))
        return invariants + on_rows(self.update, squash(invariants, TENSORS)), torch.cat(mixed)
