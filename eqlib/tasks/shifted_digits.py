"""Digits at any place of the image: what the translations that a CNN is built on save against a dense network (page 01).

Dense networks have about as many weights as the CNN, `wide` ones sixteen times as many. Steps are chosen such that all
take about the same time on one core; one learning rate serves all and was not tuned for each.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib import data, models, training
from eqlib.data.augment import shift_images
from eqlib.tasks import task

TASK = "shifted_digits"
RENAMED = {"train": "images"}
SIZE, REACH = 17, 3  # pixels of a side; shifts of at most so many leave the digit inside, but for a faint rim
BATCH, RATE = 32, 5e-3


def cnn() -> torch.nn.Module:
    return models.PlainCNN(width=12)


def dense(times: int) -> torch.nn.Module:
    """One hidden layer, so wide that it has `times` as many weights as the CNN."""
    width = round(training.count_parameters(cnn()) / (SIZE**2 + 13))
    return models.dense_reader(width * times, SIZE)


NETWORKS = {
    "cnn": task.model("ordinary convolutions", cnn, "5 s", steps=300),
    "mlp": task.model("a dense network, as many weights", partial(dense, 1), "5 s", steps=1500),
    "wide-mlp": task.model("a dense network, sixteen times as many weights", partial(dense, 16), "5 s", steps=800),
}
_anew = partial(
    task.augmented, augment=partial(shift_images, reach=REACH), about="every training image shifted anew in every epoch"
)
MODELS = {
    **{name: NETWORKS[name] for name in ("cnn", "mlp")},
    **_anew(NETWORKS),
    "neighbours": task.model("label of the nearest of all shifted training images", None, "1 s"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The task's own options."""
    add = partial(parser.add_argument, default=argparse.SUPPRESS)
    add("--images", type=int, help="training images, at most 1000 (default: 300)")
    add(
        "--steps",
        type=int,
        help=f"steps of the optimizer, rounded to whole epochs, {BATCH} images each (default: 300 to 1500, by model)",
    )


def make(model: str, seed: int = 0) -> torch.nn.Module:
    """A network of MODELS with seeded initial weights."""
    return task.made(model, MODELS, seed)


def prepare(model: str, raw: Any) -> tuple[Tensor]:
    """A reader's own images as the networks take them, (n, 1, 17, 17): see `data.as_images` for what `raw` may be."""
    task.chosen(model, MODELS)
    return (torch.as_tensor(data.as_images(raw, SIZE)),)


def run(
    model: str = "cnn", images: int = 300, seed: int = 0, steps: int | None = None, **how: Any
) -> tuple[torch.nn.Module | None, dict[str, Any]]:
    """Train on so many digits at random places: the network (None for neighbours), and a report; 500 others are the test.

    `how`: see `task.train`.
    """
    task.positive(images=images, steps=steps)
    found = task.chosen(model, MODELS, {"steps": steps, **how})
    splits = data.digits(size=SIZE, seed=seed, train=images)
    random = np.random.RandomState(seed)
    (train, labels), (test, truth) = [
        (data.shift(part.images, random.randint(-REACH, REACH + 1, (len(part), 2))), part.labels)
        for part in (splits.train, splits.test)
    ]
    figures: dict[str, Any] = {"images": images, "test_images": len(test)}
    if found.make is None:
        start = time.perf_counter()
        right = nearest(train, labels, test) == truth
        seconds = round(time.perf_counter() - start, 1)
        figures |= {"test_accuracy": float(right.mean()), "seconds": seconds}
        return None, {"task": TASK, "model": model, "seed": seed, "parameters": 0, **figures}
    net = make(model, seed)
    batch_size = min(BATCH, images)
    recipe = training.Recipe(
        epochs=task.epochs_of(steps or found.options["steps"], batch_size, images),
        batch_size=batch_size,
        lr=RATE,
        schedule=training.cosine,
        augment=found.options.get("augment"),
    )
    history = task.train(net, training.cross_entropy, (train, labels), recipe=recipe, seed=seed, **how)
    figures["test_accuracy"] = training.evaluate(net, (test, truth), training.accuracy)
    return net, task.report(TASK, model, seed, net, recipe, history, {}, **figures)


def nearest(train: NDArray[np.float32], labels: NDArray[np.int64], images: NDArray[np.float32]) -> NDArray[np.int64]:
    """Labels (m,) of images (m, 1, size, size): that of the nearest training image under all shifts that may lie between."""
    far = range(-2 * REACH, 2 * REACH + 1)
    copies = (data.shift(train, np.tile([right, up], (len(train), 1))) for right in far for up in far)
    return models.nearest_neighbour(copies, labels, images)
