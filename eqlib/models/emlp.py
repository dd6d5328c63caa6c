"""An equivariant multilayer perceptron: linear maps, products and gates between any two reps of any group."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor

from eqlib import doors, nn
from eqlib.doors import Few, Positive, typed
from eqlib.groups import Irrep, Rep
from eqlib.groups.rep import same_group
from eqlib.nn.blocks import split

PRODUCT = 0.3  # size of the product beside the linear map, before training; EMLP takes 0.1
BEND = 0.1  # how far the gates are from linear, before training: sigmoid(0.1 z) is nearly 1/2


@typed
class EquivariantMLP(torch.nn.Module):
    """Features (..., rep_in.dim) -> (..., rep_out.dim), equivariant, for every group that has Clebsch-Gordan tensors.

    A layer is x -> gate(y + product of y with itself), y linear in x; the output is a linear map of all layers' features.
    After Finzi, Welling and Wilson, A practical method for constructing equivariant multilayer perceptrons for arbitrary
    matrix groups (2021), Sec. 6, with three differences. The bilinear map has `products` channels: two linear maps to them,
    the Clebsch-Gordan products of the two in each channel, and a linear map back. The gates begin nearly linear, so that
    what the network can hardly avoid to learn first is a polynomial of low degree. And the output sees every layer, as a
    polynomial's terms of every degree do.

    Args:
        rep_in, rep_out: features before and after.
        rep_hidden: features of every layer between; `hidden_rep` proposes one.
        layers: how many layers there are before the last linear map.
        products: channels of the bilinear maps.

    Raises ValueError for mixed groups, less than one layer or channel, and a hidden rep without entries.

    >>> from eqlib import groups, models, testing
    >>> O3 = groups.O3()
    >>> vectors, inertia = O3.rep("2x1o"), O3.rep("0e+2e")
    >>> net = models.EquivariantMLP(vectors, models.hidden_rep(vectors, inertia, 40), inertia, layers=1, products=4)
    >>> testing.equivariance_error(net, vectors, inertia) < 1e-12
    True
    """

    def __init__(self, rep_in: Rep, rep_hidden: Rep, rep_out: Rep, layers: Few = 3, products: Few = 16) -> None:
        super().__init__()
        same_group(rep_in=rep_in, rep_hidden=rep_hidden, rep_out=rep_out)
        layers, products = doors.count("layers", layers, 1), doors.count("products", products, 1)
        if rep_hidden.dim == 0:
            raise ValueError(f"rep_hidden: got {rep_hidden!r}, expected a rep with entries")
        self.rep_in, self.rep_out = rep_in, rep_out
        gates = [nn.Gate(rep_hidden) for _ in range(layers)]
        before = [rep_in, *(gate.rep for gate in gates[1:])]
        self.gates = torch.nn.ModuleList(gates)
        self.linears = torch.nn.ModuleList([nn.Linear(a, gate.rep_in) for a, gate in zip(before, gates, strict=True)])
        self.products = torch.nn.ModuleList([Product(gate.rep_in, products) for gate in gates])
        # One bias is enough for the sum.
        self.readouts = torch.nn.ModuleList([nn.Linear(rep_hidden, rep_out, bias=i == 0) for i in range(layers)])

    def forward(self, x: Tensor) -> Tensor:
        out = []
        for linear, product, gate, readout in zip(self.linears, self.products, self.gates, self.readouts, strict=True):
            y = linear(x)
            x = gate(BEND * (y + PRODUCT * product(y))) / BEND
            out.append(readout(x))
        return sum(out[1:], out[0])


class Product(torch.nn.Module):
    """x -> bilinear map of x with itself, (..., rep.dim) to the same: a sum of `number` products of mixtures of x.

    A channel holds one copy of each irrep of `rep`. All products of two channels that lie in these irreps are kept.

    >>> from eqlib import groups, testing
    >>> from eqlib.models.emlp import Product
    >>> rep = groups.O3().rep("2x0e+2x1o")
    >>> testing.equivariance_error(Product(rep, number=3), rep, rep) < 1e-12
    True
    """

    def __init__(self, rep: Rep, number: int) -> None:
        super().__init__()
        group = rep.group
        irreps = list(dict.fromkeys(a for mul, a in rep.blocks if mul))
        one = group.rep([(1, a) for a in irreps])
        self.left, self.right = (nn.Linear(rep, group.rep([(number, a) for a in irreps]), bias=False) for _ in range(2))
        self.product = nn.TensorProduct(one, one, one, weights=None)
        blocks = self.product.rep_out.blocks
        self._sizes = [mul * a.dim for mul, a in blocks]
        self.mix = nn.Linear(group.rep([(number * mul, a) for mul, a in blocks]), rep, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        channels = [
            torch.cat(split(linear(x), linear.rep_out, x.ndim - 1), dim=-1) for linear in (self.left, self.right)
        ]
        parts = self.product(*channels).split(self._sizes, -1)
        return self.mix(torch.cat([part.flatten(-2) for part in parts], dim=-1))


@typed
def hidden_rep(rep_in: Rep, rep_out: Rep, channels: Positive, max_dim: Positive = 16) -> Rep:
    """A rep of dimension at most `channels` for `EquivariantMLP`: every irrep gets about the same share of it.

    The irreps are the trivial one, those of rep_in and rep_out whatever their dimension, and those of dimension up to `max_dim`
    in a product of two of rep_in. ValueError where the channels do not hold one copy of each.

    >>> from eqlib import groups, models
    >>> O3 = groups.O3()
    >>> models.hidden_rep(O3.rep("1o"), O3.rep("0e"), 60)
    O3: 15x0e+5x1o+5x1e+3x2e
    """
    same_group(rep_in=rep_in, rep_out=rep_out)
    channels = doors.count("channels", channels)
    group = rep_in.group
    given = [a for mul, a in chain(rep_in.blocks, rep_out.blocks) if mul]
    inputs = list(dict.fromkeys(a for mul, a in rep_in.blocks if mul))
    products: list[Irrep] = [c for a in inputs for b in inputs for c in group.tensor_product(a, b) if c.dim <= max_dim]
    irreps = sorted(dict.fromkeys([group.trivial, *given, *products]), key=lambda a: a.dim)
    share = channels // len(irreps)
    if share < irreps[-1].dim:
        raise ValueError(
            f"channels: got {channels!r}, expected at least {len(irreps)} x {irreps[-1].dim}, the number of irreps times the "
            f"largest dimension: give more channels, a smaller max_dim or a rep of your own"
        )
    return group.rep([(share // a.dim, a) for a in irreps])
