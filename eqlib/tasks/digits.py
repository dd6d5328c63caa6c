"""Rotated digits: scikit-learn's, or MNIST's where a folder has its files. Does a network that knows the turns need fewer images?

The networks of one image size have about as many parameters as the harmonic one; `cnn-wide` has about as many
multiplications as `steerable` instead. Review, Sec. IV; Worrall et al. 2017, Weiler and Cesa 2019.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib import data, groups, models, training
from eqlib.data.augment import turn_images
from eqlib.tasks import task

TASK = "digits"
RENAMED = {"train": "images", "train, valid": "images"}
COPIES = 24  # of each training image among which `neighbours` looks: one for every 15 degrees
LARGE = 28  # pixels from which on the networks are those for MNIST
RECIPE: dict[str, Any] = {"optimizer": torch.optim.AdamW, "weight_decay": 1e-2, "schedule": training.warm_cosine}


def harmonic(size: int) -> torch.nn.Module:
    """Circular harmonics and gates, SO(2)."""
    if size < LARGE:
        return models.HarmonicNet(groups.SO2())
    return models.HarmonicNet(groups.SO2(), ("12x0+8x1+8x2", *["16x0+12x1+9x2"] * 4), pool=(0, 2))


def group_cnn(group: groups.Group, small: tuple[int, ...], large: tuple[int, ...], size: int) -> torch.nn.Module:
    """Convolutions over a finite group, so many channels in each block."""
    return models.GroupCNN(group, small) if size < LARGE else models.GroupCNN(group, large, pool=(0, 2))


def steerable(size: int) -> torch.nn.Module:
    """Functions on SO(2) as features, frequencies up to 2, sampled for their activation."""
    rep = groups.SO2().rep("0+1+2")
    if size < LARGE:
        hidden = [groups.fields(rep, channels) for channels in (8, 9)]
        return models.SteerableCNN(rep.group, hidden, invariants=24, pool=(0, 1), samples=8)
    hidden = [groups.fields(rep, channels) for channels in (12, 12, 12, 16)]
    return models.SteerableCNN(rep.group, hidden, halve=(0,), pool=(2,), samples=8)


def cnn(size: int) -> torch.nn.Module:
    """Ordinary convolutions, as many parameters."""
    return models.PlainCNN.of_size(6300) if size < LARGE else models.PlainCNN.of_size(40_000, blocks=5, pool=(0, 2))


def cnn_wide(size: int) -> torch.nn.Module:
    """Ordinary convolutions, as many multiplications."""
    return models.PlainCNN(24) if size < LARGE else models.PlainCNN(64, blocks=5, pool=(0, 2))


NETWORKS = {
    "harmonic": task.model("circular harmonics with gates, SO(2)", harmonic, "20 s; MNIST 20 min"),
    "p4": task.model(
        "group convolutions, quarter turns (C4)",
        partial(group_cnn, groups.Cyclic(4), (4, 6, 6), (8, 10, 10, 10, 10)),
        "15 s; MNIST 11 min",
    ),
    "p4m": task.model(
        "group convolutions, quarter turns and flips (D4)",
        partial(group_cnn, groups.Dihedral(4), (2, 4, 6), (6, 7, 7, 7, 7)),
        "15 s; MNIST 17 min",
    ),
    "steerable": task.model("functions on SO(2), sampled: the best on MNIST", steerable, "20 s; MNIST 16 min"),
    "cnn": task.model("ordinary convolutions, as many parameters", cnn, "5 s; MNIST 5 min"),
    "cnn-wide": task.model("ordinary convolutions, as many multiplications", cnn_wide, "5 s; MNIST 18 min"),
}
MODELS = {
    **NETWORKS,
    **task.augmented(NETWORKS, turn_images, "every training image turned anew in every epoch"),
    "neighbours": task.model(f"label of the nearest of {COPIES} turned copies of each training image", None, "3 s"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The task's own options."""
    add = partial(parser.add_argument, default=argparse.SUPPRESS)
    add("--data", type=Path, dest="folder", help="folder with MNIST's idx files (default: scikit-learn's digits)")
    add("--images", type=int, help="training images (default: 1000, of MNIST 12000)")
    add("--steps", type=int, help="steps of the optimizer, rounded to whole epochs (default: 600, on MNIST 15000)")
    add("--batch-size", type=int, help="images a step (default: 32, on MNIST 16)")
    add("--lr", type=float, help="learning rate at the start (default: 0.005, on MNIST 0.01)")


def make(model: str, seed: int = 0, size: int = 21) -> torch.nn.Module:
    """A network of MODELS with seeded initial weights, for images of `size` pixels; ValueError for another name."""
    return task.made(model, MODELS, seed, size=size)


def prepare(model: str, raw: Any, size: int = 21) -> tuple[Tensor]:
    """A reader's own images as the networks take them, (n, 1, size, size): see `data.as_images` for what `raw` may be."""
    task.chosen(model, MODELS)
    return (torch.as_tensor(data.as_images(raw, size)),)


