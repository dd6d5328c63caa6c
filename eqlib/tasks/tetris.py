"""The eight Tetris shapes as four points each: trained in one orientation, read in any (Thomas et al. 2018; review, Sec. V).

Eight examples, one a class, upright. The test is each shape at so many random rotations, moved by a random vector: 200 turns are
1,600 bodies. Two of the shapes are mirror images of each other, and what can tell them apart depends on the outputs: under
O(3), scores `0e` cannot, a pseudoscalar `0o` can; under SO(3), which knows no mirrors, scores can.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from eqlib import data, graphs, groups, kernels, models, training
from eqlib.data.volumes import TETRIS, rotations
from eqlib.tasks import task

TASK = "tetris"
POINTS, CLASSES = 4, len(TETRIS)
TURNS, STEPS, RATE = 200, 100, 1e-2
CUTOFF = 4.0  # where radial functions end, edges of a cube: the line's ends are 3 apart


class PointScores(torch.nn.Module):
    """Bodies of four points (batch, 4, 3) -> class scores (batch, 8), by a tensor field network that sums over the points.

    Where the network has an output 0o, it is the last, and the two mirror images' scores are s + p and s - p, with the first
    output s and the pseudoscalar p: a mirror swaps them. No group is named: what is not trivial is a pseudoscalar.

    >>> import torch
    >>> from eqlib import data
    >>> from eqlib.tasks import tetris
    >>> net, shapes = tetris.make("parity"), torch.as_tensor(data.tetris()).float()
    >>> scores, mirrored = net(shapes), net(-shapes)
    >>> torch.allclose(mirrored[:, 0], scores[:, 1], atol=1e-5)
    True
    """

    def __init__(self, net: models.TensorFieldNetwork) -> None:
        super().__init__()
        self.net = net
        self.odd = not net.rep_out.blocks[-1][1].is_trivial

    def forward(self, positions: Tensor) -> Tensor:
        bodies, points, _ = positions.shape
        edges = graphs.complete_graph([points] * bodies).to(positions.device)
        batch = graphs.batch_index([points] * bodies).to(positions.device)
        ones = positions.new_ones(bodies * points, 1)
        y = self.net(ones, positions.flatten(0, 1), edges, batch, bodies)
        if not self.odd:
            return y
        pair, odd = y[:, :1], y[:, -1:]
        return torch.cat([pair + odd, pair - odd, y[:, 1:-1]], dim=1)


def field(group: groups.Group, hidden: str, out: str, layers: int = 3) -> torch.nn.Module:
    """A tensor field network, degrees up to 2, radial functions of Bessel's.

    A pseudoscalar needs three layers: the first makes vectors of places, the second cross products of two, the third the
    product with one more. With two layers mirror images have the same scores under every group.
    """
    rep_in, rep_out = group.rep([(1, group.trivial)]), group.rep(out)
    radial = partial(kernels.Bessel, 4, CUTOFF)
    return PointScores(
        models.TensorFieldNetwork(rep_in, rep_out, [hidden] * (layers - 1), 2, radial, neighbours=POINTS - 1.0)
    )


class Dense(torch.nn.Module):
    """An ordinary network of the twelve coordinates about the mean point: (batch, 4, 3) -> class scores (batch, 8)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = torch.nn.Linear(3 * POINTS, width), torch.nn.Linear(width, width)
        last = torch.nn.Linear(width, CLASSES)
        self.layers = torch.nn.Sequential(first, torch.nn.SiLU(), second, torch.nn.SiLU(), last)

    def forward(self, positions: Tensor) -> Tensor:
        return self.layers((positions - positions.mean(1, keepdim=True)).flatten(1))


def turn_points(batch: tuple[Any, ...], generator: torch.Generator) -> tuple[Any, ...]:
    """Each body of (positions (batch, 4, 3), labels) turned about the origin by a rotation of its own, uniformly.

    >>> import torch
    >>> from eqlib import data
    >>> from eqlib.tasks import tetris
    >>> shapes = torch.as_tensor(data.tetris())
    >>> turned, _ = tetris.turn_points((shapes, torch.arange(8)), torch.Generator().manual_seed(0))
    >>> torch.allclose(torch.cdist(turned, turned), torch.cdist(shapes, shapes))  # nothing but turned
    True
    """
    positions, labels = batch
    matrices = rotations(torch.randn(len(positions), 4, generator=generator, dtype=torch.float64).numpy())
    return positions @ torch.as_tensor(matrices).to(positions).mT, labels


