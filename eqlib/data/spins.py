"""Random graphs with a spin on each node, and the energy of the spins: a task that does not depend on the nodes' order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class Spins(NamedTuple):
    """Graphs of one size; `training.fit` takes it as it is.

    adjacency: (n, nodes, nodes), float32, symmetric, 1 where two nodes are joined and 0 elsewhere, 0 on the diagonal.
    spins: (n, nodes, 1), float32, 1 or -1.
    energy: (n,), float32, minus the sum of s_i s_j over all joined pairs, in units of the coupling.

    >>> Spins._fields
    ('adjacency', 'spins', 'energy')
    """

    adjacency: NDArray[np.float32]
    spins: NDArray[np.float32]
    energy: NDArray[np.float32]


def spins_on_graphs(number: int, nodes: int = 8, joined: float = 0.4, seed: int = 0) -> Spins:
    """Draw graphs in which each pair of nodes is joined with probability `joined`, and spins of either sign.

    The energy is that of the Ising model without a field. ValueError for fewer than two nodes and for no probability.

    >>> [array.shape for array in spins_on_graphs(10, nodes=8)]
    [(10, 8, 8), (10, 8, 1), (10,)]
    """
    if number < 1 or nodes < 2:
        raise ValueError(f"number, nodes: got {number} and {nodes}, expected at least 1 and 2")
    if not 0 < joined < 1:
        raise ValueError(f"joined: got {joined!r}, expected a probability between 0 and 1")
    # RandomState, because its streams are frozen: the same seed draws the same graphs under every numpy.
    random = np.random.RandomState(seed)
    upper = np.triu(random.uniform(size=(number, nodes, nodes)) < joined, 1)
    adjacency = (upper | upper.swapaxes(1, 2)).astype(np.float32)
    spins = random.choice([-1.0, 1.0], size=(number, nodes)).astype(np.float32)
    energy = -np.einsum("ni,nij,nj->n", spins, adjacency, spins) / 2
    return Spins(adjacency, spins[..., None], energy.astype(np.float32))


def rename_nodes(adjacency: Tensor, x: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
    """The same graphs with their nodes in another order: new node i is old node order[i].

    adjacency: (n, nodes, nodes). x: (n, nodes, channels). order: (n, nodes), a permutation of 0 ... nodes - 1 in each row.
    Raises ValueError for other shapes and for rows that are no permutations.

    >>> import torch
    >>> adjacency, spins = torch.zeros(1, 2, 2), torch.tensor([[[1.0], [-1.0]]])
    >>> rename_nodes(adjacency, spins, torch.tensor([[1, 0]]))[1].flatten().tolist()
    [-1.0, 1.0]
    """
    n, nodes = order.shape if order.ndim == 2 else (0, 0)
    if adjacency.shape != (n, nodes, nodes) or x.shape[:2] != (n, nodes) or x.ndim != 3:
        raise ValueError(
            f"adjacency, x, order: got shapes {tuple(adjacency.shape)}, {tuple(x.shape)} and {tuple(order.shape)}, "
            "expected (n, nodes, nodes), (n, nodes, channels) and (n, nodes)"
        )
    if not (order.sort(-1).values == order.new_tensor(range(nodes))).all():
        raise ValueError("order: got a row that is no permutation of 0 ... nodes - 1")
    rows = adjacency.gather(1, order[:, :, None].expand(-1, -1, nodes))
    return rows.gather(2, order[:, None, :].expand(-1, nodes, -1)), x.gather(1, order[:, :, None].expand_as(x))
