"""`python -m eqlib.train digits --model harmonic --images 300 --seed 0`: joins data, model and loop; prints one JSON line.

    digits  scikit-learn's digits, each turned by a random angle; 500 of them are the test set. With --data FOLDER rotated
            MNIST from the idx files there: 12,000 training images unless told otherwise
    jets    the shipped jets, top against QCD; 3,000 of them are the test set

Models for digits: harmonic (SO(2), gates), p4, p4m (group convolutions), steerable (the best that was found) and cnn, and all
of them with `-augmented`: every training image turned anew in every epoch. All have about as many parameters as the harmonic
network; `cnn-wide` has about as many multiplications as `steerable` instead. `neighbours` learns nothing: a test image gets
the label of the nearest training image among 24 turned copies of each. Models for jets: lorentz, linear (it without
Clebsch-Gordan products), invariants (it without tensors), particlenet; all of about one number of parameters.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eqlib import data, groups, models, training

KINDS = ("harmonic", "p4", "p4m", "steerable", "cnn", "cnn-wide")
NETWORKS = (*KINDS, *(f"{kind}-augmented" for kind in KINDS))
MODELS = (*NETWORKS, "neighbours")
RECIPE: dict[str, Any] = {
    "optimizer": torch.optim.AdamW,
    "weight_decay": 1e-2,
    "schedule": training.warm_cosine,
}  # of digits
COPIES = 24  # of each training image among which `neighbours` looks: one for every 15 degrees


def turn(batch: tuple[Any, ...], generator: torch.Generator) -> tuple[Any, ...]:
    """Augmentation: each image of the batch by an angle of its own.

    The images of the rotated sets have been turned once already, so a pixel is interpolated twice; nothing is clipped.
    """
    images, labels = batch
    angles = torch.rand(len(images), generator=generator, dtype=torch.float64) * 2 * torch.pi
    return torch.as_tensor(data.rotate(images.numpy(), angles.numpy())), labels


def make(model: str, seed: int, size: int = 21) -> torch.nn.Module:
    """A network of `NETWORKS` with seeded initial weights, for images of `size` pixels; ValueError for another name."""
    if model not in NETWORKS:
        raise ValueError(f"model must be one of {NETWORKS}, got {model!r}")
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        return (_small if size < 28 else _large)(model.removesuffix("-augmented"))


def _small(kind: str) -> torch.nn.Module:
    """About 6,300 parameters, three convolutions."""
    if kind == "harmonic":
        return models.HarmonicNet(groups.SO2())
    if kind == "p4":
        return models.GroupCNN(groups.Cyclic(4), (4, 6, 6))
    if kind == "p4m":
        return models.GroupCNN(groups.Dihedral(4), (2, 4, 6))
    if kind == "steerable":
        so2 = groups.SO2()
        return models.SteerableCNN(
            so2, [groups.fields(so2.rep("0+1+2"), c) for c in (8, 9)], invariants=24, pool=(0, 1), samples=8
        )
    return models.PlainCNN(24) if kind == "cnn-wide" else models.PlainCNN.of_size(6300)


def _large(kind: str) -> torch.nn.Module:
    """About 40,000 parameters, five convolutions, the image halved by the first and after the third."""
    pool = (0, 2)
    if kind == "harmonic":
        return models.HarmonicNet(groups.SO2(), ("12x0+8x1+8x2", *["16x0+12x1+9x2"] * 4), pool=pool)
    if kind == "p4":
        return models.GroupCNN(groups.Cyclic(4), (8, 10, 10, 10, 10), pool=pool)
    if kind == "p4m":
        return models.GroupCNN(groups.Dihedral(4), (6, 7, 7, 7, 7), pool=pool)
    if kind == "steerable":
        so2 = groups.SO2()
        hidden = [groups.fields(so2.rep("0+1+2"), c) for c in (12, 12, 12, 16)]
        return models.SteerableCNN(so2, hidden, halve=(0,), pool=(2,), samples=8)
    if kind == "cnn-wide":
        return models.PlainCNN(64, blocks=5, pool=pool)
    return models.PlainCNN.of_size(40_000, blocks=5, pool=pool)


def neighbours(train: data.Split, images: NDArray[np.float32], copies: int = COPIES) -> NDArray[np.int64]:
    """Labels (m,) of images (m, 1, height, width): each takes that of the nearest of all turned training images.

    Nearest by the sum of squared differences of pixels; `copies` turns of each training image, evenly spaced.
    """
    angles = 2 * np.pi * np.arange(copies) / copies
    turned = (data.rotate(train.images, np.full(len(train), angle)).clip(0, 1) for angle in angles)
    return models.nearest_neighbour(turned, train.labels, images)


def changed_labels(net: torch.nn.Module, degrees: float, seed: int, size: int = 21) -> float:
    """Share of the test labels of `digits(seed=seed)` that a network changes where every image is turned by `degrees`.

    Each of the 500 test digits is turned once from upright to its pose, and once to its pose plus `degrees`: one
    interpolation each, so that 90 degrees move pixels and nothing else.
    """
    upright = data.digits(size=size, seed=seed).test.images
    pose = data.digits(size=size, rotated=True, seed=seed).test.angles
    net.eval()
    labels = []
    for further in (0.0, degrees):
        images = data.rotate(upright, pose + np.deg2rad(further)).clip(0, 1)
        with torch.no_grad():
            labels.append(net(torch.as_tensor(images)).argmax(1))
    return float((labels[0] != labels[1]).double().mean())


def digits(
    model: str,
    images: int | None = None,
    seed: int = 0,
    data_folder: Path | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    size: int = 21,
    checkpoint: Path | None = None,
    progress: bool = True,
    double: bool = False,
) -> tuple[torch.nn.Module | None, dict[str, Any]]:
    """Train on rotated digits, measure on others: the network (None for neighbours), and a report.

    Without `data_folder`: scikit-learn's digits of `size` pixels, 1,000 for training, 500 for the test, 600 steps of 32. With the
    folder of MNIST's idx files: 12,000 of 28 pixels for training, 10,000 for the test (`data.rotated_mnist`), 15,000 steps of 16,
    which are 20 epochs (small batches learn more in the same time). Every model and number of images gets the same number of
    steps, unless told otherwise. The learning rate starts at 0.005, on MNIST at 0.01. `double` trains in float64.
    """
    if data_folder is None:
        splits = data.digits(size=size, rotated=True, seed=seed, train=1000 if images is None else images)
        steps, batch_size, lr = steps or 600, batch_size or 32, lr or 5e-3
    else:
        splits = data.rotated_mnist(data_folder, train=12_000 if images is None else images, seed=seed)
        steps, batch_size, lr = steps or 15_000, batch_size or 16, lr or 1e-2
    if model == "neighbours":
        return None, _neighbours(splits, seed)
    net = make(model, seed, splits.train.images.shape[-1])
    if double:
        net.double().register_forward_pre_hook(lambda _, inputs: tuple(x.double() for x in inputs))
    batch_size = min(batch_size, len(splits.train))
    epochs = max(1, round(steps * batch_size / len(splits.train)))
    start, cpu = time.perf_counter(), time.process_time()
    training.fit(
        net,
        training.cross_entropy,
        splits.train,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        **RECIPE,
        augment=turn if model.endswith("-augmented") else None,
        seed=seed,
        checkpoint=checkpoint,
        every=max(1, epochs // 10),
        progress=progress,
    )
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    wrong = wrong_labels(net, splits.test)
    report = {
        "model": model,
        "images": len(splits.train),
        "seed": seed,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "parameters": training.count_parameters(net),
        "test": splits.test.source,
        "test_images": len(splits.test),
        "test_accuracy": 1 - len(wrong) / len(splits.test),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "wrong": wrong,
    }
    return net, report


def wrong_labels(net: torch.nn.Module, split: data.Split) -> list[int]:
    """Which images of a split get a wrong label; two networks' lists make a paired comparison."""
    net.eval()
    found = []
    with torch.no_grad():
        for chosen in np.split(np.arange(len(split)), range(256, len(split), 256)):
            images, labels = split.batch(chosen)
            found += chosen[net(torch.as_tensor(images)).argmax(1).numpy() != labels].tolist()
    return found


