"""Rotation of images, and scikit-learn's digits."""

import numpy as np
import pytest
import torch

from eqlib import data
from eqlib.data import scikit_digits


def smooth_images(size, n=3, channels=2):
    """Blobs off the centre, well inside the inscribed disc."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    centres = np.random.default_rng(0).uniform(-size / 6, size / 6, (n, channels, 2))
    blobs = [np.exp(-((x - a) ** 2 + (y - b) ** 2) / 8) for a, b in centres.reshape(-1, 2)]
    return np.reshape(blobs, (n, channels, size, size)).astype(np.float32)


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("size", [8, 9])
def test_quarter_turns_move_pixels_exactly(size, order):
    images = np.random.default_rng(1).uniform(size=(9, 2, size, size)).astype(np.float32)
    quarters = np.arange(-4, 5)
    turned = data.rotate(images, quarters * np.pi / 2, order)
    for image, k, result in zip(images, quarters, turned, strict=True):
        assert np.array_equal(result, np.rot90(image, k, (-2, -1)))
        assert torch.equal(torch.from_numpy(result), torch.rot90(torch.from_numpy(image), int(k), (-2, -1)))


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("size", [24, 25])
def test_interpolated_rotation_has_the_same_sense_and_centre_as_quarter_turns(size, order):
    images = smooth_images(size)
    for k in range(1, 4):
        turned = data.rotate(images, np.full(3, k * np.pi / 2 + 1e-6), order)
        np.testing.assert_allclose(turned, np.rot90(images, k, (-2, -1)), atol=1e-5)


def test_rotation_moves_a_blob_counterclockwise_with_y_up():
    y, x = np.mgrid[:25, :25] - 12
    y = -y  # row 0 is on top
    blob = np.exp(-((x - 6) ** 2 + y**2) / 6).astype(np.float32)[None, None]
    angle = np.deg2rad(40)
    turned = data.rotate(blob, [angle])[0, 0]
    mean = np.array([(turned * x).sum(), (turned * y).sum()]) / turned.sum()
    np.testing.assert_allclose(mean, 6 * np.array([np.cos(angle), np.sin(angle)]), atol=0.01)


def test_cubic_rotation_composes_and_bilinear_blurs_more():
    images, angles = smooth_images(25), np.array([0.3, -1.1, 2.0])
    error = {}
    for order in (1, 3):
        back = data.rotate(data.rotate(images, angles, order), -angles, order)
        error[order] = np.abs(back - images).max()
    assert error[3] < 5e-3 < error[1]


@pytest.mark.parametrize("order", [1, 3])
def test_zero_comes_in_from_outside(order):
    corners = data.rotate(np.ones((1, 1, 9, 9)), [np.pi / 4], order)[0, 0, ::8, ::8]
    assert not corners.any()


@pytest.mark.parametrize(
    ("images", "angles", "order", "message"),
    [
        (np.zeros((2, 8, 8)), [0, 0], 3, r"images: got shape \(2, 8, 8\), expected \(n, channels, size, size\)"),
        (np.zeros((2, 1, 8, 9)), [0, 0], 3, r"images: got shape \(2, 1, 8, 9\)"),
        (np.zeros((2, 1, 8, 8)), [0], 3, r"angles: got shape \(1,\), expected \(2,\)"),
        (np.full((1, 1, 8, 8), np.nan), [0], 3, "images: got NaN or inf"),
        (np.zeros((1, 1, 8, 8)), [np.inf], 3, "angles: got NaN or inf"),
        (np.zeros((1, 1, 8, 8)), [0], 2, "order: got 2, expected 1"),
    ],
)
def test_rotate_refuses(images, angles, order, message):
    with pytest.raises(ValueError, match=message):
        data.rotate(images, angles, order)


def test_digits_have_the_stated_form():
    splits = data.digits()
    assert [len(s) for s in splits] == [1000, 297, 500]
    for split in splits:
        assert split.images.shape == (len(split), 1, 25, 25) and split.images.dtype == np.float32
        assert split.labels.dtype == np.int64 and set(split.labels) == set(range(10))
        assert split.images.min() >= 0 and split.images.max() <= 1
        assert not split.angles.any()
    images, labels = splits.test.batch(np.array([3, 1]))
    assert np.array_equal(images, splits.test.images[[3, 1]]) and np.array_equal(labels, splits.test.labels[[3, 1]])


def test_each_original_is_in_one_split_only():
    splits = data.digits(size=13)
    everything = np.concatenate([s.images.reshape(len(s), -1) for s in splits])
    from sklearn.datasets import load_digits

    originals = load_digits().data
    assert len(np.unique(everything, axis=0)) == len(np.unique(originals, axis=0)) == len(everything) == 1797


def test_the_same_seed_gives_the_same_digits_and_fewer_are_the_first_ones():
    one, two, other = (data.digits(rotated=True, seed=s, train=40) for s in (0, 0, 1))
    for a, b, c in zip(one, two, other, strict=True):
        assert np.array_equal(a.images, b.images) and np.array_equal(a.angles, b.angles)
        assert not np.array_equal(a.images, c.images)
    upright = data.digits(train=60)
    assert np.array_equal(upright.train.labels[:40], one.train.labels)
    assert np.array_equal(upright.test.labels, one.test.labels)
    # Pinned: published checkpoints and logs rest on this split.
    assert upright.test.labels[:12].tolist() == [2, 8, 2, 6, 6, 7, 1, 9, 8, 5, 2, 8]


def test_rotated_digits_are_the_upright_ones_turned_and_lose_nothing():
    upright, turned = data.digits().valid, data.digits(rotated=True).valid
    assert turned.angles.min() < -3 and turned.angles.max() > 3 and abs(turned.angles.mean()) < 0.3
    assert np.array_equal(turned.images, np.clip(data.rotate(upright.images, turned.angles), 0, 1))
    mass = turned.images.sum((1, 2, 3)) / upright.images.sum((1, 2, 3))
    assert np.abs(mass - 1).max() < 0.01


@pytest.mark.parametrize("size", [13, 21, 25])
def test_the_digit_is_enlarged_about_the_centre(size):
    from sklearn.datasets import load_digits

    y, x = np.mgrid[:8, :8] - 3.5
    splits = data.digits(size=size)
    big = np.concatenate([s.images[:, 0] for s in splits]).mean(0)
    small = load_digits().images.mean(0)
    scale = {13: 9, 21: 13, 25: 17}[size] / 8
    bigger = np.mgrid[:size, :size] - (size - 1) / 2
    for axis, coordinate in enumerate((y, x)):
        centre = (small * coordinate).sum() / small.sum() * scale
        assert abs((big * bigger[axis]).sum() / big.sum() - centre) < 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 24}, "size: got 24, expected an odd number of pixels, at least 13"),
        ({"size": 9}, "size: got 9"),
        ({"train": 0}, "train: got 0, expected 1 ... 1000"),
        ({"train": 1001}, "train: got 1001"),
    ],
)
def test_digits_refuse(options, message):
    with pytest.raises(ValueError, match=message):
        data.digits(**options)


def test_the_table_is_scikit_learns(monkeypatch):
    """Read from its file, or by its own function where the file is elsewhere."""
    from sklearn.datasets import load_digits

    raw, labels = load_digits(return_X_y=True)
    for found in (scikit_digits.find_spec, lambda name: None):
        scikit_digits._load.cache_clear()
        monkeypatch.setattr(scikit_digits, "find_spec", found)
        np.testing.assert_array_equal(scikit_digits._load()[0], raw)
        np.testing.assert_array_equal(scikit_digits._load()[1], labels)
    scikit_digits._load.cache_clear()
