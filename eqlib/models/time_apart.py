"""Baseline: the field of moving sources by a network of space, equivariant under rotations, that treats time apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib.constants import Constants
from eqlib.doors import Degree, typed
from eqlib.graphs import Edges
from eqlib.groups import O3, Lorentz
from eqlib.models.space_time import SourceNetwork


@typed
class TimeApartNetwork(Constants):
    """What `PoincareNetwork` takes, as things of space: equivariant under O(3), shifts and permutations, and under no boost.

    A source has two scalars, its charge and the current's time component, and a vector, the current. Edges have the vector
    x between source and target, and radial functions see the invariants of rotations (|x|^2, t, x.u, u^0), u the spatial
    part of the 4-velocity. The output is E, a vector (1o), and B, an axial one (1e). With the right functions of these four
    numbers one layer is exact, so it loses nothing but what it has to learn.

    Args:
        radial: called once, gives a module of these invariants, (E, 4) -> (E, n), with `.number` n.
        basis: (6, 6), orthogonal: output components = basis @ (E, B), see `data.field_basis`.
        degree, mu, neighbours: see `nn.PointConv`; mu in the data's unit of length.

    >>> import torch
    >>> from eqlib import data, models
    >>> net = models.TimeApartNetwork(models.SpaceAndTime, data.field_basis())
    >>> x, at = torch.tensor([[1.0, 1.0, 0.0, 0.0, 0.0]]), torch.tensor([[0.0, 0.0, 1.0, 2.0]])
    >>> rest = torch.tensor([[0.5, 0.5, 0.0, 0.0]]).sqrt()  # light-cone components of a 4-velocity
    >>> net(x, torch.zeros(1, 4), rest, at, torch.tensor([[0], [0]])).shape
    torch.Size([1, 6])
    """

    turn: Tensor
    basis: Tensor

    def __init__(
        self,
        radial: Callable[[], torch.nn.Module],
        basis: NDArray[np.float64],
        degree: Degree = 2,
        mu: float = 1.0,
        neighbours: float = 1.0,
    ) -> None:
        super().__init__()
        group = O3()
        self.net = SourceNetwork(group.rep("2x0e+1o"), group.rep("1o+1e"), [], degree, radial, mu, neighbours)
        self.constant("turn", Lorentz().coordinates)
        self.constant("basis", basis)

    def forward(
        self,
        x: Tensor,
        events: Tensor,
        velocities: Tensor,
        at: Tensor,
        pairs: Tensor,
        among: Tensor | None = None,
    ) -> Tensor:
        """As `PoincareNetwork.forward`: x (N, 5) a charge and its current -> the field (M, 6). `among` has no use here."""
        raw = Edges.between(events, pairs, to=at)
        r, u = raw.vectors.to(x.dtype) @ self.turn, velocities.to(x.dtype) @ self.turn
        x = torch.cat([x[:, :1], x[:, 1:] @ self.turn], dim=1)
        space, u = r[:, 1:], u[raw.source]
        scalars = (space**2).sum(1), r[:, 0], (space * u[:, 1:]).sum(1), u[:, 0]
        edges = Edges(raw.source, raw.target, space, raw.targets)
        return self.net(x, edges, torch.stack(scalars, 1)) @ self.basis.T


class SpaceAndTime(torch.nn.Module):
    """What a radial network sees of (|x|^2, t, x.u, u^0), (E, 4) -> (E, 9), all of order one: logarithms and ratios.

    |x| is rounded off below 0.1, in the data's unit of length; the unit of t and x is that of the data too.

    >>> import torch
    >>> from eqlib import models
    >>> models.SpaceAndTime()(torch.tensor([[1.0, 0.0, 0.0, 1.0]])).shape
    torch.Size([1, 9])
    """

    number = 9

    def forward(self, invariants: Tensor) -> Tensor:
        square, t, x_u, energy = invariants.unbind(-1)
        length = (square + 0.01).sqrt()
        log = length.log()
        rows = torch.ones_like(t), log, log**2, 1 / length, torch.asinh(t), torch.asinh(x_u), energy.log()
        return torch.stack([*rows, t / length, x_u / length], -1)
