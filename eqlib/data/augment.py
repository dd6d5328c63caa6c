"""Augmentations: what `training.fit` does to each batch anew. Each takes (batch, generator) and returns a batch.

One with a setting, such as `reach`, is passed as functools.partial(shift_images, reach=3): a checkpoint knows a partial by its
function and its settings, so that a run cannot go on under another one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from eqlib import groups

from .bodies import to_irreps, to_matrices
from .images import rotate, shift
from .spins import rename_nodes
from .volumes import draw_outlines, rotations

Batch = tuple[Any, ...]


def turn_images(batch: Batch, generator: torch.Generator) -> Batch:
    """Each image of (images, labels) turned by an angle of its own, uniformly.

    The images of rotated sets have been turned once already, so a pixel is interpolated twice; nothing is clipped.

    >>> image = torch.zeros(1, 1, 5, 5)
    >>> image[..., 2, 4] = 1  # on the right
    >>> turned, labels = turn_images((image, torch.tensor([3])), torch.Generator().manual_seed(0))
    >>> turned.shape == image.shape, bool(turned[..., 2, 4] < 1), labels.tolist()
    (True, True, [3])
    """
    images, *rest = batch
    angles = torch.rand(len(images), generator=generator, dtype=torch.float64) * 2 * torch.pi
    return _like(images, rotate(images.numpy(), angles.numpy())), *rest


def shift_images(batch: Batch, generator: torch.Generator, reach: int) -> Batch:
    """Each image of (images, labels) moved by whole pixels of its own, at most `reach` in both directions.

    >>> from functools import partial
    >>> augment = partial(shift_images, reach=3)  # for training.fit(..., augment=augment)
    >>> images, labels = augment((torch.ones(2, 1, 9, 9), torch.tensor([3, 5])), torch.Generator().manual_seed(0))
    >>> images.shape, labels.tolist()
    (torch.Size([2, 1, 9, 9]), [3, 5])
    """
    images, *rest = batch
    steps = torch.randint(-reach, reach + 1, (len(images), 2), generator=generator)
    return _like(images, shift(images.numpy(), steps.numpy())), *rest


def rename_nodes_anew(batch: Batch, generator: torch.Generator) -> Batch:
    """The nodes of each graph of (adjacency, x, target) in a random order.

    >>> from eqlib import data
    >>> batch = tuple(torch.as_tensor(array) for array in data.spins_on_graphs(5))
    >>> adjacency, spins, energy = rename_nodes_anew(batch, torch.Generator().manual_seed(0))
    >>> bool((spins.sum(1) == batch[1].sum(1)).all())
    True
    """
    adjacency, x, *rest = batch
    return *rename_nodes(adjacency, x, torch.rand(x.shape[:2], generator=generator).argsort(-1)), *rest


def boost_jets(batch: Batch, generator: torch.Generator) -> Batch:
    """Each jet of (raw momenta, mask, labels) turned at random, then boosted into a random direction by gamma = 1 ... 10.

    >>> from eqlib import data
    >>> inputs = data.JetInputs(data.jets("train", number=4), "lab")
    >>> batch = tuple(torch.as_tensor(array) for array in inputs.batch(np.arange(4)))
    >>> momenta, mask, labels = boost_jets(batch, torch.Generator().manual_seed(0))
    >>> momenta.shape, labels.equal(batch[2])
    (torch.Size([4, 50, 4]), True)
    """
    momenta, *rest = batch
    rapidity = np.arccosh(10.0) * torch.rand(len(momenta), generator=generator, dtype=torch.float64).numpy()
    seed = int(torch.randint(2**31, (1,), generator=generator))
    moved = random_boosts(len(momenta), np.cosh(rapidity), seed) * random_turns(len(momenta), seed + 1)
    return momenta @ _like(momenta, groups.Lorentz().matrix(moved)).mT, *rest


def turn_bodies(batch: Batch, generator: torch.Generator) -> Batch:
    """Each body of `Bodies`, (masses, positions, edges, target), turned about the origin by a rotation of its own, uniformly.

    >>> from eqlib import data
    >>> batch = tuple(torch.as_tensor(array) for array in data.rigid_bodies(2, 3).batch(np.arange(2)))
    >>> _, positions, _, _ = turn_bodies(batch, torch.Generator().manual_seed(0))
    >>> torch.allclose(positions.norm(dim=1), batch[1].norm(dim=1))
    True
    """
    masses, positions, edges, target = batch
    # All pairs of a body are edges, so the lowest neighbour, itself included, names the body.
    body = torch.arange(len(masses)).scatter_reduce(0, edges[1], edges[0], "amin")
    quaternions = torch.randn(len(masses), 4, generator=generator, dtype=torch.float64)
    matrices = Rotation.from_quat(quaternions.numpy()).as_matrix()[body.numpy()]
    tensors = matrices @ to_matrices(target.numpy()) @ matrices.swapaxes(1, 2)
    moved = np.einsum("nij,nj->ni", matrices, positions.numpy())
    return masses, _like(positions, moved), edges, _like(target, to_irreps(tensors))


def turn_volumes(batch: Batch, generator: torch.Generator) -> Batch:
    """Each shape of `Outlines`, (centres, edges, shifts, noise, labels), drawn as a volume at a rotation of its own, uniformly.

    It is drawn from its geometry, so nothing is interpolated; its edge, its shift and its noise are those that it has. Returns
    (volumes, labels).

    >>> from eqlib import data
    >>> batch = tuple(torch.as_tensor(array) for array in data.tetris_volumes(7).outlines().batch(np.arange(2)))
    >>> images, labels = turn_volumes(batch, torch.Generator().manual_seed(0))
    >>> images.shape, labels.tolist()
    (torch.Size([2, 1, 15, 15, 15]), [0, 1])
    """
    centres, edges, shifts, noise, *rest = batch
    turns = rotations(torch.randn(len(edges), 4, generator=generator, dtype=torch.float64).numpy())
    drawn = draw_outlines(centres.numpy(), edges.numpy(), shifts.numpy(), turns, noise.shape[-1])
    return noise + _like(noise, drawn[:, None]), *rest


def random_boosts(number: int, gamma: float | NDArray[np.float64], seed: int) -> groups.Element:
    """So many boosts, each into a direction of its own, by a Lorentz factor gamma >= 1: one, or (number,) of them.

    >>> groups.Lorentz().matrix(random_boosts(2, gamma=3.0, seed=0))[:, 0, 0].round(6).tolist()  # E of a mass of 1 at rest
    [3.0, 3.0]
    """
    factors = np.broadcast_to(np.asarray(gamma, dtype=np.float64), (number,))
    if not (factors >= 1).all():
        raise ValueError(f"gamma: got {factors.min()}, expected at least 1")
    direction = np.random.default_rng(seed).normal(size=(number, 3))
    rapidity = np.arccosh(factors)[:, None] * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return groups.Lorentz().element(np.concatenate([np.zeros((number, 3)), rapidity], axis=1))


def random_turns(number: int, seed: int) -> groups.Element:
    """So many random rotations of space, uniform.

    >>> matrices = groups.Lorentz().matrix(random_turns(2, seed=0))
    >>> matrices[:, 0, 0].round(6).tolist()  # energies stay
    [1.0, 1.0]
    """
    turns = Rotation.random(number, np.random.default_rng(seed)).as_rotvec()
    return groups.Lorentz().element(np.concatenate([turns, np.zeros((number, 3))], axis=1))


def _like(tensor: Tensor, array: NDArray[Any]) -> Tensor:
    """The array as a tensor of the same dtype."""
    return torch.as_tensor(array).to(tensor)
