"""Forces as the gradient of an energy."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def forces(energy: Callable[[Tensor], Tensor], positions: Tensor, train: bool = False) -> tuple[Tensor, Tensor]:
    """(energies, forces): energy(positions) and -d(sum of it)/d(positions), (N, v), in the energy's unit over that of length.

    energy: (N, v) -> (bodies,) or (bodies, 1), whose bodies do not see each other. Edges are to be found inside it, or before
    from the same positions. train: whether a loss on the forces is to be differentiated again; without it neither result
    keeps a graph. ValueError for an energy that does not depend on the positions.

    >>> import torch
    >>> from eqlib import models
    >>> spring = lambda x: 0.5 * (x[0] - x[1]).square().sum().reshape(1)
    >>> energy, pull = models.forces(spring, torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]]))
    >>> energy.item(), (pull + 0).tolist()
    (2.0, [[0.0, 0.0, 2.0], [0.0, 0.0, -2.0]])
    """
    with torch.enable_grad():
        here = positions if positions.requires_grad else positions.detach().requires_grad_()
        found = energy(here)
        if not found.requires_grad:
            raise ValueError(
                "energy: got one that does not depend on the positions it is given, expected a function of them"
            )
        (slope,) = torch.autograd.grad(found.sum(), here, create_graph=train, allow_unused=True)
    if slope is None:
        raise ValueError(
            "energy: got one that does not depend on the positions it is given, expected a function of them"
        )
    return (found, -slope) if train else (found.detach(), -slope)
