"""Tetris shapes: drawn exactly at any orientation, seeded, and never interpolated."""

import itertools

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from eqlib import data
from eqlib.data.augment import turn_volumes
from eqlib.data.volumes import SHAPES, TETRIS, TILT


def test_shapes_are_eight_and_two_are_mirror_images():
    """Each of four cubes that hang together; no two are alike by a turn, and by a mirror only the two screws."""
    shapes = data.tetris()
    assert shapes.shape == (8, 4, 3) and np.abs(shapes.sum(axis=1)).max() < 1e-12
    turns = [
        np.eye(3)[list(p)] * s for p in itertools.permutations(range(3)) for s in itertools.product([1, -1], repeat=3)
    ]

    def key(points):
        return tuple(sorted(map(tuple, points.round(6) + 0.0)))

    for proper in (True, False):
        some = [t for t in turns if not proper or np.linalg.det(t) > 0]
        orbits = [{key(shape @ t.T) for t in some} for shape in shapes]
        alike = {(i, j) for i, j in itertools.combinations(range(8), 2) if orbits[i] & orbits[j]}
        assert alike == (set() if proper else {(0, 1)})
    for shape in shapes:
        near = np.linalg.norm(shape[:, None] - shape, axis=-1) < 1.01
        assert (np.linalg.matrix_power(near.astype(int), 4) > 0).all()
    assert next(iter(TETRIS)).endswith(SHAPES[0]) and list(TETRIS)[2:] == list(SHAPES[1:])


def test_a_cube_is_what_a_fine_grid_says():
    """A turned cube on voxels a sixth as large, smeared by another code."""
    turn = Rotation.from_rotvec([0.3, -0.5, 0.8]).as_matrix()
    fine = 6
    line = (np.arange(11 * fine) + 0.5) / fine - 5.5
    grid = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1)
    inside = (np.abs((grid - [0.4, -0.3, 0.2]) @ turn) < 1.25).all(axis=-1).astype(float)
    smeared = gaussian_filter(inside, 1.0 * fine)
    places = (np.arange(11) + 0.5) * fine - 0.5
    wanted = map_coordinates(smeared, np.stack(np.meshgrid(places, places, places, indexing="ij")), order=1)
    drawn = data.draw_cubes([[[0.4, -0.3, 0.2]]], [2.5], turn[None], size=11, blur=1.0)[0]
    assert np.abs(drawn - wanted).max() < 5e-3 and drawn.max() > 0.3


def test_quarter_turns_move_voxels():
    """x, y, z in this order: a quarter turn about z is numpy.rot90 over the first two axes."""
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    for shape in data.tetris():
        upright, turned = data.draw_cubes([2 * shape, 2 * shape @ quarter.T], [2.0] * 2, [np.eye(3), quarter])
        assert np.abs(np.rot90(upright, 1, (0, 1)) - turned).max() < 1e-14
    mirror = np.diag([-1.0, 1, 1])
    left, right = data.draw_cubes([2 * shape, 2 * shape @ mirror], [2.0] * 2, [np.eye(3), mirror])
    assert np.abs(left[::-1] - right).max() < 1e-14


def test_seeded_and_as_asked_for():
    one, again, other = (data.tetris_volumes(14, seed=s) for s in (0, 0, 1))
    assert np.array_equal(one.images, again.images) and not np.array_equal(one.images, other.images)
    assert one.images.shape == (14, 1, 15, 15, 15) and one.images.dtype == np.float32
    assert one.labels.tolist() == 2 * list(range(7)) and len(one) == 14
    assert np.abs(one.turns - TILT).max() == 0
    assert (one.images - one.noise).max() > 40 * one.noise.std() > 0
    turned, mirrored = (data.tetris_volumes(200, turned=True, mirrored=m, noise=0.0) for m in (False, True))
    assert np.abs(np.linalg.det(turned.turns) - 1).max() < 1e-12
    assert 60 < (np.linalg.det(mirrored.turns) < 0).sum() < 140
    assert np.abs(turned.turns.mean(axis=0)).max() < 0.2  # uniform: no direction is left over
    assert len(data.tetris_volumes(0)) == 0
    faint = np.abs(np.stack([turned.images[:, 0, 0], turned.images[:, 0, -1]])).max()
    assert faint < 0.05  # the shapes stay inside


def test_augmentation_draws_what_turned_sets_are():
    """The same shape with the same edge, shift and noise, at another rotation, and not interpolated."""
    made = data.tetris_volumes(7, seed=2)
    outlines = made.outlines()
    batch = tuple(torch.as_tensor(a) for a in outlines.batch(np.array([3, 0])))
    images, labels = turn_volumes(batch, torch.Generator().manual_seed(1))
    again, _ = turn_volumes(batch, torch.Generator().manual_seed(1))
    assert torch.equal(images, again) and labels.tolist() == [3, 0] and len(outlines) == 7
    assert images.dtype == torch.float32 and images.shape == (2, 1, 15, 15, 15)
    clean = images - batch[3]
    assert torch.allclose(clean.sum((1, 2, 3, 4)), torch.as_tensor(4 * made.edges[[3, 0]] ** 3).float(), rtol=0.02)
    assert (images - torch.as_tensor(made.images[[3, 0]])).abs().max() > 0.05


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.tetris_volumes(-1), "number: got -1, expected 0 or more"),
        (lambda: data.tetris_volumes(1, noise=-1.0), "noise: got -1.0, expected a standard deviation"),
        (lambda: data.tetris_volumes(1, size=9), "size: got 9, expected at least 11 voxels"),
        (lambda: data.draw_cubes([[0.0, 0, 0]], [1.0], np.eye(3)[None]), r"centres: got shape \(1, 3\)"),
        (lambda: data.draw_cubes([[[0.0, 0, 0]]], [0.0], np.eye(3)[None]), "edge: got"),
        (lambda: data.draw_cubes([[[0.0, 0, 0]]], [1.0], np.eye(3)), r"turns: got shape \(3, 3\)"),
        (
            lambda: data.draw_cubes([[[0.0, 0, 0]]], [1.0], 2 * np.eye(3)[None]),
            "turns: got a matrix that is not orthogonal",
        ),
        (lambda: data.draw_cubes([[[0.0, 0, np.nan]]], [1.0], np.eye(3)[None]), "centres: got NaN or inf"),
        (lambda: data.draw_cubes([[[0.0, 0, 0]]], [1.0], np.eye(3)[None], blur=0.0), "blur: got 0.0"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
