"""Augmentations: the generator draws all, nothing but the draw changes, and the targets stay true."""

from functools import partial

import numpy as np
import pytest
import torch

from eqlib import data, groups
from eqlib.data import bodies
from eqlib.training.recipe import _name

GROUP = groups.Lorentz()
REACH = partial(data.shift_images, reach=3)


def tensors(arrays):
    return tuple(torch.as_tensor(a) for a in arrays)


def jets(number=40):
    return tensors(data.JetInputs(data.jets("valid", number=number), "lab").batch(np.arange(number)))


BATCHES = {
    data.turn_images: lambda: tensors(data.digits(size=13).test.batch(np.arange(20))),
    REACH: lambda: tensors(data.digits(size=17).test.batch(np.arange(20))),
    data.rename_nodes_anew: lambda: tensors(data.spins_on_graphs(20)),
    data.boost_jets: lambda: jets(20),
    data.turn_bodies: lambda: tensors(data.rigid_bodies(20, (2, 5)).batch(np.arange(20))),
}


@pytest.mark.parametrize("augment", BATCHES, ids=_name)
def test_the_generator_draws_all_and_the_form_stays(augment):
    batch = BATCHES[augment]()
    before = [a.clone() for a in batch]
    one, again, other = (augment(batch, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert len(one) == len(batch)
    for a, b, c in zip(one, again, batch, strict=True):
        assert torch.equal(a, b) and a.shape == c.shape and a.dtype == c.dtype
    assert all(torch.equal(a, b) for a, b in zip(before, batch, strict=True))  # the batch itself is left alone
    moved = [i for i, (a, b) in enumerate(zip(one, batch, strict=True)) if not torch.equal(a, b)]
    assert moved == {data.rename_nodes_anew: [0, 1], data.turn_bodies: [1, 3]}.get(augment, [0])
    assert not torch.equal(one[moved[0]], other[moved[0]])
    generator = torch.Generator().manual_seed(0)
    assert not torch.equal(augment(batch, generator)[moved[0]], augment(batch, generator)[moved[0]])


def test_images_turn_and_shift_as_the_functions_do():
    images, labels = BATCHES[data.turn_images]()
    turned, same = data.turn_images((images, labels), torch.Generator().manual_seed(3))
    angles = 2 * np.pi * torch.rand(20, generator=torch.Generator().manual_seed(3), dtype=torch.float64).numpy()
    assert np.array_equal(turned.numpy(), data.rotate(images.numpy(), angles)) and same is labels
    images, labels = BATCHES[REACH]()
    shifted, _ = REACH((images, labels), torch.Generator().manual_seed(3))
    steps = torch.randint(-3, 4, (20, 2), generator=torch.Generator().manual_seed(3)).numpy()
    assert np.array_equal(shifted.numpy(), data.shift(images.numpy(), steps))


def test_renamed_graphs_keep_their_energy():
    adjacency, spins, energy = data.rename_nodes_anew(BATCHES[data.rename_nodes_anew](), torch.Generator())
    assert torch.equal(-torch.einsum("nia,nij,nja->n", spins, adjacency, spins) / 2, energy)


def test_boosted_jets_keep_their_masses():
    batch = jets()
    moved = [data.boost_jets(batch, torch.Generator().manual_seed(seed))[0].double() for seed in (0, 1)]
    assert (moved[0] - moved[1]).abs().max() > 100  # GeV
    total, before = moved[0].sum(1), batch[0].double().sum(1)
    squares = [v[:, 0] ** 2 - v[:, 1:].square().sum(1) for v in (total, before)]
    assert ((squares[0] - squares[1]).abs() < 1e-4 * total[:, 0] ** 2).all()
    gammas = total[:, 0] / before[:, 0]
    assert gammas.max() > 4
    assert gammas.min() < 1
    # First the turn, then the boost, drawn in this order: a logged run must find the same jets again.
    generator = torch.Generator().manual_seed(0)
    rapidity = np.arccosh(10.0) * torch.rand(40, generator=generator, dtype=torch.float64).numpy()
    seed = int(torch.randint(2**31, (1,), generator=generator))
    matrices = GROUP.matrix(data.random_boosts(40, np.cosh(rapidity), seed) * data.random_turns(40, seed + 1))
    expected = np.einsum("nij,npj->npi", matrices, batch[0].double().numpy())
    assert np.abs(moved[0].numpy() - expected).max() < 1e-5 * np.abs(expected).max()


def test_boosts_have_the_gamma_that_was_asked_for():
    boosts = GROUP.matrix(data.random_boosts(50, 3.0, 0))
    assert np.abs(boosts[:, 0, 0] - 3).max() < 1e-12
    assert np.abs(boosts[:, 0, 1:].mean(0)).max() < 0.9  # into many directions
    turns = GROUP.matrix(data.random_turns(50, 0))
    assert np.abs(turns[:, 0] - [1, 0, 0, 0]).max() < 1e-12
    with pytest.raises(ValueError, match=r"gamma: got 0.5, expected at least 1"):
        data.random_boosts(3, 0.5, 0)


def test_a_checkpoint_knows_the_setting():
    assert _name(REACH) != _name(partial(data.shift_images, reach=2))


def test_turned_bodies_keep_their_physics():
    """Every body by its own rotation: inside a body distances stay, and the tensors are those of the turned body."""
    made = data.rigid_bodies(4, (3, 5), seed=0)
    batch = tuple(
        torch.as_tensor(a).double() if a.dtype == np.float32 else torch.as_tensor(a) for a in made.batch(np.arange(4))
    )
    masses, positions, edges, target = data.turn_bodies(batch, torch.Generator().manual_seed(0))
    assert torch.equal(masses, batch[0]) and torch.equal(edges, batch[2])
    assert (positions - batch[1]).norm(dim=1).min() > 1e-3
    gaps = [(p[edges[0]] - p[edges[1]]).norm(dim=1) for p in (batch[1], positions)]
    assert torch.allclose(*gaps, atol=1e-12)
    again = bodies.of_points(masses[:, 0].numpy(), positions.numpy(), made.sizes)
    assert np.abs(again.about_points - target.numpy()).max() < 1e-6  # the target came in float32
    ends = np.cumsum(made.sizes)
    places = [slice(end - size, end) for end, size in zip(ends, made.sizes, strict=True)]
    turns = [np.linalg.lstsq(batch[1][p].numpy(), positions[p].numpy(), rcond=None)[0] for p in places]
    assert np.abs(turns @ np.swapaxes(turns, 1, 2) - np.eye(3)).max() < 1e-9
    assert np.abs(turns[0] - turns[1]).max() > 0.1
