"""`python -m eqlib.train digits --model harmonic --images 300 --seed 0`: joins data, model and loop; prints one JSON line.

    digits     scikit-learn's digits, each turned by a random angle; 500 of them are the test set
    mnist-rot  rotated MNIST from the idx files in --folder: the protocol of 12,000 training images
    jets       the shipped jets, top against QCD; 3,000 of them are the test set

Models for digits: harmonic and cnn, and both with `-augmented`: every training image turned anew in every epoch. The CNN
has as many parameters as the harmonic network, to the nearest width. `neighbours` learns nothing: a test image gets the
label of the nearest training image among 24 turned copies of each. Models for jets: lorentz, linear (it without
Clebsch-Gordan products), invariants (it without tensors), particlenet; all of about one number of parameters.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eqlib import data, distributed, groups, models, tagging, training

NETWORKS = ("harmonic", "harmonic-augmented", "cnn", "cnn-augmented")
MODELS = (*NETWORKS, "neighbours")
COPIES = 24  # of each training image among which `neighbours` looks: one for every 15 degrees


def turn(batch: tuple[Any, ...], generator: torch.Generator) -> tuple[Any, ...]:
    """Augmentation: each image of the batch by an angle of its own.

    The images of the rotated sets have been turned once already, so a pixel is interpolated twice; nothing is clipped.
    """
    images, labels = batch
    angles = torch.rand(len(images), generator=generator, dtype=torch.float64) * 2 * torch.pi
    return torch.as_tensor(data.rotate(images.numpy(), angles.numpy())), labels


def make(model: str, seed: int) -> torch.nn.Module:
    """A network of `NETWORKS` with seeded initial weights; ValueError for another name."""
    if model not in NETWORKS:
        raise ValueError(f"model must be one of {NETWORKS}, got {model!r}")
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        harmonic = models.HarmonicNet(groups.SO2())
        if model.startswith("harmonic"):
            return harmonic
        return models.PlainCNN.of_size(training.count_parameters(harmonic))


def neighbours(train: data.Split, images: NDArray[np.float32], copies: int = COPIES) -> NDArray[np.int64]:
    """Labels (m,) of images (m, 1, height, width): each takes that of the nearest of all turned training images.

    Nearest by the sum of squared differences of pixels; `copies` turns of each training image, evenly spaced.
    """
    flat = images.reshape(len(images), -1)
    best, labels = np.full(len(flat), np.inf), np.zeros(len(flat), dtype=np.int64)
    for k in range(copies):
        turned = data.rotate(train.images, np.full(len(train), 2 * np.pi * k / copies)).clip(0, 1)
        turned = turned.reshape(len(turned), -1)
        half_squares = (turned**2).sum(axis=1) / 2
        for start in range(0, len(flat), 1000):  # a thousand at a time, for memory
            some = slice(start, start + 1000)
            distances = half_squares - flat[some] @ turned.T  # up to a number of the image's own
            nearest = distances.argmin(axis=1)
            distance = distances[np.arange(len(nearest)), nearest]
            closer = distance < best[some]
            best[some][closer] = distance[closer]
            labels[some][closer] = train.labels[nearest[closer]]
    return labels


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
    images: int,
    seed: int,
    steps: int = 600,
    batch_size: int = 32,
    lr: float = 5e-3,
    size: int = 21,
    checkpoint: Path | None = None,
    progress: bool = True,
) -> tuple[torch.nn.Module | None, dict[str, Any]]:
    """Train on that many rotated digits, measure on 500 others: the network (None for neighbours), and a report.

    Every model and size gets the same number of steps, unless told otherwise.
    """
    splits = data.digits(size=size, rotated=True, seed=seed, train=images)
    return _run(model, splits, seed, steps, batch_size, lr, checkpoint, progress)


def mnist_rot(
    model: str,
    images: int,
    seed: int,
    folder: Path,
    steps: int,
    batch_size: int = 64,
    lr: float = 5e-3,
    checkpoint: Path | None = None,
    progress: bool = True,
) -> tuple[torch.nn.Module | None, dict[str, Any]]:
    """The same on rotated MNIST."""
    splits = data.rotated_mnist(folder, train=images, seed=seed)
    return _run(model, splits, seed, steps, batch_size, lr, checkpoint, progress)


def _run(
    name: str,
    splits: data.Splits,
    seed: int,
    steps: int,
    batch_size: int,
    lr: float,
    checkpoint: Path | None,
    progress: bool,
) -> tuple[torch.nn.Module | None, dict[str, Any]]:
    if name == "neighbours":
        return None, _neighbours(splits, seed)
    net = make(name, seed)
    batch_size = min(batch_size, len(splits.train))
    epochs = max(1, round(steps * batch_size / len(splits.train)))
    start = time.perf_counter()
    training.fit(
        net,
        training.cross_entropy,
        splits.train,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        weight_decay=1e-4,
        schedule=training.cosine,
        augment=turn if name.endswith("-augmented") else None,
        seed=seed,
        checkpoint=checkpoint,
        every=max(1, epochs // 10),
        progress=progress,
    )
    report = {
        "model": name,
        "images": len(splits.train),
        "seed": seed,
        "epochs": epochs,
        "parameters": training.count_parameters(net),
        "test_images": len(splits.test),
        "test_accuracy": training.evaluate(net, splits.test, training.accuracy),
        "seconds": round(time.perf_counter() - start, 1),
    }
    return net, report


def read_log(path: str | Path, value: str = "test_accuracy") -> dict[tuple[str, int], list[Any]]:
    """What the runs of a committed log found: (model, images) -> their `value`s, in the order of the seeds."""
    runs = json.loads(Path(path).read_text(encoding="utf-8"))["runs"]
    found: dict[tuple[str, int], list[Any]] = {}
    for run in sorted(runs, key=lambda run: run["seed"]):
        found.setdefault((run["model"], run["images"]), []).append(run[value])
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


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m eqlib.train", description="Train one network of the course.")
    tasks = parser.add_subparsers(dest="task", required=True)
    for task, steps in (("digits", 600), ("mnist-rot", 7500), ("jets", 0)):
        p = tasks.add_parser(task)
        if task == "jets":
            p.add_argument("--model", choices=tagging.TAGGERS, default="lorentz")
            p.add_argument("--number", type=int, default=6000, help="of training jets")
            p.add_argument("--epochs", type=int, default=10)
        else:
            p.add_argument("--model", choices=MODELS, default="harmonic")
            p.add_argument("--images", type=int, default=1000 if task == "digits" else 12000)
            p.add_argument("--steps", type=int, default=steps)
        p.add_argument("--seed", type=int, default=0)
        p.add_argument("--checkpoint", type=Path, help="written during training; a second call goes on from it")
        p.add_argument("--weights", type=Path, help="where to save the trained weights")
        p.add_argument("--threads", type=int, default=1)
        if task == "mnist-rot":
            p.add_argument("--folder", type=Path, required=True, help="folder with MNIST's idx files")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    left_out = ("task", "weights", "threads")
    runs: dict[str, Callable[..., tuple[torch.nn.Module | None, dict[str, Any]]]]
    runs = {"digits": digits, "mnist-rot": mnist_rot, "jets": tagging.jets}
    net, report = runs[args.task](**{k: v for k, v in vars(args).items() if k not in left_out})
    if args.weights is not None:
        if net is None:
            parser.error("neighbours has no weights to save")
        training.save_weights(net, args.weights, **report)
    print(json.dumps(report))


if __name__ == "__main__":
    distributed.run(main)
