"""The volumes task: rivals of one size, tests of three kinds, a reader's own volumes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eqlib import data, testing, training
from eqlib.tasks import volumes


def test_the_rival_is_as_large_and_the_wide_one_larger() -> None:
    sizes = {name: training.count_parameters(volumes.make(name)) for name in volumes.MODELS}
    assert sizes["cnn"] == pytest.approx(sizes["steerable"], rel=0.03)
    assert sizes["cnn-augmented"] == sizes["cnn"]
    assert sizes["cnn-wide"] > 50 * sizes["steerable"]


@pytest.mark.parametrize(("model", "knows"), [("steerable", True), ("octahedral", True), ("cnn", False)])
def test_which_networks_know_the_cube(model: str, knows: bool) -> None:
    """Volumes of the task's own size, every turn and mirror of the cube."""
    group = volumes.groups.O3()
    net = torch.nn.Sequential(volumes.make(model).eval(), torch.nn.Unflatten(1, (volumes.CLASSES, 1, 1, 1)))
    reps = group.rep("0e"), group.rep(f"{volumes.CLASSES}x0e")
    assert (testing.grid_equivariance_error(net, *reps, size=volumes.SIZE) < 1e-11) == knows


def test_test_sets_differ_from_training_and_from_each_other() -> None:
    sets = {name: volumes.held_out(name, 14) for name in volumes.TESTS}
    assert np.array_equal(sets["tilted"].turns, data.tetris_volumes(14).turns)
    assert not np.array_equal(sets["tilted"].images, data.tetris_volumes(14).images)
    assert (np.linalg.det(sets["turned"].turns) > 0).all()
    assert (np.linalg.det(volumes.held_out("mirrored", 40).turns) < 0).any()


def test_prepare_takes_volumes() -> None:
    raw = data.tetris_volumes(3).images
    (images,) = volumes.prepare("steerable", raw)
    assert torch.equal(images, volumes.prepare("steerable", raw[:, 0])[0]) and images.dtype == torch.float32
    for wrong in (raw[0, 0], raw[..., 1:], np.full_like(raw, np.nan)):
        with pytest.raises(ValueError, match="raw: got shape"):
            volumes.prepare("steerable", wrong)
