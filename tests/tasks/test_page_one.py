"""What notebook 01 compares: digits at random places, and spins on graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from eqlib import data, models, rivals


def by_hand(image: Any, right: int, up: int) -> Any:
    """A shift, pixel by pixel."""
    out = np.zeros_like(image)
    height, width = image.shape[-2:]
    for row in range(height):
        for column in range(width):
            if 0 <= row + up < height and 0 <= column - right < width:
                out[..., row, column] = image[..., row + up, column - right]
    return out


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_shift_moves_whole_pixels_and_lets_zero_in(dtype: Any) -> None:
    images = np.random.default_rng(0).integers(1, 9, size=(6, 2, 5, 7)).astype(dtype)
    steps = np.array([[0, 0], [2, 0], [-1, 0], [0, 3], [0, -1], [-9, 8]])
    moved = data.shift(images, steps)
    assert moved.dtype == dtype
    assert moved.shape == images.shape
    for image, (right, up), result in zip(images, steps, moved, strict=True):
        assert np.array_equal(result, by_hand(image, right, up))
    assert not moved[5].any()
    assert data.shift(images[:0], steps[:0]).shape == (0, 2, 5, 7)


def test_shifts_add_up_where_nothing_is_lost() -> None:
    digits = np.pad(np.random.default_rng(0).uniform(size=(20, 1, 11, 11)), ((0, 0), (0, 0), (3, 3), (3, 3)))
    steps = np.random.default_rng(1).integers(-rivals.REACH, rivals.REACH + 1, size=(20, 2))
    moved = data.shift(digits, steps)
    assert np.array_equal(data.shift(moved, -steps), digits)
    assert moved.sum((1, 2, 3)) == pytest.approx(digits.sum((1, 2, 3)), rel=1e-12)
    assert not np.array_equal(data.shift(moved, steps), digits)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.shift(np.zeros((2, 5, 5)), [[0, 0]] * 2), r"images: got shape \(2, 5, 5\)"),
        (lambda: data.shift(np.zeros((2, 1, 5, 5)), [[0, 0]]), r"steps: got shape \(1, 2\), expected \(2, 2\)"),
        (lambda: data.shift(np.zeros((1, 1, 5, 5)), [[0.5, 0]]), "steps: got dtype float64, expected whole pixels"),
        (lambda: data.spins_on_graphs(0), "number, nodes: got 0 and 8"),
        (lambda: data.spins_on_graphs(3, joined=1.0), "joined: got 1.0"),
        (lambda: rivals.read_digits("gnn"), "model must be one of .* got 'gnn'"),
        (lambda: rivals.spin_energy("cnn"), "model must be one of .* got 'cnn'"),
        (
            lambda: models.GraphNetwork()(torch.zeros(1, 3, 3), torch.zeros(1, 4, 1)),
            r"adjacency must have shape \(n, 4, 4\)",
        ),
        (
            lambda: models.rename_nodes(torch.zeros(1, 3, 3), torch.zeros(1, 3, 1), torch.tensor([[0, 1, 1]])),
            "order: got a row that is no permutation",
        ),
        (
            lambda: models.rename_nodes(torch.zeros(1, 3, 3), torch.zeros(1, 3, 1), torch.tensor([[0, 1]])),
            r"got shapes \(1, 3, 3\), \(1, 3, 1\) and \(1, 2\)",
        ),
    ],
)
def test_wrong_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_spins_have_the_energy_of_their_pairs() -> None:
    adjacency, spins, energy = data.spins_on_graphs(50, 5, seed=3)
    assert adjacency.shape == (50, 5, 5) and spins.shape == (50, 5, 1) and energy.shape == (50,)
    assert set(np.unique(spins)) == {-1, 1} and set(np.unique(adjacency)) == {0, 1}
    for a, s, e in zip(adjacency, spins[..., 0], energy, strict=True):
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
    a, y = models.rename_nodes(adjacency, x, order)
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
    renamed = models.rename_nodes(adjacency, spins, order)
    shares = []
    for sort in (False, True):
        net = rivals.SortedNodes([16], sort=sort)
        with torch.no_grad():
            shares.append((net(adjacency, spins) - net(*renamed)).abs().lt(1e-5).double().mean().item())
    assert shares[0] < 0.05 and 0.3 < shares[1] < 1


def test_augmentation_shifts_and_renames_and_keeps_the_target() -> None:
    generator = torch.Generator().manual_seed(0)
    digits = torch.as_tensor(data.digits(size=rivals.SIZE).test.images[:60])
    moved, labels = rivals.shift_anew((digits, torch.arange(60)), generator)
    assert torch.equal(labels, torch.arange(60))
    assert moved.sum((1, 2, 3)).numpy() == pytest.approx(digits.sum((1, 2, 3)).numpy(), rel=0.03)
    centre = (moved[:, 0] * torch.arange(rivals.SIZE)).sum((1, 2)) / moved.sum((1, 2, 3))
    centre -= (digits[:, 0] * torch.arange(rivals.SIZE)).sum((1, 2)) / digits.sum((1, 2, 3))
    assert sorted(set(centre.round().int().tolist())) == list(range(-rivals.REACH, rivals.REACH + 1))
    batch = tuple(torch.as_tensor(a) for a in data.spins_on_graphs(20))
    adjacency, spins, energy = rivals.rename_anew(batch, generator)
    assert torch.equal(energy, batch[2])
    assert not torch.equal(adjacency, batch[0])
    found = -torch.einsum("nic,nij,njc->n", spins, adjacency, spins) / 2
    assert torch.equal(found, energy)


def test_nearest_looks_at_every_copy() -> None:
    train = np.eye(3)
    images = np.array([[0.0, 2, 0], [0, 0, 1], [5, 0, 0]])
    labels = np.array([7, 8, 9])
    assert rivals.nearest([train], labels, images).tolist() == [8, 9, 7]
    assert rivals.nearest([train, 2 * train[[1, 0, 2]]], labels, images).tolist() == [7, 9, 8]


def test_dense_networks_are_as_large_as_their_rivals() -> None:
    cnn = rivals.read_digits("cnn", images=32, steps=1)
    mlp, wide = (rivals.read_digits(name, images=32, steps=1) for name in ("mlp", "wide-mlp-augmented"))
    assert mlp["weights"] == pytest.approx(cnn["weights"], rel=0.03)
    assert wide["weights"] > 15 * mlp["weights"]
    gnn, flat = (rivals.spin_energy(name, graphs=64, steps=1)[1] for name in ("gnn", "mlp-sorted"))
    assert flat["weights"] == pytest.approx(gnn["weights"], rel=0.03)


def test_a_run_repeats_and_leaves_the_random_state_alone() -> None:
    torch.manual_seed(5)
    first = rivals.read_digits("mlp-augmented", images=50, steps=20)
    there = torch.rand(1)
    torch.manual_seed(5)
    second = rivals.read_digits("mlp-augmented", images=50, steps=20)
    assert first["score"] == second["score"]
    assert torch.equal(there, torch.rand(1))
    assert rivals.read_digits("mlp-augmented", images=50, seed=1, steps=20)["score"] != first["score"]