def run(
    model: str = "harmonic",
    images: int | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    size: int = 21,
    **how: Any,
) -> tuple[torch.nn.Module | None, dict[str, Any]]:
    """Train on rotated digits, measure on others: the network (None for neighbours), and a report.

    Without `folder`: scikit-learn's digits of `size` pixels, 1,000 for training, 500 for the test, 600 steps of 32. With the
    folder of MNIST's idx files: 12,000 of 28 pixels for training, 10,000 for the test (`data.rotated_mnist`), 15,000 steps of 16,
    which are 20 epochs (small batches learn more in the same time). Every model and number of images gets the same number of
    steps, unless told otherwise. The learning rate starts at 0.005, on MNIST at 0.01. `how`: see `task.train`.
    """
    task.positive(images=images, steps=steps, batch_size=batch_size, lr=lr)
    found = task.chosen(model, MODELS, {"steps": steps, "batch_size": batch_size, "lr": lr, **how})
    if folder is None:
        splits = data.digits(size=size, rotated=True, seed=seed, train=1000 if images is None else images)
        steps, batch_size, lr = steps or 600, batch_size or 32, lr or 5e-3
    else:
        if not Path(folder).is_dir():
            raise ValueError(f"folder: got {str(folder)!r}, expected a folder with MNIST's idx files")
        try:
            splits = data.rotated_mnist(folder, train=12_000 if images is None else images, seed=seed)
        except FileNotFoundError as error:
            name = data.mnist_idx.FILES["train"][0]
            wanted = f"expected a folder with MNIST's idx files: no {name}, raw or .gz, or its labels"
            raise ValueError(f"folder: got {str(folder)!r}, {wanted}") from error
        steps, batch_size, lr = steps or 15_000, batch_size or 16, lr or 1e-2
    if found.make is None:
        return None, _neighbours(splits, seed)
    pixels = splits.train.images.shape[-1]
    net = make(model, seed, pixels)
    batch_size = min(batch_size, len(splits.train))
    epochs = task.epochs_of(steps, batch_size, len(splits.train))
    recipe = training.Recipe(
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        augment=found.options.get("augment"),
        every=max(1, epochs // 10),
        **RECIPE,
    )
    history = task.train(net, training.cross_entropy, splits.train, recipe=recipe, seed=seed, **how)
    wrong = wrong_labels(net, splits.test)
    figures: dict[str, Any] = {"images": len(splits.train), "test": splits.test.source, "test_images": len(splits.test)}
    figures |= {"test_accuracy": 1 - len(wrong) / len(splits.test), "wrong": wrong}
    return net, task.report(TASK, model, seed, net, recipe, history, {"size": pixels}, **figures)


def wrong_labels(net: torch.nn.Module, split: data.Split) -> list[int]:
    """Which images of a split get a wrong label; two networks' lists make a paired comparison."""
    labels = training.predict(net, split).argmax(1).cpu().numpy()
    return np.flatnonzero(labels != split.labels).tolist()


def neighbours(train: data.Split, images: NDArray[np.float32], copies: int = COPIES) -> NDArray[np.int64]:
    """Labels (m,) of images (m, 1, height, width): each takes that of the nearest of all turned training images.

    Nearest by the sum of squared differences of pixels; `copies` turns of each training image, evenly spaced.
    """
    angles = 2 * np.pi * np.arange(copies) / copies
    turned = (data.rotate(train.images, np.full(len(train), angle)).clip(0, 1) for angle in angles)
    return models.nearest_neighbour(turned, train.labels, images)


def _neighbours(splits: data.Splits, seed: int) -> dict[str, Any]:
    start = time.perf_counter()
    right = neighbours(splits.train, splits.test.images) == splits.test.labels
    return {
        "task": TASK,
        "model": "neighbours",
        "images": len(splits.train),
        "seed": seed,
        "copies": COPIES,
        "test_images": len(splits.test),
        "test_accuracy": float(right.mean()),
        "seconds": round(time.perf_counter() - start, 1),
    }


def changed_labels(net: torch.nn.Module, degrees: float, seed: int, size: int = 21) -> float:
    """Share of the test labels of `run(seed=seed)` that a network changes where every image is turned by `degrees`.

    Each of the 500 test digits is turned once from upright to its pose, and once to its pose plus `degrees`: one
    interpolation each, so that 90 degrees move pixels and nothing else.
    """
    upright = data.digits(size=size, seed=seed).test
    pose = data.digits(size=size, rotated=True, seed=seed).test.angles
    labels = []
    for further in (0.0, degrees):
        images = data.rotate(upright.images, pose + np.deg2rad(further)).clip(0, 1)
        labels.append(training.predict(net, (images, upright.labels)).argmax(1))
    return float((labels[0] != labels[1]).double().mean())
