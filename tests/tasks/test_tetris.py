"""The Tetris task: invariant networks of points, and what parity does to mirror images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eqlib import data, groups, training
from eqlib.tasks import tetris

FIELDS = ("so3", "parity", "even")


def moved(net: torch.nn.Module, dtype: torch.dtype, mirrors: bool) -> float:
    """The largest change of the scores under random rotations (and reflections), shifts and orders of the points, relative."""
    shapes = torch.as_tensor(data.tetris()).to(dtype)
    group = groups.O3() if mirrors else groups.SO3()
    with torch.no_grad():
        before, worst = net(shapes), 0.0
        for n, matrix in enumerate(group.matrix(group.sample(6, seed=1))):
            shifted = shapes @ torch.tensor(matrix).to(dtype).mT + 2.0
            after = net(shifted[:, torch.tensor(np.random.default_rng(n).permutation(4))])
            if mirrors and np.linalg.det(matrix) < 0 and net.odd:
                after = after[:, [1, 0, *range(2, 8)]]
            worst = max(worst, float((after - before).abs().max() / before.abs().max()))
    return worst


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("model", FIELDS)
def test_scores_do_not_change(model: str, dtype: torch.dtype, tolerance: float) -> None:
    """Under rotations, shifts and renaming; under O(3) mirrors leave them alone, or swap the two screws'."""
    net = tetris.make(model, seed=1).to(dtype)
    assert moved(net, dtype, mirrors=False) < tolerance
    if model != "so3":
        assert moved(net, dtype, mirrors=True) < tolerance
    assert moved(tetris.make("coordinates").to(dtype), dtype, mirrors=False) > 0.01


def test_a_pseudoscalar_needs_three_layers_and_an_output_for_it() -> None:
    """The two screws' scores differ with SO(3) or 0o and three layers, and not without."""
    shapes = torch.as_tensor(data.tetris()[:2])
    for (group, hidden, out), layers, apart in [
        ((groups.SO3(), "4x0+4x1+2x2", "8x0"), 3, True),
        ((groups.SO3(), "4x0+4x1+2x2", "8x0"), 2, False),
        ((groups.O3(), tetris.HIDDEN, "7x0e+0o"), 3, True),
        ((groups.O3(), tetris.HIDDEN, "7x0e+0o"), 2, False),
        ((groups.O3(), tetris.HIDDEN, "8x0e"), 3, False),
    ]:
        torch.manual_seed(0)
        net = tetris.field(group, hidden, out, layers).double()
        with torch.no_grad():
            left, right = (net.net(*inputs(shape), torch.zeros(4, dtype=torch.int64), 1)[0] for shape in shapes)
        assert ((left - right).abs().max() > 1e-6) == apart, (group, out, layers)


def inputs(shape: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.ones(4, 1, dtype=shape.dtype), shape, tetris.graphs.complete_graph([4])


def test_rivals_are_as_large() -> None:
    sizes = [training.count_parameters(tetris.make(name)) for name in tetris.MODELS]
    assert max(sizes) < 1.06 * min(sizes)


def test_tests_are_the_shapes_turned() -> None:
    positions, labels = tetris.turned(5, seed=0)
    assert positions.shape == (40, 4, 3) and labels.tolist() == 5 * list(range(8))
    apart = np.linalg.norm(positions[:, :, None] - positions[:, None], axis=-1)
    shapes = data.tetris()
    wanted = np.linalg.norm(shapes[:, :, None] - shapes[:, None], axis=-1)
    assert np.abs(apart.reshape(5, 8, 4, 4) - wanted).max() < 1e-5
    assert np.abs(positions[8:16] - positions[:8]).max() > 0.1
    for wrong in (np.zeros((2, 5, 3)), np.zeros((4, 3)), np.full((1, 4, 3), np.nan)):
        with pytest.raises(ValueError, match="raw: got shape"):
            tetris.prepare("so3", wrong)