def read_log(
    path: str | Path, value: str = "test_accuracy", by: Sequence[str] = ("model", "images")
) -> dict[tuple[Any, ...], list[Any]]:
    """What the runs of a committed log found: (model, images), or what `by` names -> their `value`s in the order of seeds."""
    runs = json.loads(Path(path).read_text(encoding="utf-8"))["runs"]
    found: dict[tuple[Any, ...], list[Any]] = {}
    for run in sorted(runs, key=lambda run: run["seed"]):
        found.setdefault(tuple(run[name] for name in by), []).append(run[value])
    return found


def mistakes(path: str | Path) -> dict[tuple[str, int], NDArray[np.float64]]:
    """Of the log of benchmarks/rotated_mnist.py: (model, images) -> (seeds, test images), 1 where a label was wrong, else 0.

    All runs have the same test images, so the differences of two models make a paired comparison (`scores.bootstrap`).
    """
    sizes = read_log(path, "test_images")
    found = {}
    for key, seeds in read_log(path, "wrong").items():
        found[key] = np.zeros((len(seeds), sizes[key][0]))
        for row, wrong in zip(found[key], seeds, strict=True):
            row[[int(n) for n in wrong.split()]] = 1
    return found


def _neighbours(splits: data.Splits, seed: int) -> dict[str, Any]:
    start = time.perf_counter()
    right = neighbours(splits.train, splits.test.images) == splits.test.labels
    return {
        "model": "neighbours",
        "images": len(splits.train),
        "seed": seed,
        "copies": COPIES,
        "test_images": len(splits.test),
        "test_accuracy": float(right.mean()),
        "seconds": round(time.perf_counter() - start, 1),
    }
