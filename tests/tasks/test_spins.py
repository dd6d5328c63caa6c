"""Spins on graphs: their energy, networks that know no order of the nodes, and attempts to do without."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eqlib import data, models
from eqlib.data.augment import rename_nodes_anew
from eqlib.tasks import spins


def test_wrong_graphs_are_refused() -> None:
    for call, message in (
        (lambda: data.spins_on_graphs(0), "number, nodes: got 0 and 8"),
        (lambda: data.spins_on_graphs(3, joined=1.0), "joined: got 1.0"),
        (lambda: spins.run("cnn"), "model: got 'cnn', expected one of gnn"),
        (lambda: models.GraphNetwork()(torch.zeros(1, 3, 3), torch.zeros(1, 4, 1)), r"\(n, 4, 4\)"),
        (
            lambda: data.rename_nodes(torch.zeros(1, 3, 3), torch.zeros(1, 3, 1), torch.tensor([[0, 1, 1]])),
            "order: got a row that is no permutation",
        ),
        (
            lambda: data.rename_nodes(torch.zeros(1, 3, 3), torch.zeros(1, 3, 1), torch.tensor([[0, 1]])),
            r"got shapes \(1, 3, 3\), \(1, 3, 1\) and \(1, 2\)",
        ),
        (lambda: spins.prepare("gnn", (np.zeros((1, 3, 3)), np.zeros((1, 4)))), "raw: got shapes"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_spins_have_the_energy_of_their_pairs() -> None:
    adjacency, signs, energy = data.spins_on_graphs(50, 5, seed=3)
    assert adjacency.shape == (50, 5, 5) and signs.shape == (50, 5, 1) and energy.shape == (50,)
    assert set(np.unique(signs)) == {-1, 1} and set(np.unique(adjacency)) == {0, 1}
    for a, s, e in zip(adjacency, signs[..., 0], energy, strict=True):
        assert np.array_equal(a, a.T) and not a.diagonal().any()
        assert e == -sum(s[i] * s[j] for i in range(5) for j in range(i) if a[i, j])
    assert adjacency.mean() == pytest.approx(0.4 * 0.8, abs=0.05)
    again = data.spins_on_graphs(50, 5, seed=3)
    assert np.array_equal(again.adjacency, adjacency)
    assert not np.array_equal(data.spins_on_graphs(50, 5, seed=4).adjacency, adjacency)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_a_graph_network_forgets_the_order_and_nothing_before_its_sum(dtype: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(0)
    net = models.GraphNetwork(channels=2).to(dtype)
    x = torch.randn(7, 6, 2, dtype=dtype)
    adjacency = torch.tensor(data.spins_on_graphs(7, 6).adjacency, dtype=dtype)
    order = torch.rand(7, 6).argsort(-1)
    a, y = data.rename_nodes(adjacency, x, order)
    for n in range(7):
        assert torch.equal(a[n], adjacency[n][order[n]][:, order[n]])
        assert torch.equal(y[n], x[n][order[n]])
    with torch.no_grad():
        before, after = net.features(adjacency, x), net.features(a, y)
        moved = before.gather(1, order[:, :, None].expand_as(before))
        assert (after - moved).abs().max() < tolerance
        assert (after - before).abs().max() > 0.01
        assert (net(a, y) - net(adjacency, x)).abs().max() < tolerance
        other = adjacency.clone()
        other[:, 0, 1] = other[:, 1, 0] = 1 - adjacency[:, 0, 1]
        assert (net(other, x) - net(adjacency, x)).abs().min() > 1e-4


def test_a_graph_network_adds_up_neighbours() -> None:
    """One step on three nodes in a row, by hand."""
    net = models.GraphNetwork(channels=1, width=2, steps=1).double()
    row = torch.tensor([[[0.0, 1, 0], [1, 0, 1], [0, 1, 0]]], dtype=torch.float64)
    x = torch.tensor([[[1.0], [10], [100]]], dtype=torch.float64)
    with torch.no_grad():
        w, b, v = net.own[0].weight[:, 0], net.own[0].bias, net.neighbours[0].weight[:, 0]
        wanted = torch.stack([w + b + 10 * v, 10 * w + b + 101 * v, 100 * w + b + 10 * v])
        assert torch.allclose(net.features(row, x)[0], torch.nn.functional.silu(wanted), atol=1e-12)


def test_sorting_names_most_graphs_alike_and_leaves_ties() -> None:
    """In the sorted order a renamed graph looks the same nearly always; unsorted, nearly never."""
    torch.manual_seed(0)
    adjacency, spins, _ = (torch.as_tensor(a) for a in data.spins_on_graphs(400))
    order = torch.rand(400, 8).argsort(-1)
    renamed = data.rename_nodes(adjacency, spins, order)
    shares = []
    for sort in (False, True):
        net = models.DenseGraphs([16], sort=sort)
        with torch.no_grad():
            shares.append((net(adjacency, spins) - net(*renamed)).abs().lt(1e-5).double().mean().item())
    assert shares[0] < 0.05 and 0.3 < shares[1] < 1


def test_augmentation_renames_and_keeps_the_target() -> None:
    generator = torch.Generator().manual_seed(0)
    batch = tuple(torch.as_tensor(a) for a in data.spins_on_graphs(20))
    adjacency, signs, energy = rename_nodes_anew(batch, generator)
    assert torch.equal(energy, batch[2])
    assert not torch.equal(adjacency, batch[0])
    found = -torch.einsum("nic,nij,njc->n", signs, adjacency, signs) / 2
    assert torch.equal(found, energy)


def test_dense_networks_are_as_large_as_the_graph_network() -> None:
    gnn, flat = (spins.run(name, graphs=64, steps=1, progress=False)[1]["parameters"] for name in ("gnn", "mlp-sorted"))
    assert flat == pytest.approx(gnn, rel=0.03)
