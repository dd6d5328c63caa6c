"""The digits task: models of one size, neighbours, rotated MNIST, labels that a turn changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eqlib import data, training
from eqlib.tasks import digits

NETWORKS = [name for name, model in digits.MODELS.items() if model.make is not None]


def test_neighbours_see_every_pose() -> None:
    """Each training image, turned by a multiple of 15 degrees, is its own nearest neighbour; without copies few are."""
    part = data.digits(size=21, seed=3, train=60).train
    angles = 2 * np.pi * (np.arange(len(part)) % 24) / 24
    turned = data.rotate(part.images, angles).clip(0, 1)
    assert np.array_equal(digits.neighbours(part, turned), part.labels)
    assert (digits.neighbours(part, turned, copies=1) == part.labels).mean() < 0.8


def test_neighbours_by_brute_force() -> None:
    """The same labels as every distance written out."""
    splits = data.digits(size=13, rotated=True, seed=1, train=12)
    images = splits.test.images[:30]
    copies = [data.rotate(splits.train.images, np.full(12, 2 * np.pi * k / 5)).clip(0, 1) for k in range(5)]
    distances = [((image - np.concatenate(copies)) ** 2).sum(axis=(1, 2, 3)) for image in images]
    wanted = np.tile(splits.train.labels, 5)[np.argmin(distances, axis=1)]
    assert np.array_equal(digits.neighbours(splits.train, images, copies=5), wanted)


def test_networks_have_as_many_parameters() -> None:
    for size in (21, 28):
        equal = [name for name in NETWORKS if not name.startswith("cnn-wide")]
        sizes = {name: training.count_parameters(digits.make(name, 0, size)) for name in equal}
        assert max(sizes.values()) < 1.08 * min(sizes.values()), sizes
        assert training.count_parameters(digits.make("cnn-wide", 0, size)) > 4 * max(sizes.values())


def test_networks_do_not_change_with_quarter_turns() -> None:
    """All but the plain ones, of both sizes."""
    for size in (21, 28):
        x = torch.randn(2, 1, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        for kind in digits.NETWORKS:
            net = digits.make(kind, 0, size).double().eval()
            with torch.no_grad():
                gap = float((net(x) - net(torch.rot90(x, 1, (-2, -1)))).abs().max())
            assert (gap < 1e-10) == (not kind.startswith("cnn")), (kind, size, gap)


def test_changed_labels() -> None:
    """A network that knows the symmetry changes none under quarter turns; one that looks at one corner changes many."""
    net = digits.make("harmonic", 0)
    assert digits.changed_labels(net, 90, seed=0) <= 0.004  # two of 500: rounding may decide between equal scores

    class Corner(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            half = x.shape[-1] // 2
            return torch.stack([x[:, 0, :half].mean((1, 2)), x[:, 0, half + 1 :].mean((1, 2))], dim=1)

    assert digits.changed_labels(Corner(), 180, seed=0) > 0.99
    assert digits.changed_labels(Corner(), 0, seed=0) == 0


def test_bad_arguments_are_refused() -> None:
    for call, message in (
        (lambda: digits.run("mlp"), "model: got 'mlp', expected one of harmonic"),
        (lambda: digits.make("neighbours"), "model: got 'neighbours', which learns nothing, expected one of harmonic"),
        (lambda: digits.run(steps=0), "steps: got 0"),
        (lambda: digits.run("neighbours", lr=0.1), "lr: got 0.1, but the model 'neighbours' learns nothing"),
        (lambda: digits.run(folder="/nowhere"), "folder: got '/nowhere'"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
