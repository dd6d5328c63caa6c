"""Digits at any place: shifts, the dense readers, the nearest neighbour, and runs that repeat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from eqlib import data, models
from eqlib.data.augment import shift_images
from eqlib.tasks import shifted_digits

REACH, SIZE = shifted_digits.REACH, shifted_digits.SIZE


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
    steps = np.random.default_rng(1).integers(-REACH, REACH + 1, size=(20, 2))
    moved = data.shift(digits, steps)
    assert np.array_equal(data.shift(moved, -steps), digits)
    assert moved.sum((1, 2, 3)) == pytest.approx(digits.sum((1, 2, 3)), rel=1e-12)
    assert not np.array_equal(data.shift(moved, steps), digits)


def test_wrong_shifts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"images: got shape \(2, 5, 5\)"):
        data.shift(np.zeros((2, 5, 5)), [[0, 0]] * 2)
    with pytest.raises(ValueError, match=r"steps: got shape \(1, 2\), expected \(2, 2\)"):
        data.shift(np.zeros((2, 1, 5, 5)), [[0, 0]])
    with pytest.raises(ValueError, match="steps: got dtype float64, expected whole pixels"):
        data.shift(np.zeros((1, 1, 5, 5)), [[0.5, 0]])
    with pytest.raises(ValueError, match=r"model: got 'gnn', expected one of cnn, mlp"):
        shifted_digits.run("gnn")
    with pytest.raises(ValueError, match=r"steps: got 5, but the model 'neighbours' learns nothing"):
        shifted_digits.run("neighbours", steps=5)


def test_augmentation_shifts_and_keeps_the_target() -> None:
    generator = torch.Generator().manual_seed(0)
    digits = torch.as_tensor(data.digits(size=SIZE).test.images[:60])
    moved, labels = shift_images((digits, torch.arange(60)), generator, reach=REACH)
    assert torch.equal(labels, torch.arange(60))
    assert moved.sum((1, 2, 3)).numpy() == pytest.approx(digits.sum((1, 2, 3)).numpy(), rel=0.03)
    centre = (moved[:, 0] * torch.arange(SIZE)).sum((1, 2)) / moved.sum((1, 2, 3))
    centre -= (digits[:, 0] * torch.arange(SIZE)).sum((1, 2)) / digits.sum((1, 2, 3))
    assert sorted(set(centre.round().int().tolist())) == list(range(-REACH, REACH + 1))


def test_nearest_looks_at_every_copy() -> None:
    train = np.eye(3)
    images = np.array([[0.0, 2, 0], [0, 0, 1], [5, 0, 0]])
    labels = np.array([7, 8, 9])
    assert models.nearest_neighbour([train], labels, images).tolist() == [8, 9, 7]
    assert models.nearest_neighbour([train, 2 * train[[1, 0, 2]]], labels, images).tolist() == [7, 9, 8]


def test_dense_networks_are_as_large_as_the_convolutions_or_far_larger() -> None:
    cnn, mlp, wide = (
        shifted_digits.run(name, images=32, steps=1, progress=False)[1]["parameters"]
        for name in ("cnn", "mlp", "wide-mlp-augmented")
    )
    assert mlp == pytest.approx(cnn, rel=0.03)
    assert wide > 15 * mlp


def test_a_run_repeats_and_leaves_the_random_state_alone() -> None:
    def accuracy(seed: int) -> float:
        return shifted_digits.run("mlp-augmented", images=50, seed=seed, steps=20, progress=False)[1]["test_accuracy"]

    torch.manual_seed(5)
    first = accuracy(0)
    there = torch.rand(1)
    torch.manual_seed(5)
    assert accuracy(0) == first
    assert torch.equal(there, torch.rand(1))
    assert accuracy(1) != first