HIDDEN = "8x0e+4x0o+4x1o+4x1e+2x2e+2x2o"
MODELS = {
    "so3": task.model("SO(3), eight scores", partial(field, groups.SO3(), "8x0+6x1+4x2", "8x0"), "3 s", steps=STEPS),
    "parity": task.model(
        "O(3), seven scores and a pseudoscalar", partial(field, groups.O3(), HIDDEN, "7x0e+0o"), "3 s", steps=STEPS
    ),
    "even": task.model(
        "O(3), eight scores: blind to mirrors", partial(field, groups.O3(), HIDDEN, "8x0e"), "3 s", steps=STEPS
    ),
    "coordinates": task.model("a dense network of the coordinates", partial(Dense, 50), "3 s", steps=2000),
    "coordinates-augmented": task.model(
        "the same, each shape turned anew in every step", partial(Dense, 50), "3 s", steps=2000, augment=turn_points
    ),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The task's own options."""
    add = partial(parser.add_argument, default=argparse.SUPPRESS)
    add("--steps", type=int, help=f"steps of the optimizer, all eight shapes each (default: {STEPS}, coordinates 2000)")
    add("--turns", type=int, help=f"test orientations of each shape (default: {TURNS})")


def make(model: str, seed: int = 0) -> torch.nn.Module:
    """A network of MODELS with seeded initial weights."""
    return task.made(model, MODELS, seed)


def prepare(model: str, raw: ArrayLike) -> tuple[Tensor]:
    """Bodies of four points (n, 4, 3), in edges of a cube, as the networks take them, float32."""
    task.chosen(model, MODELS)
    positions = np.asarray(raw, dtype=np.float32)
    if positions.ndim != 3 or positions.shape[1:] != (POINTS, 3) or not np.isfinite(positions).all():
        raise ValueError(f"raw: got shape {positions.shape}, expected finite numbers (n, {POINTS}, 3)")
    return (torch.as_tensor(positions),)


def turned(turns: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The eight shapes at so many random rotations, moved by normal vectors: positions (8 turns, 4, 3) and labels.

    >>> from eqlib.tasks import tetris
    >>> positions, labels = tetris.turned(3, seed=0)
    >>> positions.shape, labels[:9].tolist()
    ((24, 4, 3), [0, 1, 2, 3, 4, 5, 6, 7, 0])
    """
    random = np.random.RandomState(seed)
    matrices, moves = rotations(random.normal(size=(turns, 4))), random.normal(size=(turns, 1, 1, 3))
    positions = np.einsum("tij,cpj->tcpi", matrices, data.tetris()) + moves
    return positions.reshape(-1, POINTS, 3).astype(np.float32), np.tile(np.arange(CLASSES), turns)


def run(
    model: str = "so3", turns: int = TURNS, seed: int = 0, steps: int | None = None, **how: Any
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Train on the eight shapes, upright: the network, and a report with its accuracy at `turns` random rotations."""
    task.positive(turns=turns, steps=steps)
    found = task.chosen(model, MODELS)
    net = make(model, seed)
    recipe = training.Recipe(
        epochs=steps or found.options["steps"],
        batch_size=CLASSES,
        lr=RATE,
        schedule=training.warm_cosine,
        augment=found.options.get("augment"),
        every=100,
    )
    shapes = data.tetris().astype(np.float32), np.arange(CLASSES)
    history = task.train(net, training.cross_entropy, shapes, recipe=recipe, seed=seed, **how)
    test = turned(turns, seed=1000 + seed)
    right = (training.predict(net, test).argmax(1).cpu().numpy() == test[1]).reshape(turns, CLASSES).mean(axis=0)
    figures: dict[str, Any] = {"turns": turns, "test_accuracy": float(right.mean())}
    figures["by_shape"] = {name: float(share) for name, share in zip(TETRIS, right, strict=True)}
    return net, task.report(TASK, model, seed, net, recipe, history, {}, **figures)
