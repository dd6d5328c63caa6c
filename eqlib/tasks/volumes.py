"""Tetris shapes as voxels: trained in one orientation, tested in all (review, Sec. V; Weiler et al. 2018).

Training shapes stand as `data.tetris_volumes` has them, all tilted alike and the screw left-handed. Three tests on shapes
that the training has not seen: `tilted` alike, `turned` at random, and `mirrored`, turned and half of them reflected, too.
`cnn` has about as many parameters as `steerable`, `cnn-wide` about as many multiplications; no network's steps take much longer
than the steerable one's.
Augmentation draws each shape at a new rotation in every epoch, from its geometry: nothing is interpolated.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eqlib import data, groups, models, training
from eqlib.data.augment import turn_volumes
from eqlib.data.volumes import SHAPES, SIZE
from eqlib.tasks import task

TASK = "volumes"
RENAMED = {"train": "number"}
CLASSES, TEST = len(SHAPES), 700
NUMBER, BATCH, RATE = 420, 16, 1e-2
TESTS: dict[str, tuple[dict[str, bool], int]] = {  # name: how the shapes are moved, and the seed that draws them
    "tilted": ({}, 1001),
    "turned": ({"turned": True}, 1002),
    "mirrored": ({"turned": True, "mirrored": True}, 1003),
}


def steerable(group: groups.Group) -> torch.nn.Module:
    """Spherical harmonics and gates; a group of fewer turns has the same features, as it sees them."""
    hidden = [groups.O3().rep(text) for text in ("4x0e+2x1o+1x2e", "12x0e+6x1o+6x2e")]
    if group != groups.O3():
        hidden = [groups.restrict(rep, group)[0] for rep in hidden]
    return models.VolumeCNN(group, hidden, CLASSES, pool=(0, 1))


def cnn(width: int) -> torch.nn.Module:
    """Ordinary convolutions of the same shape."""
    return models.PlainCNN(width, 2, CLASSES, dimensions=3, first=5, pool=(0, 1))


PLAIN = {
    "cnn": ("ordinary convolutions, as many parameters", 3),
    "cnn-wide": ("ordinary convolutions, as many multiplications", 32),
}
MODELS = {
    "steerable": task.model(
        "spherical harmonics with gates, O(3)", partial(steerable, groups.O3()), "1 min", steps=400
    ),
    "octahedral": task.model(
        "the 48 symmetries of the cube", partial(steerable, groups.Octahedral(inversion=True)), "1 min", steps=400
    ),
    **{
        name: task.model(about, partial(cnn, width), "1 min", steps=steps)
        for (name, (about, width)), steps in zip(PLAIN.items(), (2000, 600), strict=True)
    },
    **{
        f"{name}-augmented": task.model(
            f"{name}, every shape drawn at a new rotation in every epoch",
            partial(cnn, width),
            "1 min",
            steps=steps,
            augment=turn_volumes,
        )
        for (name, (_, width)), steps in zip(PLAIN.items(), (1200, 500), strict=True)
    },
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The task's own options."""
    add = partial(parser.add_argument, default=argparse.SUPPRESS)
    add("--number", type=int, help=f"training shapes (default: {NUMBER})")
    add("--test", type=int, help=f"shapes of each of the three tests (default: {TEST})")
    about = f"steps of the optimizer, rounded to whole epochs, {BATCH} shapes each (default: 400 to 2000, by model)"
    add("--steps", type=int, help=about)


def make(model: str, seed: int = 0) -> torch.nn.Module:
    """A network of MODELS with seeded initial weights."""
    return task.made(model, MODELS, seed)


def prepare(model: str, raw: Any) -> tuple[Tensor]:
    """Volumes (n, 15, 15, 15) or (n, 1, 15, 15, 15) as the networks take them, float32; 0 is empty, x, y and z in this order."""
    task.chosen(model, MODELS)
    volumes = np.asarray(raw, dtype=np.float32)
    volumes = volumes[:, None] if volumes.ndim == 4 else volumes
    if volumes.shape[1:] != (1, SIZE, SIZE, SIZE) or not np.isfinite(volumes).all():
        raise ValueError(f"raw: got shape {np.shape(raw)}, expected finite numbers (n, {SIZE}, {SIZE}, {SIZE})")
    return (torch.as_tensor(volumes),)


def held_out(name: str, number: int = TEST) -> data.Volumes:
    """The test shapes of one name of TESTS.

    >>> from eqlib.tasks import volumes
    >>> len(volumes.held_out("turned", 70))
    70
    """
    how, seed = TESTS[name]
    return data.tetris_volumes(number, seed=seed, **how)


def run(
    model: str = "steerable",
    number: int = NUMBER,
    seed: int = 0,
    steps: int | None = None,
    test: int = TEST,
    **how: Any,
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Train on so many shapes, tilted alike: the network, and a report with its accuracy on others, see `TESTS`."""
    task.positive(number=number, steps=steps, test=test)
    found = task.chosen(model, MODELS)
    train, augment = data.tetris_volumes(number, seed=seed), found.options.get("augment")
    net = make(model, seed)
    batch_size = min(BATCH, number)
    epochs = task.epochs_of(steps or found.options["steps"], batch_size, number)
    recipe = training.Recipe(
        epochs=epochs,
        batch_size=batch_size,
        optimizer=torch.optim.AdamW,
        lr=RATE,
        weight_decay=1e-2,
        schedule=training.warm_cosine,
        augment=augment,
        every=max(1, epochs // 10),
    )
    examples = train if augment is None else train.outlines()
    history = task.train(net, training.cross_entropy, examples, recipe=recipe, seed=seed, **how)
    figures: dict[str, Any] = {"number": number, "test_shapes": test}
    for name in TESTS:
        figures[f"{name}_accuracy"] = training.evaluate(net, held_out(name, test), training.accuracy, batch_size=50)
    figures["test_accuracy"] = figures["turned_accuracy"]
    return net, task.report(TASK, model, seed, net, recipe, history, {}, **figures)
